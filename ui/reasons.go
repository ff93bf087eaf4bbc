package ui

import (
	"slices"
	"strings"

	"plimsoll/gates"
	"plimsoll/release"
)

// Why an action is not possible now. Each answers "" if it is; what it says is
// shown beside the disabled key and in the status line.

const readOnlyReason = "read-only: started with --read-only"

func whyNoDigest(_ *data, s subject) string {
	if s.digest == "" {
		return "nothing is selected"
	}
	return ""
}

func whyNotDiff(d *data, s subject) string {
	if why := whyNoDigest(d, s); why != "" {
		return why
	}
	if _, known := d.shown(s.service); !known {
		return "the prod digest is not known yet"
	}
	return ""
}

func whyNotWrite(d *data) string {
	if busy := d.busy(); busy != "" {
		return "wait: " + busy
	}
	return ""
}

func whyNotApprove(d *data, s subject) string {
	if why := whyNotDiff(d, s); why != "" {
		return why
	}
	if c, ok := d.candidate(s.service, s.digest); ok && c.Verdict == gates.InProd {
		return "it is in prod already"
	}
	return whyNotWrite(d)
}

func whyNotPromote(d *data, s subject) string {
	if why := whyNotDiff(d, s); why != "" {
		return why
	}
	if why := whyNotWrite(d); why != "" {
		return why
	}
	if p, ok := d.open(s.service); ok && p.Action == "promote" && p.Digest == s.digest {
		return "" // the same command again finishes it
	}
	c, ok := d.candidate(s.service, s.digest)
	switch {
	case !ok:
		return "it is not among the candidates of " + s.service
	case c.Error != "":
		return "it could not be read: " + c.Error
	case c.Verdict == gates.InProd:
		return "it is in prod already"
	case c.Verdict != gates.Ready:
		return verdictLine(c)
	}
	return ""
}

func whyNotRollback(d *data, s subject) string {
	if s.target == nil {
		return "" // it opens the screen with the targets
	}
	if why := whyNotWrite(d); why != "" {
		return why
	}
	if d.readOnly {
		return readOnlyReason
	}
	if _, known := d.shown(s.service); !known {
		return "the prod digest is not known yet"
	}
	if current, _ := d.shown(s.service); current != nil && *current == s.target.Digest {
		if p, ok := d.open(s.service); !ok || p.Action != "rollback" || p.Digest != s.target.Digest {
			return "it is what prod runs now"
		}
	}
	if s.target.Present != nil && !*s.target.Present {
		return "it is no longer in the prod registry"
	}
	return ""
}

func whyNotQuarantine(d *data, s subject) string {
	if why := whyNoDigest(d, s); why != "" {
		return why
	}
	return whyNotWrite(d)
}

func whyNotFinish(d *data, s subject) string {
	if _, open := d.open(s.service); !open {
		return "nothing was left open"
	}
	return whyNotWrite(d)
}

func whyNotCancel(d *data, _ subject) string {
	switch {
	case d.op == nil || d.op.done():
		return "nothing is running"
	case d.op.progress.Moved:
		return "the channel has moved: it can no longer be cancelled, only finished"
	case d.op.cancelling:
		return "it is being cancelled"
	}
	return ""
}

func whyNoOperation(d *data, _ subject) string {
	if d.op == nil {
		return "nothing was promoted or rolled back since this console started"
	}
	return ""
}

func whyNoError(d *data, _ subject) string {
	if d.failed == nil && len(d.pending) == 0 {
		return "there was no error"
	}
	return ""
}

// verdictLine is a candidate's verdict with what is behind it, in one line.
func verdictLine(c release.Candidate) string {
	out := verdictWords(c)
	if slices.Contains([]gates.State{gates.Ready, gates.Blocked}, c.Verdict) && c.Error == "" && len(c.Bigger) > 0 {
		out += ", a bigger change: " + strings.Join(c.Bigger, "; ")
	}
	return out
}

// verdictWords is the verdict with what stands in the way.
func verdictWords(c release.Candidate) string {
	if c.Error != "" {
		return "error: " + c.Error
	}
	if c.Verdict == gates.Quarantined {
		return "quarantined: " + quarantineReason(c)
	}
	var why []string
	for _, check := range blocking(c.Checks) {
		why = append(why, check.Gate+" "+statusWords(check))
	}
	out := string(c.Verdict)
	if c.Verdict == gates.InProd {
		out = "in prod"
	}
	if len(why) > 0 {
		out += ": " + strings.Join(why, "; ")
	}
	return out
}

// quarantineReason is why a candidate is quarantined.
func quarantineReason(c release.Candidate) string {
	for _, check := range c.Checks {
		if check.Gate == gates.QuarantineOut {
			if len(check.Reasons) > 0 {
				return strings.Join(check.Reasons, "; ")
			}
			return check.Summary
		}
	}
	return "nothing says why"
}

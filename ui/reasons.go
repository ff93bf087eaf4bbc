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

func whyNothingToCopy(d *data, s subject) string {
	if s.report {
		return ""
	}
	return whyNoDigest(d, s)
}

func whyNoService(_ *data, s subject) string {
	if s.service == "" {
		return "no service is selected"
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
	case c.Verdict == gates.Ready || pastGates(d, s):
		return ""
	}
	if past := whyNotPast(d, s.service, c); past != "" {
		return verdictWords(c) + past
	}
	return verdictLine(c)
}

// pastGates tells whether promoting the selection means going past gates, and
// the policy lets this person.
func pastGates(d *data, s subject) bool {
	c, ok := d.candidate(s.service, s.digest)
	if !ok || c.Verdict != gates.Blocked || c.Error != "" {
		return false
	}
	waive, why := d.allowed[s.service].Past(c.Checks)
	return len(waive) > 0 && why == ""
}

// whyNotPast says who may go past the gates of a blocked candidate, "" where
// the policy has nobody for any gate.
func whyNotPast(d *data, service string, c release.Candidate) string {
	a := d.allowed[service]
	if c.Verdict != gates.Blocked || len(a.By) == 0 {
		return ""
	}
	if _, why := a.Past(c.Checks); why != "" {
		return ". No override: " + why
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
	out := verdictWords(c) + alsoWords(c)
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
	for _, check := range c.Checks {
		if !check.Status.Passes() || check.Status == gates.Waived {
			why = append(why, check.Gate+" "+statusWords(check))
		}
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

// alsoWords names the gates without a column of their own that let it through,
// and those that are off: at 80 columns the table has no room for them.
func alsoWords(c release.Candidate) string {
	var well, off []string
	for _, check := range otherChecks(c) {
		switch check.Status { //nolint:exhaustive // what blocks is named already
		case gates.Pass:
			well = append(well, check.Gate)
		case gates.Off:
			off = append(off, check.Gate)
		}
	}
	var out []string
	if len(well) > 0 {
		out = append(out, "✓ "+strings.Join(well, ", "))
	}
	if len(off) > 0 {
		out = append(out, "off: "+strings.Join(off, ", "))
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// overrideWords names gates that somebody went past, loudly.
func overrideWords(names []string) string { return "» OVERRIDE " + strings.Join(names, ", ") }

// quarantineReason is why a candidate is quarantined.
func quarantineReason(c release.Candidate) string {
	for _, check := range c.Checks {
		if check.Gate == gates.QuarantineOut {
			if len(check.Reasons) > 0 {
				return check.Reasons[0] // what to do about it stands below the check
			}
			return check.Summary
		}
	}
	return "nothing says why"
}

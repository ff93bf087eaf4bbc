package ui

import (
	"fmt"
	"strings"

	"plimsoll/release"
)

// record is one entry of the history in full.
type record struct {
	of    string
	entry release.Entry
	pager pager
}

func (s record) place() place    { return onRecord }
func (s record) service() string { return s.of }
func (s record) wants(*data) []query {
	verify := query{kind: askVerify, service: s.entry.Service, digest: s.entry.Digest}
	if s.of == "" {
		return []query{verify}
	}
	return []query{{kind: askList, service: s.of}, verify}
}

func (s record) subject(*data) subject {
	return subject{service: s.entry.Service, digest: s.entry.Digest}
}
func (s record) status(d *data) line { return nil }

func (s record) heading(*data) string {
	return fmt.Sprintf("record %d of %s", s.entry.Number, s.entry.Service)
}

func (s record) do(a action, d *data, at extent) (screen, intent) {
	s.pager = s.pager.move(a, len(folded(recordLines(d, s.entry), at.w)), at.h)
	return s, nil
}

func (s record) view(d *data, st *styles, at extent) string {
	return s.pager.view(st, folded(recordLines(d, s.entry), at.w), at)
}

func recordLines(d *data, e release.Entry) []line {
	var lines []line
	if len(e.Overrides) > 0 {
		lines = append(lines, line{{"  " + overrideWords(e.Overrides), warn}, {"  by " + orDash(e.Actor) + ": " + orDash(e.Reason), strong}})
	}
	lines = append(lines,
		field("action", e.Action), field("service", e.Service), field("at", clock(e.At)), field("by", orDash(e.Who())),
		digestLine("digest", string(e.Digest)), digestLine("before", orNone(e.Previous)), field("tags", orDash(strings.Join(e.Tags, " "))),
		field("reason", orDash(e.Reason)),
	)
	if e.Record != nil {
		lines = append(lines, digestLine("record", string(*e.Record)))
	}
	if e.Verified {
		lines = append(lines, line{{"  " + fit("verified", 12), strong}, {"✓ signed by a key of the records group", good}})
	} else {
		lines = append(lines, line{{"  " + fit("verified", 12), strong}, {"✗ no", bad}})
	}
	if e.Problem != "" {
		lines = append(lines, line{{"  " + fit("problem", 12), strong}, {e.Problem, warn}})
	}
	if e.Seconds > 0 {
		lines = append(lines, field("took", fmt.Sprintf("%.1f s", e.Seconds)))
	}
	if i := e.Identity; i != nil {
		words := i.Subject + " at " + i.Registry
		if !i.ExpiresOn.IsZero() {
			words += ", until " + clock(i.ExpiresOn)
		}
		lines = append(lines, field("wrote as", words))
	}
	if e.PolicyHash != "" {
		lines = append(lines, digestLine("policy", e.PolicyHash))
	}
	lines = append(lines, verifyLines(d, e)...)
	if len(e.Evidence) > 0 {
		lines = append(lines, nil, say(strong, "  evidence that it went by"))
	}
	for _, ev := range e.Evidence {
		lines = append(lines, say(plain, "      %s", ev))
	}
	return lines
}

// verifyLines is what plimsoll verify says of the entry's digest now.
func verifyLines(d *data, e release.Entry) []line {
	got := peek(d.verified, query{kind: askVerify, service: e.Service, digest: e.Digest})
	head := []line{nil, say(strong, "  verified again, from what prod holds alone")}
	switch {
	case !got.have && got.err != nil:
		return append(append(head, say(bad, "  ✗ it could not be verified")), problemLines(got.err)...)
	case !got.have:
		return append(head, say(plain, "  … reading"))
	}
	v := got.value
	lines := append(head, promotedLine(v))
	if v.Record != nil && e.Record != nil && *v.Record != *e.Record {
		lines = append(lines, say(plain, "    by its newest record, %s", short(*v.Record)))
	}
	lines = append(lines, policyLine(v))
	if v.RolledBackSince {
		lines = append(lines, say(warn, "  ! prod was rolled back from it since"))
	}
	if v.Quarantined != "" {
		lines = append(lines, say(bad, "  ! quarantined: %s", v.Quarantined))
	}
	for _, p := range v.Problems {
		lines = append(lines, line{{"  ! ", warn}, {p, plain}})
	}
	return append(lines, indented(checkFacts(v.Checks))...)
}

func promotedLine(v release.Verification) line {
	if !v.Promoted {
		return say(bad, "  ✗ not promoted: no valid record stands for it")
	}
	words := "went to prod (" + v.Action + ") by " + orDash(v.Who())
	if v.From != "" {
		words += " from " + v.From
	}
	if v.InProd {
		words += "; prod runs it now"
	}
	return line{{"  ✓ ", good}, {words, plain}}
}

// policyLine is whose policy judged it.
func policyLine(v release.Verification) line {
	switch {
	case !v.Promoted || v.Policy == "":
		return nil
	case v.PolicySigned:
		return line{{"  ✓ ", good}, {"under a policy that " + orDash(v.PolicyBy) + " signed", plain}}
	case v.PolicyFound:
		return line{{"  - ", plain}, {"under a policy that is in the ledger and that no owner signed", plain}}
	}
	return line{{"  ! ", warn}, {"the policy that it names is not in the ledger, so its evidence was not judged again", plain}}
}

func indented(lines []line) []line {
	out := make([]line, 0, len(lines))
	for _, l := range lines {
		out = append(out, append(line{{"  ", plain}}, l...))
	}
	return out
}

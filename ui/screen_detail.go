package ui

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/release"
)

// detail is everything about one candidate: each check with its reasons.
type detail struct {
	of     string
	digest digest.Digest
	pager  pager
}

func (s detail) place() place          { return onDetail }
func (s detail) service() string       { return s.of }
func (s detail) heading(*data) string  { return "candidate " + short(s.digest) }
func (s detail) subject(*data) subject { return subject{service: s.of, digest: s.digest} }
func (s detail) lines(d *data) []line  { return detailLines(d, s.of, s.digest, false) }
func (s detail) wants(*data) []query {
	return []query{{kind: askGates, service: s.of, digest: s.digest}, {kind: askList, service: s.of}}
}

func (s detail) do(a action, d *data, at extent) (screen, intent) {
	s.pager = s.pager.move(a, len(folded(s.lines(d), at.w)), at.h)
	return s, nil
}

func (s detail) status(d *data) line {
	if c, ok := d.candidate(s.of, s.digest); ok {
		return line{{verdictLine(c), stateTone(c)}}
	}
	return nil
}

func (s detail) view(d *data, st *styles, at extent) string {
	return s.pager.view(st, folded(s.lines(d), at.w), at)
}

// field is one line of facts: a name in a narrow column, then its value.
func field(name, value string) line {
	return line{{"  " + fit(name, 11) + " ", strong}, {value, plain}}
}

// digestLine is a whole digest, so close to the edge that 80 columns hold it
// unbroken, for a mouse to copy.
func digestLine(name, value string) line {
	return line{{"  " + fit(name, 6) + " ", strong}, {value, plain}}
}

// detailLines tells all about a candidate. brief is for the pane beside the list.
func detailLines(d *data, service string, dg digest.Digest, brief bool) []line {
	c, ok := d.candidate(service, dg)
	if !ok {
		if dg == "" {
			return nil
		}
		return []line{nil, say(warn, "  %s is no longer among the candidates of %s", short(dg), service), digestLine("digest", string(dg))}
	}
	lines := []line{{{"  " + verdictWords(c), stateTone(c)}}}
	if past := overrideLine(d, service, c); past != nil {
		lines = append(lines, append(line{{"  ", plain}}, past...))
	}
	for _, rule := range c.Bigger {
		lines = append(lines, line{{"  ! ", warn}, {"a bigger change: " + rule, plain}})
	}
	lines = append(lines, digestLine("digest", string(c.Digest)), field("tags", orDash(strings.Join(c.Tags, " "))))
	lines = append(lines, imageLines(d, c)...)
	if !brief {
		lines = append(lines, judgedLines(d, service, c)...)
	}
	if c.Error != "" {
		lines = append(lines, nil, say(bad, "  ? it could not be read: %s", c.Error))
	}
	lines = append(lines, nil)
	for _, check := range c.Checks {
		lines = append(lines, checkLines(check, brief)...)
	}
	if g := peek(d.gates, query{kind: askGates, service: service, digest: dg}); g.err != nil && !brief {
		lines = append(lines, nil, say(warn, "  ? the checks may be old: %s", g.err.first()))
	}
	for _, w := range peek(d.gates, query{kind: askGates, service: service, digest: dg}).value.Warnings {
		lines = append(lines, line{{"  ! ", warn}, {w, warn}})
	}
	for _, gate := range d.service(service).off {
		if !hasCheck(c.Checks, gate) {
			lines = append(lines, line{{"  - ", warn}, {fit(gate, 11), strong}, {"off: switched off in the configuration", warn}})
		}
	}
	return lines
}

// judgedLines is what the verdict was made against: prod's digest and the
// policy, and who signed that.
func judgedLines(d *data, service string, c release.Candidate) []line {
	v := peek(d.gates, query{kind: askGates, service: service, digest: c.Digest})
	if !v.have {
		return nil
	}
	lines := []line{digestLine("prod", orNone(v.value.Prod)), digestLine("policy", v.value.Policy)}
	for _, check := range c.Checks {
		if check.Gate != gates.PolicyGate {
			continue
		}
		if check.Status.Passes() {
			return append(lines, line{{"         ✓ " + check.Summary, good}})
		}
		return append(lines, line{{"         NOT SIGNED by its owners; the check policy below says what differs", bad}})
	}
	return append(lines, say(plain, "         nobody has to sign it: trust names no policy-owners"))
}

func hasCheck(checks []gates.Check, gate string) bool {
	for _, c := range checks {
		if c.Gate == gate {
			return true
		}
	}
	return false
}

func imageLines(d *data, c release.Candidate) []line {
	lines := []line{field("size", size(c.SizeBytes)+" in all, "+size(c.AddedBytes)+" that prod does not have")}
	if c.Created != nil {
		lines = append(lines, field("created", clock(*c.Created)+"  ("+ago(d.now, *c.Created)+")"))
	}
	for _, f := range [][2]string{
		{"platforms", strings.Join(c.Platforms, " ")}, {"version", c.Version}, {"revision", c.Revision}, {"source", c.Source},
	} {
		if f[1] != "" {
			lines = append(lines, field(f[0], f[1]))
		}
	}
	return lines
}

// statusWords is a check's status and summary without saying a thing twice.
func statusWords(c gates.Check) string {
	switch {
	case c.Status == gates.Waived:
		return "WAIVED" + strings.TrimPrefix(c.Summary, "waived")
	case c.Summary == "", c.Summary == "none":
		return string(c.Status)
	case strings.HasPrefix(c.Summary, string(c.Status)):
		return c.Summary
	}
	return string(c.Status) + ": " + c.Summary
}

// checkLines is one check: mark, gate, status, summary; then every reason and
// the evidence that it read.
func checkLines(c gates.Check, brief bool) []line {
	mark, tone := statusMark(c.Status)
	head := statusWords(c)
	lines := []line{{{"  " + mark + " ", tone}, {fit(c.Gate, 11), strong}, {head, tone}}}
	for _, reason := range c.Reasons {
		if reason != c.Summary {
			lines = append(lines, say(plain, "      %s", reason))
		}
	}
	if brief {
		return lines
	}
	if len(c.Evidence) > 0 {
		lines = append(lines, say(faint, "      evidence:"))
	}
	for _, e := range c.Evidence {
		lines = append(lines, say(faint, "      %s", e)) // so close to the edge that 80 columns hold it unbroken
	}
	return lines
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// problemLines is an error in full, with what to do next.
func problemLines(p *problem) []line {
	var lines []line
	for _, l := range p.lines {
		lines = append(lines, say(plain, "  %s", l))
	}
	if p.hint != "" {
		lines = append(lines, nil, line{{"  next: ", strong}, {p.hint, plain}})
	}
	return lines
}

package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plimsoll/release/doctor"
)

// doctorScreen is whether the isolation of a service is real, as far as the
// everyday identity can tell. It is read when it is opened and with the key for
// that, never by itself: it tries what identities may do.
type doctorScreen struct {
	of    string
	pager pager
}

func (s doctorScreen) place() place          { return onDoctor }
func (s doctorScreen) service() string       { return s.of }
func (s doctorScreen) query() query          { return query{kind: askDoctor, service: s.of} }
func (s doctorScreen) subject(*data) subject { return subject{service: s.of, report: true} }
func (s doctorScreen) wants(*data) []query {
	return []query{s.query(), {kind: askList, service: s.of}}
}

func (s doctorScreen) heading(d *data) string {
	if r := peek(d.doctors, s.query()); r.have {
		return "doctor: " + doctorWords(r.value)
	}
	return "doctor: is the isolation real?"
}

func (s doctorScreen) do(a action, d *data, at extent) (screen, intent) {
	s.pager = s.pager.move(a, len(folded(doctorLines(d, s.of), at.w)), at.h)
	return s, nil
}

func (s doctorScreen) status(*data) line {
	return say(plain, "by the everyday identity; for more: plimsoll doctor %s --with-promote", s.of)
}

func (s doctorScreen) view(d *data, st *styles, at extent) string {
	return s.pager.view(st, folded(doctorLines(d, s.of), at.w), at)
}

// doctorWords is the report in one line.
func doctorWords(r doctor.Report) string {
	if r.Broken == 0 && r.Warnings == 0 {
		return "nothing is wrong"
	}
	return fmt.Sprintf("%d broken, %s", r.Broken, plural(r.Warnings, "warning"))
}

// doctorLines is every fact, the worst first, with what to do.
func doctorLines(d *data, of string) []line {
	got := peek(d.doctors, query{kind: askDoctor, service: of})
	switch {
	case !got.have && got.err != nil:
		return append([]line{nil, say(bad, "  ✗ %s could not be looked into", of), nil}, problemLines(got.err)...)
	case !got.have:
		return []line{nil, say(plain, "  looking into %s: identities, scopes, retention, trust … %s", of, stopwatchCoarse(d, got.since))}
	}
	var lines []line
	for _, s := range got.value.Services {
		facts := slices.SortedStableFunc(slices.Values(s.Facts), func(a, b doctor.Fact) int { return cmp.Compare(factRank(a), factRank(b)) })
		for _, f := range facts {
			lines = append(lines, factLines(f)...)
		}
	}
	return lines
}

// factRank puts what has to be mended first.
func factRank(f doctor.Fact) int {
	return slices.Index([]doctor.Status{doctor.Broken, doctor.Warning, doctor.Unknown, doctor.OK}, f.Status)
}

func factLines(f doctor.Fact) []line {
	mark, tone := factMark(f.Status)
	head := line{{"  " + mark + " ", tone}, {f.Summary, tone}}
	if f.Status == doctor.OK {
		head[1].tone = plain
	}
	if f.Subject != "" && !strings.Contains(f.Summary, f.Subject) {
		head = append(head, span{"  (" + f.Subject + ")", plain})
	}
	lines := []line{head}
	if f.Detail != "" {
		lines = append(lines, say(faint, "      %s", f.Detail))
	}
	if f.Hint != "" && f.Status != doctor.OK {
		lines = append(lines, line{{"      do: ", strong}, {f.Hint, plain}})
	}
	return lines
}

func factMark(s doctor.Status) (string, tone) {
	switch s {
	case doctor.OK:
		return "✓", good
	case doctor.Warning:
		return "!", warn
	case doctor.Broken:
		return "✗", bad
	case doctor.Unknown:
		return "?", warn
	}
	return "?", bad
}

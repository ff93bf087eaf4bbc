package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/release"
)

// candidates is the first screen of a service: what waits in staging.
type candidates struct {
	of   string
	list list
}

func (s candidates) place() place        { return onCandidates }
func (s candidates) service() string     { return s.of }
func (s candidates) wants(*data) []query { return []query{{kind: askList, service: s.of}} }
func (s candidates) filter() filter      { return s.list.narrowed }

func (s candidates) withFilter(f filter) screen {
	s.list.narrowed = f
	return s
}

func (s candidates) pin(d *data) screen {
	s.list = s.list.pin(s.rows(d))
	return s
}

func (s candidates) heading(d *data) string {
	l := d.list(s.of)
	n, all := len(l.value.Candidates), l.value.Total
	if shown := len(s.list.visible(s.rows(d))); shown != n {
		return fmt.Sprintf("candidates, %d of %d match", shown, n)
	}
	if all > n {
		return "candidates, the newest " + plural(n, "digest") + " of " + plural(all, "tag")
	}
	return "candidates"
}

func (s candidates) subject(d *data) subject {
	return subject{service: s.of, digest: digest.Digest(s.list.selected(s.rows(d)))}
}

func (s candidates) do(a action, d *data, at extent) (screen, intent) {
	switch a { //nolint:exhaustive // the root model handles what every screen has
	case actOpen:
		if sub := s.subject(d); sub.digest != "" {
			return s, openScreen{detail{of: s.of, digest: sub.digest}}
		}
	default:
		table, _ := panes(rect{w: at.w, h: at.h})
		s.list = s.list.move(a, s.rows(d), table.h-1)
	}
	return s, nil
}

func (s candidates) status(d *data) line {
	c, ok := d.candidate(s.of, s.subject(d).digest)
	if !ok {
		return nil
	}
	return append(overrideLine(d, s.of, c), span{verdictLine(c), stateTone(c)})
}

// overrideLine is loud about what is in prod past a gate; nil if it is not.
func overrideLine(d *data, of string, c release.Candidate) line {
	if past := d.list(of).value.Prod.Overrides; c.Verdict == gates.InProd && len(past) > 0 {
		return line{{overrideWords(past) + "  ", warn}}
	}
	return nil
}

// otherWidth holds a mark and a name, and how many more.
const otherWidth = 11

// candidateColumns: age goes first where there is no room, scan and E2E never.
var candidateColumns = []column{
	{title: "", width: 1},
	{title: "CANDIDATE", width: 12},
	{title: "TAGS", width: 10, flex: true},
	{title: "VERDICT", width: 11, weight: 2},
	{title: "SIZE", width: 7, weight: 7, right: true},
	{title: "E2E", width: 8},
	{title: "SCAN", width: 11},
	{title: "BASE", width: 8, weight: 8},
	{title: "SIGN-OFF", width: 9, weight: 9},
	{title: "OTHER", width: otherWidth, weight: 4},
	{title: "REVISION", width: 9, weight: 3},
	{title: "PLATFORMS", width: 12, weight: 1},
	{title: "AGE", width: 6, weight: 5, right: true},
}

// columnOther is the gates without a column of their own.
const columnOther = 9

// columns leaves out the other gates where no candidate has any, and gives up
// the size before them where one of them says no.
func (s candidates) columns(d *data) []column {
	const heavy = 7 // as the size, which stands before it and goes first
	columns, any := slices.Clone(candidateColumns), false
	for _, c := range d.list(s.of).value.Candidates {
		for _, check := range otherChecks(c) {
			any = true
			if !check.Status.Passes() || check.Status == gates.Waived {
				columns[columnOther].weight = heavy
				return columns
			}
		}
	}
	if !any {
		columns[columnOther].width = 0
	}
	return columns
}

func (s candidates) rows(d *data) []row {
	l := d.list(s.of)
	rows := make([]row, 0, len(l.value.Candidates))
	for _, listed := range l.value.Candidates {
		rows = append(rows, row{
			key: string(listed.Digest), words: []string{string(listed.Digest), listed.Version, listed.Revision},
			cells: func() []span { return candidateCells(d.judged(s.of, l.at, listed), d) },
		})
	}
	return rows
}

func candidateCells(c release.Candidate, d *data) []span {
	mark, tone := stateMark(c)
	added := span{"in prod", prod}
	if c.Verdict != gates.InProd {
		added = span{"+" + size(c.AddedBytes), plain}
	}
	made := "?"
	if c.Created != nil {
		made = age(d.now, *c.Created)
	}
	if c.Error != "" {
		added = span{"?", warn}
	}
	revision := c.Revision
	if r := []rune(revision); len(r) > 9 {
		revision = string(r[:9])
	}
	return []span{
		{mark, tone},
		{short(c.Digest), plain},
		{strings.Join(c.Tags, " "), plain},
		{string(c.Verdict), tone},
		added,
		gateCell(c, gates.E2E), gateCell(c, gates.Scan), gateCell(c, gates.BaseImage), gateCell(c, gates.SignOff), otherCell(c),
		{revision, plain},
		{strings.Join(c.Platforms, " "), plain},
		{made, plain},
	}
}

func (s candidates) view(d *data, st *styles, at extent) string {
	l := d.list(s.of)
	if text := emptyList(d, s.of, len(l.value.Candidates)); text != nil {
		return pager{}.view(st, folded(text, at.w), at)
	}
	table, pane := panes(rect{w: at.w, h: at.h})
	drawn := extent{table.w, table.h}
	if pane.x > 0 {
		drawn.w-- // room before the line between them
	}
	rows := s.rows(d)
	left := drawTable(st, s.columns(d), rows, s.list, drawn)
	if len(s.list.visible(rows)) == 0 {
		left += "\n\n  nothing matches the filter; esc shows all"
	}
	if pane.w == 0 {
		return left
	}
	lines := folded(detailLines(d, s.of, s.subject(d).digest, true), pane.w)
	return beside(left, pager{}.view(st, lines, extent{pane.w, pane.h}), table, pane, st)
}

// emptyList says why there are no candidates to show, nil if there are.
func emptyList(d *data, of string, n int) []line {
	l, svc := d.list(of), d.service(of)
	switch {
	case n > 0:
		return nil
	case !l.have && l.busy:
		return []line{nil, say(plain, "  reading %s … %s", svc.staging, stopwatchCoarse(d, l.since))}
	case !l.whole && l.err != nil:
		return append([]line{nil, say(bad, "  ✗ %s could not be read", of), nil}, problemLines(l.err)...)
	case !l.have:
		return []line{nil, say(plain, "  nothing was read yet; r reads it")}
	}
	out := []line{nil, say(plain, "  there is no candidate in %s", svc.staging)}
	if svc.rule != "" {
		out = append(out, say(plain, "  only tags that match %s are candidates (candidates.tags of %s)", svc.rule, of))
	}
	return append(out, say(plain, "  push an image there, then press r"))
}

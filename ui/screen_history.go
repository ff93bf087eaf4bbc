package ui

import (
	"slices"
	"strconv"
	"strings"

	"plimsoll/release"
)

// history lists what was in prod, newest first: of one service, or of all.
type history struct {
	of   string // "" for all services
	list list
}

func (s history) place() place    { return onHistory }
func (s history) service() string { return s.of }
func (s history) filter() filter  { return s.list.narrowed }
func (s history) query() query    { return query{kind: askHistory, service: s.of} }

func (s history) withFilter(f filter) screen {
	s.list.narrowed = f
	return s
}

func (s history) pin(d *data) screen {
	s.list = s.list.pin(s.rows(d))
	return s
}

func (s history) wants(*data) []query {
	if s.of == "" {
		return []query{s.query()}
	}
	return []query{s.query(), {kind: askList, service: s.of}}
}

func (s history) heading(*data) string {
	if s.of == "" {
		return "history of all services"
	}
	return "history"
}

// entryKey names an entry; one digest may be in the history many times.
func entryKey(e release.Entry) string {
	record := ""
	if e.Record != nil {
		record = string(*e.Record)
	}
	return strings.Join([]string{e.Service, strconv.Itoa(e.Number), record, e.Action, strconv.FormatInt(e.At.UnixNano(), 36)}, " ")
}

func (s history) selected(d *data) (release.Entry, bool) {
	key := s.list.selected(s.rows(d))
	for _, e := range peek(d.history, s.query()).value {
		if entryKey(e) == key {
			return e, true
		}
	}
	return release.Entry{}, false
}

func (s history) subject(d *data) subject {
	e, ok := s.selected(d)
	if !ok {
		return subject{service: s.of}
	}
	return subject{service: e.Service, digest: e.Digest}
}

func (s history) do(a action, d *data, at extent) (screen, intent) {
	switch a { //nolint:exhaustive // the root model handles what every screen has
	case actOpen:
		if e, ok := s.selected(d); ok {
			return s, openScreen{record{of: s.of, entry: e}}
		}
	default:
		s.list = s.list.move(a, s.rows(d), at.h-1)
	}
	return s, nil
}

func (s history) status(d *data) line {
	e, ok := s.selected(d)
	switch {
	case !ok:
		return nil
	case e.Problem != "":
		return say(warn, "%s", e.Problem)
	case len(e.Overrides) > 0:
		return say(warn, "%s by %s: %s", overrideWords(e.Overrides), orDash(e.Actor), orDash(e.Reason))
	case !e.Verified:
		return say(warn, "no verified record stands behind this entry")
	case e.Reason != "":
		return say(plain, "reason: %s", e.Reason)
	}
	return say(plain, "enter shows the whole record")
}

var historyColumns = []column{
	{title: "", width: 1},
	{title: "AT", width: 16},
	{title: "ACTION", width: 9},
	{title: "SERVICE", width: 10, weight: 2},
	{title: "DIGEST", width: 12},
	{title: "BY", width: 12},
	{title: "NAME", width: 12, weight: 1},
	{title: "REASON", width: 16, flex: true},
}

// columns leaves the service out where there is one only.
func (s history) columns() []column {
	columns := slices.Clone(historyColumns)
	if s.of != "" {
		columns[3].width = 0
	}
	return columns
}

func (s history) rows(d *data) []row {
	entries := peek(d.history, s.query()).value
	rows := make([]row, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, row{key: entryKey(e), words: []string{string(e.Digest)}, cells: func() []span { return entryCells(d, e) }})
	}
	return rows
}

func entryCells(d *data, e release.Entry) []span {
	mark, tone := entryMark(e)
	why := span{orDash(e.Reason), plain}
	if e.Problem != "" {
		why.text = e.Problem
	}
	if len(e.Overrides) > 0 {
		why = span{strings.TrimPrefix(overrideWords(e.Overrides), "» ") + ": " + why.text, warn}
	}
	return []span{
		{mark, tone},
		{e.At.Local().Format("2006-01-02 15:04"), plain},
		{e.Action, plain},
		{e.Service, plain},
		{short(e.Digest), plain},
		{e.Actor, plain},
		{nameOf(d, e.Service, e.Digest, e.Tags), plain},
		why,
	}
}

func entryMark(e release.Entry) (string, tone) {
	switch {
	case e.Problem != "":
		return "!", warn
	case !e.Verified:
		return "?", warn
	case len(e.Overrides) > 0:
		return "»", warn
	}
	return "✓", good
}

func (s history) view(d *data, st *styles, at extent) string {
	got := peek(d.history, s.query())
	if len(got.value) == 0 {
		return pager{}.view(st, folded(s.empty(d), at.w), at)
	}
	out := drawTable(st, s.columns(), s.rows(d), s.list, at)
	if len(s.list.visible(s.rows(d))) == 0 {
		out += "\n\n  nothing matches the filter; esc shows all"
	}
	return out
}

func (s history) empty(d *data) []line {
	got := peek(d.history, s.query())
	switch {
	case got.err != nil:
		return append([]line{nil, say(bad, "  ✗ the history could not be read"), nil}, problemLines(got.err)...)
	case !got.have:
		return []line{nil, say(plain, "  reading the ledger … %s", stopwatchCoarse(d, got.since))}
	}
	return []line{nil, say(plain, "  nothing was promoted yet")}
}

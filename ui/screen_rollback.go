package ui

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/release"
)

// rollback lists what prod can go back to; the last good digest is selected
// until a person selects another.
type rollback struct {
	of   string
	list list
}

func (s rollback) place() place         { return onRollback }
func (s rollback) service() string      { return s.of }
func (s rollback) filter() filter       { return s.list.narrowed }
func (s rollback) heading(*data) string { return "roll back to" }

func (s rollback) query() query        { return query{kind: askTargets, service: s.of} }
func (s rollback) wants(*data) []query { return []query{s.query(), {kind: askList, service: s.of}} }

func (s rollback) withFilter(f filter) screen {
	s.list.narrowed = f
	return s
}

// cursor is the list with the last good digest selected, until a key moves it.
func (s rollback) cursor(d *data) list {
	l := s.list
	if l.key != "" {
		return l
	}
	for i, t := range peek(d.targets, s.query()).value {
		if t.LastGood {
			l.key, l.index = string(t.Digest), i
		}
	}
	return l
}

func (s rollback) subject(d *data) subject {
	key := s.cursor(d).selected(s.rows(d))
	for _, t := range peek(d.targets, s.query()).value {
		if string(t.Digest) == key {
			return subject{service: s.of, digest: t.Digest, target: &t}
		}
	}
	return subject{service: s.of}
}

func (s rollback) do(a action, d *data, at extent) (screen, intent) {
	switch a { //nolint:exhaustive // the root model handles what every screen has
	case actOpen:
		if sub := s.subject(d); sub.target != nil {
			if why := whyNotRollback(d, sub); why != "" {
				return s, refused{why}
			}
			return s, askRollback{sub}
		}
	default:
		s.list = s.cursor(d).move(a, s.rows(d), at.h-1)
	}
	return s, nil
}

func (s rollback) status(d *data) line {
	t := s.subject(d).target
	switch {
	case t == nil:
		return nil
	case isCurrent(d, s.of, t.Digest):
		return say(plain, "this is what prod runs now")
	case t.Quarantined != "":
		return say(bad, "quarantined: %s; going back to it needs a reason", t.Quarantined)
	case t.Present != nil && !*t.Present:
		return say(bad, "gone: retention has removed it from the prod registry")
	case t.LastGood:
		return say(good, "the last good one; enter or b rolls back to it")
	}
	return say(plain, "enter or b rolls back to it")
}

func isCurrent(d *data, service string, dg digest.Digest) bool {
	shown, known := d.shown(service)
	return known && shown != nil && *shown == dg
}

var rollbackColumns = []column{
	{title: "", width: 1},
	{title: "DIGEST", width: 12},
	{title: "NAME", width: 10, flex: true},
	{title: "STATE", width: 14},
	{title: "IN PROD", width: 9, right: true},
	{title: "BY", width: 12, weight: 2},
	{title: "WINDOW", width: 10, weight: 1, right: true},
}

func (s rollback) rows(d *data) []row {
	targets := peek(d.targets, s.query()).value
	rows := make([]row, 0, len(targets))
	window := d.service(s.of).window
	for _, t := range targets {
		rows = append(rows, row{key: string(t.Digest), words: []string{string(t.Digest), t.Quarantined}, cells: func() []span {
			mark, state, tone := targetState(d, s.of, t)
			return []span{
				{mark, tone},
				{short(t.Digest), plain},
				{nameOf(d, s.of, t.Digest, t.Tags), plain},
				{state, tone},
				{ago(d.now, t.At), plain},
				{t.Actor, plain},
				{windowLeft(d.now, t, window), plain},
			}
		}})
	}
	return rows
}

func targetState(d *data, service string, t release.Target) (mark, state string, look tone) {
	switch {
	case isCurrent(d, service, t.Digest):
		return "●", "in prod now", prod
	case t.Present != nil && !*t.Present:
		return "-", "gone", bad
	case t.Quarantined != "":
		return "!", "quarantined", bad
	case t.LastGood:
		return "✓", "last good", good
	}
	return " ", "was in prod", plain
}

// windowLeft is how much of the retention window a digest has left: the
// service's, or less where prod's registry deletes it sooner.
func windowLeft(now time.Time, t release.Target, window time.Duration) string {
	left := window - now.Sub(t.At)
	known := window > 0 && !t.At.IsZero()
	if t.Until != nil && (!known || t.Until.Sub(now) < left) {
		left, known = t.Until.Sub(now), true
	}
	if !known {
		return "-"
	}
	if left <= 0 {
		return "over"
	}
	return age(now, now.Add(-left)) + " left"
}

func (s rollback) view(d *data, st *styles, at extent) string {
	got := peek(d.targets, s.query())
	if len(got.value) == 0 {
		return pager{}.view(st, folded(s.empty(d), at.w), at)
	}
	out := drawTable(st, rollbackColumns, s.rows(d), s.cursor(d), at)
	if len(s.list.visible(s.rows(d))) == 0 {
		out += "\n\n  nothing matches the filter; esc shows all"
	}
	return out
}

func (s rollback) empty(d *data) []line {
	got := peek(d.targets, s.query())
	switch {
	case got.err != nil:
		return append([]line{nil, say(bad, "  ✗ what prod can go back to could not be read"), nil}, problemLines(got.err)...)
	case !got.have:
		return []line{nil, say(plain, "  reading the ledger of %s … %s", s.of, stopwatchCoarse(d, got.since))}
	}
	return []line{
		nil, say(plain, "  there is nothing to roll back to: the ledger has no verified record of an earlier digest"),
		say(plain, "  (plimsoll adopt %s signs a record for what is in prod already)", s.of),
	}
}

package ui

import (
	"fmt"

	"plimsoll/gates"
	"plimsoll/release"
)

// services is all services at a glance.
type services struct{ list list }

func (s services) place() place    { return onServices }
func (s services) service() string { return "" }
func (s services) filter() filter  { return s.list.narrowed }

func (s services) withFilter(f filter) screen {
	s.list.narrowed = f
	return s
}

func (s services) pin(d *data) screen {
	s.list = s.list.pin(s.rows(d))
	return s
}

func (s services) heading(*data) string { return "services" }

func (s services) wants(d *data) []query {
	out := make([]query, 0, len(d.services))
	for _, v := range d.services {
		out = append(out, query{kind: askList, service: v.name})
	}
	return out
}

func (s services) subject(d *data) subject {
	return subject{service: s.list.selected(s.rows(d))}
}

func (s services) do(a action, d *data, at extent) (screen, intent) {
	switch a { //nolint:exhaustive // the root model handles what every screen has
	case actOpen:
		if name := s.subject(d).service; name != "" {
			return s, openService{name}
		}
	default:
		s.list = s.list.move(a, s.rows(d), at.h-1)
	}
	return s, nil
}

func (s services) status(d *data) line {
	name := s.subject(d).service
	if name == "" {
		return nil
	}
	l, svc := d.list(name), d.service(name)
	if l.err != nil {
		return say(bad, "%s: %s", name, l.err.first())
	}
	return say(plain, "%s → %s:%s", svc.staging, svc.prod, svc.channel)
}

var serviceColumns = []column{
	{title: "", width: 1},
	{title: "", width: 1, weight: 3},
	{title: "SERVICE", width: 14, flex: true},
	{title: "IN PROD", width: 14},
	{title: "DIGEST", width: 12},
	{title: "SINCE", width: 8, weight: 4, right: true},
	{title: "BY", width: 10, weight: 2},
	{title: "READY", width: 5, right: true},
	{title: "OF", width: 4, weight: 5, right: true},
	{title: "READ", width: 10, weight: 1, right: true},
}

func (s services) rows(d *data) []row {
	rows := make([]row, 0, len(d.services))
	for i, svc := range d.services {
		rows = append(rows, row{key: svc.name, words: []string{svc.staging, svc.prod}, cells: func() []span { return serviceCells(d, i, svc) }})
	}
	return rows
}

func serviceCells(d *data, i int, svc service) []span {
	l := d.list(svc.name)
	p := l.value.Prod
	dg, since, number, ready := "-", "-", " ", 0
	if p.Digest != nil {
		dg = short(*p.Digest)
	}
	if p.Since != nil {
		since = age(d.now, *p.Since)
	}
	if i < 9 {
		number = fmt.Sprint(i + 1)
	}
	for _, c := range l.value.Candidates {
		if c.Verdict == gates.Ready {
			ready++
		}
	}
	mark, tone := serviceMark(d, svc.name, ready)
	return []span{
		{mark, tone},
		{number, faint},
		{svc.name, plain},
		{prodName(d, svc.name), prod},
		{dg, plain},
		{since, plain},
		{orDash(p.Who()), plain},
		count(l, ready, tone), count(l, len(l.value.Candidates), plain),
		{readAge(d, l.status), plain},
	}
}

func count(l slot[release.ServiceView], n int, t tone) span {
	if !l.have || !l.whole && n == 0 {
		return span{"?", plain}
	}
	return span{fmt.Sprint(n), t}
}

// serviceMark is a service in one cell: whether something is wrong, ready, or neither.
func serviceMark(d *data, name string, ready int) (string, tone) {
	l := d.list(name)
	_, open := d.open(name)
	switch {
	case l.err != nil:
		return "✗", bad
	case open || len(l.value.Warnings) > 0:
		return "!", warn
	case !l.have:
		return "?", plain
	case ready > 0:
		return "✓", good
	}
	return "-", plain
}

func (s services) view(d *data, st *styles, at extent) string {
	if len(d.services) == 0 {
		return "\n  no service is configured; add one under services in plimsoll.yaml"
	}
	out := drawTable(st, serviceColumns, s.rows(d), s.list, at)
	if len(s.list.visible(s.rows(d))) == 0 {
		out += "\n\n  nothing matches the filter; esc shows all"
	}
	return out
}

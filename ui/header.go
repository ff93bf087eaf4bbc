package ui

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/opencontainers/go-digest"

	"plimsoll/release"
)

// What is pinned above every screen: whose prod it is, and what prod runs.

// titleLine is the program, the service, where it goes, and how old this is.
func titleLine(d *data, s screen, st *styles, w int) string {
	name := s.service()
	left := st.paint(strong, " plimsoll")
	if name != "" {
		left += "  " + st.paint(strong, name)
	} else {
		left += "  " + plural(len(d.services), "service")
	}
	if d.readOnly {
		left += "  " + st.paint(warn, "READ-ONLY")
	}
	right := "staging → " + st.paint(prod, "PROD")
	if q := s.wants(d); len(q) > 0 {
		right += "   " + freshness(d, d.state(q[0]), st)
	}
	return ends(left, right+" ", w)
}

// ends puts left and right at the ends of a line; left is cut where they meet.
func ends(left, right string, w int) string {
	room := w - width(right)
	if room < 12 {
		return ansi.Truncate(left, w, "…")
	}
	return fit(left, room-1) + " " + right
}

// freshness is how old an answer is, and what is being done about it.
func freshness(d *data, s status, st *styles) string {
	switch {
	case s.busy && s.have:
		return readAge(d, s) + ", refreshing"
	case s.busy:
		return "reading"
	case s.err != nil && s.have && s.whole:
		return st.paint(warn, readAge(d, s)+", may be old")
	case s.err != nil:
		return st.paint(bad, "unreadable")
	}
	return readAge(d, s)
}

// readAge is when an answer was read.
func readAge(d *data, s status) string {
	switch {
	case !s.have:
		return "not read"
	case !s.whole && s.err != nil:
		return "unreadable"
	case s.at.IsZero():
		return "stored"
	}
	return ago(d.now, s.at)
}

// stopwatchCoarse is how long ago since was, in whole seconds.
func stopwatchCoarse(d *data, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return stopwatch(d.now.Sub(since).Truncate(time.Second))
}

// prodName is what prod runs, by the name that people know.
func prodName(d *data, service string) string {
	l := d.list(service)
	p := l.value.Prod
	switch {
	case p.Digest == nil && l.have && l.whole:
		return "none"
	case p.Digest == nil:
		return "unknown"
	case p.Version != "":
		return p.Version
	}
	for _, t := range p.Tags {
		if !strings.HasPrefix(t, "release-") {
			return t
		}
	}
	if len(p.Tags) > 0 {
		return p.Tags[0]
	}
	return "untagged"
}

// prodLine is what the channel of a service points at, since when and by whom.
func prodLine(d *data, name string, st *styles, w int) string {
	if name == "" {
		return overviewLine(d, st, w)
	}
	l := d.list(name)
	p := l.value.Prod
	out := st.paint(prod, " in prod   "+prodName(d, name))
	switch {
	case p.Digest != nil:
		out += "  sha256:" + short(*p.Digest) + "   " + sinceText(d, p, st)
	case l.have && l.whole:
		out += "   nothing was promoted to " + d.service(name).prod + ":" + d.service(name).channel + " yet"
	default:
		out += "   it was not read yet"
	}
	return fit(out, w)
}

// sinceText is since when and by whom, or loudly that nobody answers for it.
func sinceText(d *data, p release.Prod, st *styles) string {
	switch {
	case p.Unrecorded != "":
		return st.paint(bad, "NO RECORD: pushed past the gate")
	case p.Record == nil:
		return st.paint(warn, "its record could not be read")
	}
	out := ""
	if len(p.Overrides) > 0 {
		out = st.paint(warn, overrideWords(p.Overrides)) + "  "
	}
	if p.Since != nil {
		out += "since " + strings.TrimSuffix(ago(d.now, *p.Since), " ago")
	}
	if p.By != "" {
		out += " by " + p.Who()
	}
	return out
}

func overviewLine(d *data, st *styles, w int) string {
	ready, unreadable := 0, 0
	for _, r := range d.services {
		l := d.list(r.name)
		if l.err != nil {
			unreadable++
		}
		for _, c := range l.value.Candidates {
			if c.Verdict == "ready" {
				ready++
				break
			}
		}
	}
	out := " " + plural(ready, "service") + " with a candidate that is ready"
	if unreadable > 0 {
		out += st.paint(bad, "  "+plural(unreadable, "service")+" unreadable")
	}
	return fit(out, w)
}

// rule is a line across the window with a word on it.
func rule(words string, st *styles, w int) string {
	if words == "" {
		return st.paint(faint, strings.Repeat("─", w))
	}
	words = ansi.Truncate(" "+words+" ", max(0, w-4), "…")
	return st.paint(faint, "──") + words + st.paint(faint, strings.Repeat("─", max(0, w-2-width(words))))
}

// topRule names the screen, and the filter where there is one.
func topRule(d *data, s screen, st *styles, w int) string {
	words := s.heading(d)
	f, ok := s.(filtering)
	if !ok || f.filter().input.text() == "" && !f.filter().editing {
		return rule(words, st, w)
	}
	typed := f.filter().input.view(st, f.filter().editing, max(10, w/3))
	return rule(st.paint(strong, "filter: ")+typed+"  "+words, st, w)
}

// shortOrNone is a digest that may be none, for people.
func shortOrNone(d *digest.Digest) string {
	if d == nil {
		return "none"
	}
	return short(*d)
}

// beside puts a pane to the right of a table, or below it.
func beside(table, pane string, at, paneAt rect, st *styles) string {
	if paneAt.y > at.y {
		lines := strings.Split(table, "\n")
		for len(lines) < at.h {
			lines = append(lines, "")
		}
		return strings.Join(lines[:at.h], "\n") + "\n" + rule("", st, at.w) + "\n" + pane
	}
	left, right := strings.Split(table, "\n"), strings.Split(pane, "\n")
	out := make([]string, at.h)
	for i := range out {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = fit(l, at.w) + st.paint(faint, "│") + r
	}
	return strings.Join(out, "\n")
}

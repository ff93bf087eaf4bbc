package ui

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/release/diff"
)

// diffScreen is what would change in prod. It keeps the prod digest that it was
// opened against, so that it cannot change under the eye.
type diffScreen struct {
	of    string
	from  *digest.Digest // nil: nothing is in prod
	to    digest.Digest
	pager pager
}

func (s diffScreen) place() place          { return onDiff }
func (s diffScreen) service() string       { return s.of }
func (s diffScreen) subject(*data) subject { return subject{service: s.of, digest: s.to} }

func (s diffScreen) query() query {
	q := query{kind: askDiff, service: s.of, digest: s.to, fromNone: s.from == nil}
	if s.from != nil {
		q.from = *s.from
	}
	return q
}

func (s diffScreen) wants(*data) []query {
	return []query{s.query(), {kind: askList, service: s.of}}
}

func (s diffScreen) heading(*data) string {
	if s.from == nil {
		return "diff nothing → " + short(s.to)
	}
	return "diff " + short(*s.from) + " → " + short(s.to)
}

func (s diffScreen) do(a action, d *data, at extent) (screen, intent) {
	s.pager = s.pager.move(a, len(folded(s.lines(d), at.w)), at.h)
	return s, nil
}

func (s diffScreen) status(d *data) line {
	if shown, known := d.shown(s.of); known && orNone(shown) != orNone(s.from) {
		return say(warn, "prod has moved to %s since this was opened; esc, then d compares again", shortOrNone(shown))
	}
	if c, ok := d.candidate(s.of, s.to); ok {
		return line{{verdictLine(c), stateTone(c)}}
	}
	return nil
}

func (s diffScreen) view(d *data, st *styles, at extent) string {
	return s.pager.view(st, folded(s.lines(d), at.w), at)
}

func (s diffScreen) lines(d *data) []line {
	got := peek(d.diffs, s.query())
	switch {
	case got.have:
		return diffLines(got.value)
	case got.err != nil:
		return append([]line{say(bad, "  ✗ the two images could not be compared"), nil}, problemLines(got.err)...)
	}
	return []line{nil, say(plain, "  comparing … %s", stopwatchCoarse(d, got.since))}
}

// sectionLimit is how many entries of one kind are shown; the whole is in the JSON.
const sectionLimit = 300

// section is a headline with entries, "none" without any.
func section(title string, entries []line) []line {
	if len(entries) == 0 {
		return []line{{{"  " + fit(title, 16), strong}, {"no change", faint}}}
	}
	if more := len(entries) - sectionLimit; more > 0 {
		entries = append(entries[:sectionLimit:sectionLimit], say(faint, "    and %d more; plimsoll diff -o json prints all", more))
	}
	return append([]line{{{"  " + title, strong}}}, entries...)
}

func diffLines(v diff.Diff) []line {
	lines := []line{
		digestLine("from", orNone(v.From)), digestLine("to", string(v.To)),
		field("size", fmt.Sprintf("%s → %s  (%s)", size(v.Size.From), size(v.Size.To), signed(v.Size.To-v.Size.From))),
		field("base image", baseLine(v.BaseImage)),
	}
	if v.Revision.From != v.Revision.To {
		lines = append(lines, field("revision", orDash(v.Revision.From)+" → "+orDash(v.Revision.To)))
	}
	if v.CompareURL != "" {
		lines = append(lines, field("compare", v.CompareURL))
	}
	lines = append(lines, nil)
	lines = append(lines, section("vulnerabilities", findingLines(v.Vulnerabilities))...)
	lines = append(lines, section("configuration", changeLines(v.Config))...)
	lines = append(lines, section("platforms", addedRemoved(v.Platforms.Added, v.Platforms.Removed, nil))...)
	lines = append(lines, section("layers", layerLines(v.Layers))...)
	return append(lines, insideLines(v)...)
}

// insideLines are packages and files, if they were compared: that nothing was
// looked at must not read as no change.
func insideLines(v diff.Diff) []line {
	var lines []line
	if p := packageLines(v.Packages); len(p) > 0 {
		lines = append(lines, section("packages", p)...)
	}
	if f := addedRemoved(v.Files.Added, v.Files.Removed, v.Files.Modified); len(f) > 0 {
		lines = append(lines, section("files", f)...)
	}
	return lines
}

// packageLines say first what keeps the comparison from being whole.
func packageLines(v diff.Packages) []line {
	var lines []line
	for _, doubt := range []string{v.Problem, v.Partial} {
		if doubt != "" {
			lines = append(lines, say(faint, "    ? %s", doubt))
		}
	}
	return append(lines, addedRemoved(v.Added, v.Removed, v.Changed)...)
}

func signed(n int64) string {
	if n < 0 {
		return size(n)
	}
	return "+" + size(n)
}

func baseLine(b diff.BaseImage) string {
	pinned := "nothing says whether it is pinned"
	if b.Pinned != nil {
		pinned = "not pinned by digest"
		if *b.Pinned {
			pinned = "pinned by digest"
		}
	}
	switch {
	case b.From == "" && b.To == "":
		return "unknown: no signed provenance"
	case b.From == b.To:
		return "unchanged, " + b.To + claimed(b.ToClaimed) + " (" + pinned + ")"
	}
	return orDash(b.From) + claimed(b.FromClaimed) + " → " + orDash(b.To) + claimed(b.ToClaimed) + " (" + pinned + ")"
}

// claimed marks what labels say and nobody signed.
func claimed(yes bool) string {
	if yes {
		return " (claimed by labels)"
	}
	return ""
}

func findingLines(v diff.Vulnerabilities) []line {
	var lines []line
	if v.Problem != "" {
		lines = append(lines, say(warn, "    ? %s", v.Problem))
	}
	if v.Partial != "" {
		lines = append(lines, say(warn, "    ? %s", v.Partial))
	}
	add := func(mark string, t tone, f diff.Finding) {
		fixed := "no fix"
		if f.Fixed != "" {
			fixed = "fixed in " + f.Fixed
		}
		lines = append(lines, line{{"    " + mark + " " + fit(f.Severity, 9), t}, {fmt.Sprintf("%s  %s %s (%s) %s", f.ID, f.Package, f.Version, fixed, f.Title), plain}})
	}
	for _, f := range v.Introduced {
		add("+", bad, f)
	}
	for _, f := range v.Fixed {
		add("-", good, f)
	}
	return lines
}

// changeTones are the tones of the marks of a diff.Remark.
var changeTones = map[string]tone{"+": good, "-": bad, "~": warn}

func changeLines(changes []diff.Change) []line {
	remarks := diff.Remarks(changes)
	lines := make([]line, 0, len(remarks))
	for _, r := range remarks {
		on := ""
		if len(r.Platforms) > 0 {
			on = "  [" + strings.Join(r.Platforms, ", ") + "]"
		}
		lines = append(lines, line{{"    " + r.Mark + " ", changeTones[r.Mark]}, {r.Text, plain}, {on, faint}})
	}
	return lines
}

func layerLines(v diff.Layers) []line {
	if len(v.Added) == 0 && len(v.Removed) == 0 {
		return nil
	}
	lines := []line{say(plain, "    %d shared (%s), %d added (%s), %d removed (%s)",
		v.Shared, size(v.SharedBytes), len(v.Added), size(v.AddedBytes), len(v.Removed), size(v.RemovedBytes))}
	add := func(mark string, t tone, l diff.Layer) {
		lines = append(lines, line{{"    " + mark + " ", t}, {fmt.Sprintf("%s %8s  %s", short(l.Digest), size(l.Bytes), strings.TrimSpace(l.CreatedBy)), plain}})
	}
	for _, l := range v.Added {
		add("+", good, l)
	}
	for _, l := range v.Removed {
		add("-", bad, l)
	}
	return lines
}

func addedRemoved(added, removed, changed []string) []line {
	lines := make([]line, 0, len(added)+len(removed)+len(changed))
	for _, v := range changed {
		lines = append(lines, line{{"    ~ ", warn}, {v, plain}})
	}
	for _, v := range added {
		lines = append(lines, line{{"    + ", good}, {v, plain}})
	}
	for _, v := range removed {
		lines = append(lines, line{{"    - ", bad}, {v, plain}})
	}
	return lines
}

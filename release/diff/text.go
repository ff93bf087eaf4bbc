package diff

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"
)

// Text is the difference as a page for a terminal or a log: no colour, no
// escape sequence, lines of any length.
func Text(d Diff) string {
	var p page
	from := "none"
	if d.From != nil {
		from = short(*d.From)
	}
	p.line("%s → %s", from, short(d.To))
	if d.Empty() {
		p.line("nothing changes")
	}
	p.size(d)
	p.base(d.BaseImage)
	p.list("platforms", d.Platforms.Added, d.Platforms.Removed)
	p.config(d.Config)
	p.layers(d.Layers)
	p.vulnerabilities(d.Vulnerabilities)
	p.packages(d.Packages)
	if d.CompareURL != "" {
		p.line("commits  %s", d.CompareURL)
	}
	return p.String()
}

// page collects lines.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...) // a strings.Builder takes everything
}

func (p *page) size(d Diff) {
	p.line("size     %s → %s, to copy %s in %d %s", Bytes(d.Size.From), Bytes(d.Size.To), Bytes(d.Layers.AddedBytes),
		len(d.Layers.Added), plural(len(d.Layers.Added), "layer", "layers"))
}

func (p *page) base(b BaseImage) {
	switch {
	case b.From == "" && b.To == "":
		return
	case b.From == b.To:
		p.line("base     %s, unchanged%s%s", b.To, claim(b.ToClaimed), pinned(b))
	default:
		p.line("base     %s%s → %s%s%s", cmp.Or(b.From, "unknown"), claim(b.FromClaimed), cmp.Or(b.To, "unknown"), claim(b.ToClaimed), pinned(b))
	}
}

// claim marks what nobody signed.
func claim(claimed bool) string {
	if claimed {
		return " (claimed by labels)"
	}
	return ""
}

func pinned(b BaseImage) string {
	switch {
	case b.Pinned == nil:
		return ""
	case *b.Pinned:
		return " (pinned)"
	}
	return " (not pinned)"
}

func (p *page) list(title string, added, removed []string) {
	if len(added)+len(removed) == 0 {
		return
	}
	p.line("\n%s", title)
	for _, s := range added {
		p.line("  + %s", s)
	}
	for _, s := range removed {
		p.line("  - %s", s)
	}
}

// config writes the changes, each with its platforms.
func (p *page) config(changes []Change) {
	if len(changes) == 0 {
		return
	}
	p.line("\nconfiguration")
	for _, r := range Remarks(changes) {
		p.line("  %s %s  [%s]", r.Mark, r.Text, strings.Join(r.Platforms, ", "))
	}
}

func (p *page) layers(l Layers) {
	p.line("\nlayers   %d shared (%s), %d added (%s), %d removed (%s)", l.Shared, Bytes(l.SharedBytes),
		len(l.Added), Bytes(l.AddedBytes), len(l.Removed), Bytes(l.RemovedBytes))
	for _, a := range l.Added {
		p.line("  + %s  %9s  %s", short(a.Digest), Bytes(a.Bytes), a.CreatedBy)
	}
	for _, r := range l.Removed {
		p.line("  - %s  %9s  %s", short(r.Digest), Bytes(r.Bytes), r.CreatedBy)
	}
}

func (p *page) vulnerabilities(v Vulnerabilities) {
	if v.Problem != "" {
		p.line("\nvulnerabilities not compared: %s", v.Problem)
		return
	}
	p.line("\nvulnerabilities  %d introduced, %d fixed", len(v.Introduced), len(v.Fixed))
	if v.Partial != "" {
		p.line("  ? %s", v.Partial)
	}
	for _, f := range v.Introduced {
		p.line("  + %s", finding(f))
	}
	for _, f := range v.Fixed {
		p.line("  - %s", finding(f))
	}
}

func (p *page) packages(v Packages) {
	if v.Problem != "" {
		p.line("\npackages not compared: %s", v.Problem)
		return
	}
	p.line("\npackages  %d added, %d removed, %d changed", len(v.Added), len(v.Removed), len(v.Changed))
	if v.Partial != "" {
		p.line("  ? %s", v.Partial)
	}
	for _, group := range []struct {
		mark string
		list []string
	}{{"+", v.Added}, {"-", v.Removed}, {"~", v.Changed}} {
		for _, name := range group.list {
			p.line("  %s %s", group.mark, name)
		}
	}
}

func finding(f Finding) string {
	s := fmt.Sprintf("%-10s %s  %s %s", f.Severity, f.ID, f.Package, f.Version)
	if f.Fixed != "" {
		s += " (fixed in " + f.Fixed + ")"
	}
	return s
}

// short is a digest as people compare it: 12 hexadecimal digits.
func short(d digest.Digest) string {
	hex := d.Encoded()
	return d.Algorithm().String() + ":" + hex[:min(12, len(hex))]
}

// Bytes is a size for people, in decimal units.
func Bytes(n int64) string { return humanize.Bytes(uint64(max(n, 0))) } // #nosec G115 -- never negative

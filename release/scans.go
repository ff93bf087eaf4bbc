package release

import (
	"slices"
	"strings"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
	"plimsoll/release/diff"
)

// examine fills in what the signed evidence says of an image, by the rules of
// the gates: the vulnerabilities of its newest scans, its base images and packages. It
// decides nothing.
func (d *Desk) examine(p place, image *diff.Image, items []evidence.Item) {
	in := gates.Input{Now: d.Now(), Service: p.Name, Candidate: image.Digest, Platforms: outlineOf(*image).Children, Evidence: items}
	image.Findings = findings(gates.ScanOf(p.policy, in))
	image.Provenance = baseOf(gates.BaseImages(p.policy, in))
	image.Contents = contents(gates.PackagesOf(p.policy, in))
}

func contents(known gates.Packages) *diff.Contents {
	out := &diff.Contents{Missing: known.Missing, Problem: known.Problem}
	for _, p := range known.List {
		out.List = append(out.List, diff.Package(p))
	}
	return out
}

func findings(known gates.Findings) *diff.Findings {
	out := &diff.Findings{Missing: known.Missing, Problem: known.Problem}
	for _, f := range known.List {
		out.List = append(out.List, diff.Finding{
			ID: f.ID, Package: f.Package, Version: f.Version, Fixed: f.Fixed,
			Severity: report.SeverityWord(f.Severity), Title: f.Title, URL: f.URL, Level: f.Severity,
		})
	}
	return out
}

// baseOf names the images that a build took in; nil if no provenance that
// counts says. Provenance does not mark which of them is the base of the last
// stage, so all are named.
func baseOf(known gates.Bases) *diff.Base {
	if len(known.Platforms) == 0 {
		return nil
	}
	names := make([]string, 0, len(known.Images))
	for _, b := range known.Images {
		names = append(names, b.String())
	}
	out := &diff.Base{Name: strings.Join(slices.Compact(names), ", ")}
	if out.Name == "" && len(known.Missing) == 0 {
		out.Name = "scratch"
	}
	pinned := !slices.ContainsFunc(known.Images, func(b gates.Base) bool { return !b.Pinned })
	if !pinned || len(known.Missing) == 0 {
		out.Pinned = &pinned
	}
	return out
}

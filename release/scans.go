package release

import (
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
	"plimsoll/release/diff"
)

// examine fills in what the signed evidence says of an image: the
// vulnerabilities of its newest scans, and its base images. It decides
// nothing: that is for the gates, which read the same evidence.
func (d *Desk) examine(p place, image *diff.Image, items []evidence.Item) {
	about := outlineOf(*image).digests(image.Digest)
	if g := p.Gates.Scan; g != nil {
		image.Findings = findings(d.trusted(items, g.Signers, about, evidence.Vuln))
	}
	if g := p.Gates.BaseImage; g != nil {
		image.Provenance = baseOf(d.trusted(items, g.Signers, about, evidence.SLSA1, evidence.SLSA02))
	}
}

// trusted are the statements of some types about one of the digests that a
// group signed.
func (d *Desk) trusted(items []evidence.Item, signers []string, about []digest.Digest, types ...string) []evidence.Verified {
	var out []evidence.Verified
	for _, item := range items {
		for _, name := range signers {
			v, err := evidence.Verify(item, d.group(name), d.Now())
			if err == nil && slices.Contains(types, v.Statement.PredicateType) && slices.ContainsFunc(about, v.About) {
				out = append(out, v)
				break
			}
		}
	}
	return out
}

func (d *Desk) group(name string) config.Group { return d.Config.Trust[name] }

// scanned is one scan with what it looked at: an index is covered by one scan
// for each of its platforms.
type scanned struct {
	report.Scan
	what string
}

// findings are those of the newest scan of each platform together; nil
// without a scan.
func findings(statements []evidence.Verified) *diff.Findings {
	newest := map[string]scanned{}
	for _, v := range statements {
		s, err := report.ReadScan(v.Statement.Predicate)
		if err != nil {
			continue // the scan gate says so
		}
		one := scanned{s, string(v.Subject) + " " + s.Platform}
		if old, ok := newest[one.what]; !ok || s.Finished.After(old.Finished) {
			newest[one.what] = one
		}
	}
	if len(newest) == 0 {
		return nil
	}
	out := &diff.Findings{}
	for _, s := range newest {
		for _, f := range s.Findings {
			out.List = append(out.List, diff.Finding{
				ID: f.ID, Package: f.Package, Version: f.Version, Fixed: f.Fixed,
				Severity: report.SeverityWord(f.Severity), Title: f.Title, URL: f.URL, Level: f.Severity,
			})
		}
	}
	return out
}

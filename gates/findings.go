package gates

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// Findings is what the newest verified scans say about an image.
type Findings struct {
	List      []report.Finding // worst first; each vulnerability of a package once
	Platforms []string         // that the scans cover
	Missing   []string         // platforms without a scan
	Finished  time.Time        // of the oldest of the scans; zero if one does not say
	Evidence  []digest.Digest  // manifests
	Problem   string           // why there is nothing to compare, "" if there is
}

// ScanOf is what the newest verified scan of each platform says about the
// image of in, whatever its age and its severities. It reads statements of the
// scan gate's signers; without that gate, of any group in trust.
func ScanOf(p Policy, in Input) Findings {
	e := newEvaluation(p, in)
	signers := allGroups(p)
	if g := p.Service.Gates.Scan; g != nil {
		if len(g.Signers) == 0 {
			return Findings{Problem: "the scan gate reads sources outside the registry only, and there is no signed scan to compare"}
		}
		signers = g.Signers
	}
	f, problem := e.ask(signers, func(t string) bool { return t == evidence.Vuln }, e.reader.subjects)
	if problem != nil {
		return Findings{Problem: problem.Reasons[0]}
	}
	return e.findingsOf(e.readScans(&f), f)
}

// findingsOf puts the newest scans of all platforms together.
func (e *evaluation) findingsOf(scans []scanned, f found) Findings {
	var out Findings
	platforms, absent := wanted(e.policy, e.in)
	for _, p := range platforms {
		var best *scanned
		for i, s := range scans {
			if covers(s.Statement, e.in, p, s.scan.Digests, namesOf(s.scan)) && (best == nil || s.at.After(best.at)) {
				best = &scans[i]
			}
		}
		if best == nil {
			out.Missing = append(out.Missing, platformName(p))
			continue
		}
		out.add(p, *best)
	}
	out.Missing = append(out.Missing, absent...)
	if len(out.Platforms) == 0 {
		out.Problem = "there is no verified scan of it"
		if len(f.broken) > 0 {
			out.Problem = f.broken[0]
		}
	}
	slices.SortStableFunc(out.List, report.Worse)
	return out
}

// add takes the findings of one platform that others did not have.
func (f *Findings) add(p Platform, s scanned) {
	if len(f.Platforms) == 0 || s.at.Before(f.Finished) {
		f.Finished = s.at
	}
	f.Platforms = append(f.Platforms, platformName(p))
	if !slices.Contains(f.Evidence, s.Manifest) {
		f.Evidence = append(f.Evidence, s.Manifest)
	}
	seen := make(map[[3]string]bool, len(f.List))
	for _, had := range f.List {
		seen[[3]string{had.ID, had.Package, had.Version}] = true
	}
	for _, finding := range s.scan.Findings {
		key := [3]string{finding.ID, finding.Package, finding.Version}
		if !seen[key] {
			f.List = append(f.List, finding)
		}
		seen[key] = true
	}
}

// namesOf is the platform that a report names, if it does.
func namesOf(s report.Scan) []string {
	if s.Platform == "" {
		return nil
	}
	return []string{s.Platform}
}

// Bases is the images that an image was built from.
type Bases struct {
	Images    []Base   // sorted, each once; empty for an image from scratch
	Platforms []string // that provenance covers
	Missing   []string // platforms without provenance
}

// BaseImages is what the newest verified provenance of each platform says the
// image of in was built from. It reads provenance that counts for the base-image
// gate; without that gate, of any group in trust.
func BaseImages(p Policy, in Input) Bases {
	e := newEvaluation(p, in)
	signers := allGroups(p)
	if g := p.Service.Gates.BaseImage; g != nil {
		signers = g.Signers
	}
	builds, _, problem := e.builds(signers)
	platforms, absent := wanted(p, e.in)
	out := Bases{Missing: absent}
	if problem != nil {
		return out
	}
	for _, platform := range platforms {
		var best *built
		for i, b := range builds {
			if slices.Contains(b.platforms, platform) && (best == nil || b.at.After(best.at)) {
				best = &builds[i]
			}
		}
		if best == nil {
			out.Missing = append(out.Missing, platformName(platform))
			continue
		}
		out.Platforms = append(out.Platforms, platformName(platform))
		for _, b := range best.bases {
			b.Platform = "" // the same image for several platforms is named once
			if !slices.Contains(out.Images, b) {
				out.Images = append(out.Images, b)
			}
		}
	}
	slices.SortFunc(out.Images, compareBases)
	return out
}

// allGroups is the names of every group in trust.
func allGroups(p Policy) []string {
	names := make([]string, 0, len(p.Trust))
	for _, g := range Groups(p) {
		names = append(names, g.Name)
	}
	return names
}

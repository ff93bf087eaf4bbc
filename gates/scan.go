package gates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// scanned is one verified scan report.
type scanned struct {
	proof
	scan report.Scan
}

// by separates platform and scanner in the key of a scan's ruling.
const by = " by "

// scan: for every platform, the newest report of each scanner is fresh and
// names nothing above max-severity that neither OpenVEX nor an allow entry
// covers. A source that scans is judged by the same rule as a signed report.
func (e *evaluation) scan() Check {
	gate := e.policy.Service.Gates.Scan
	f, problem := e.askEither(gate.Signers, gate.Sources, func(t string) bool { return t == evidence.Vuln }, e.reader.subjects)
	if problem != nil {
		return *problem
	}
	x, problem := e.exceptions(&f)
	if problem != nil {
		return *problem
	}
	h := e.hear(gate.Sources)
	f.broken = append(f.broken, h.broken...)
	rulings := gone(Scan, e.in)
	x.disappeared(rulings)
	rulings = slices.DeleteFunc(rulings, func(r ruling) bool { return strings.HasPrefix(r.key, vexKey) })
	for _, s := range e.readScans(&f) {
		for _, p := range e.coveredBy(s) {
			rulings = append(rulings, e.judgeScan(s, p, x))
		}
	}
	running := e.scanAnswers(&h, &rulings, x)
	e.remember(Scan, rulings)
	e.negatives = append(e.negatives, x.used...)
	decided, missing := e.decidePlatforms(underway(newest(rulings), running), platformOfScan, "scan")
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = scanSummary(c.Status, decided, missing, x)
	}
	if c.Status == Fail {
		c.Reasons = append(c.Reasons, atMost(x.rejected)...) // excuses that are none
	}
	if lacking(decided) {
		c.Reasons = append(append(c.Reasons, h.notes...), e.produceScan())
	}
	return c
}

// produceScan says how to get a scan, for a developer.
func (e *evaluation) produceScan() string {
	gate := e.policy.Service.Gates.Scan
	if len(gate.Signers) == 0 {
		return fmt.Sprintf("have %s scan %s, every platform of it", list(sorted(gate.Sources), "or"), short(e.in.Candidate))
	}
	return fmt.Sprintf("ask %s to scan it again and attest the report: plimsoll attest scan %s@DIGEST --result FILE, "+
		"for the index (%s) if the report names its platform, or for each platform's digest", list(gate.Signers, "or"), e.policy.Service.Staging, short(e.in.Candidate))
}

// exceptions reads the OpenVEX documents of the groups whose word counts: those
// of vex, else the signers of scans.
func (e *evaluation) exceptions(f *found) (*exceptions, *Check) {
	gate := e.policy.Service.Gates.Scan
	x := &exceptions{now: e.in.Now}
	signers := gate.VEX
	if len(signers) == 0 {
		signers = gate.Signers
	}
	if len(signers) == 0 {
		return x, nil // sources scan, and nobody may excuse
	}
	said, problem := e.ask(signers, func(t string) bool { return strings.HasPrefix(t, evidence.OpenVEX) }, e.reader.subjects)
	if problem != nil {
		return nil, problem
	}
	for _, p := range said.proofs {
		if err := x.add(p); err != nil {
			said.broken = append(said.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
		}
	}
	for _, why := range said.broken {
		if !slices.Contains(f.broken, why) {
			f.broken = append(f.broken, why)
		}
	}
	x.rejected = said.rejected
	return x, nil
}

// platformOfScan takes the platform out of a key.
func platformOfScan(key string) string {
	platform, _, _ := strings.Cut(key, by)
	return platform
}

// readScans reads the reports among the proofs. A report that is about another
// image than the statement around it does not count.
func (e *evaluation) readScans(f *found) []scanned {
	var scans []scanned
	for _, p := range f.proofs {
		s, err := reports.read(p.Statement.Predicate)
		if err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
			continue
		}
		if about := s.Digests; len(about) > 0 && !slices.ContainsFunc(about, e.isSubject) {
			f.reject(p.Item, fmt.Sprintf("%v: signed by %s, but the report inside is about %s", evidence.ErrWrongSubject, p.Group, about[0]))
			continue
		}
		scans = append(scans, scanned{p, s})
	}
	return scans
}

// isSubject tells whether d is the candidate or one of its platforms.
func (e *evaluation) isSubject(d digest.Digest) bool { return slices.Contains(e.reader.subjects, d) }

// coveredBy is the platforms that a report covers.
func (e *evaluation) coveredBy(s scanned) []Platform {
	platforms, _ := wanted(e.policy, e.in)
	return slices.DeleteFunc(slices.Clone(platforms), func(p Platform) bool {
		return !covers(s.Statement, e.in, p, s.scan.Digests, namesOf(s.scan))
	})
}

// judgeScan is what one signed report says about one platform.
func (e *evaluation) judgeScan(s scanned, p Platform, x *exceptions) ruling {
	platform := platformName(p)
	who := fmt.Sprintf("%s: %s by %s, signed by %s%s", platform, report.Count(s.scan.Findings), scannerName(s.scan), s.Group, onDate(s.proof))
	r := ruling{key: platform + by + signedName(s.scan.Scanner), at: s.at, evidence: s.Manifest, id: s.id(), findings: s.scan.Findings}
	return e.judgeFindings(r, p, who, s.at, x)
}

// judgeFindings says of the findings in a ruling whether they may pass; who
// says where they come from, and at when the scanner finished.
func (e *evaluation) judgeFindings(r ruling, p Platform, who string, at time.Time, x *exceptions) ruling {
	gate := e.policy.Service.Gates.Scan
	fixable, open, excused := e.sift(r.findings, p, x)
	why, old := stale(at, gate.MaxAge, e.in.Now)
	switch {
	case len(fixable)+len(open) > 0:
		r.bad, r.status = true, Fail
		r.reasons = append([]string{fmt.Sprintf("%s; %d above %s", who, len(fixable)+len(open), report.SeverityWord(gate.MaxSeverity))}, atMost(append(fixable, open...))...)
		r.reasons = append(r.reasons, e.remedy(len(fixable), len(open)))
	case old:
		r.status, r.reasons = Stale, []string{who + ", but " + why}
	default:
		r.status, r.reasons = Pass, append([]string{who}, atMost(excused)...)
	}
	return r
}

// remedy says what a developer can do about findings.
func (e *evaluation) remedy(fixable, open int) string {
	vex := e.policy.Service.Gates.Scan.VEX
	if len(vex) == 0 {
		vex = e.policy.Service.Gates.Scan.Signers
	}
	var ways []string
	if fixable > 0 {
		ways = append(ways, fmt.Sprintf("update what has a fix (%d) and build again", fixable))
	}
	if open > 0 && len(vex) > 0 {
		ways = append(ways, fmt.Sprintf("where the image is not affected, ask %s for a signed OpenVEX statement (not_affected, with a justification)", list(vex, "or")))
	}
	if open > 0 {
		ways = append(ways, "or ask whoever owns the policy for an allow entry with reason and end")
	}
	return strings.Join(ways, "; ")
}

// sift says of the findings above the limit which keep the candidate back, those
// with a fix apart, and which are excused. Each package's vulnerability counts once.
func (e *evaluation) sift(findings []report.Finding, p Platform, x *exceptions) (fixable, open, excused []string) {
	seen := map[[4]string]bool{}
	for _, f := range findings {
		key := [4]string{f.ID, f.Package, f.Version, f.PURL}
		if f.Severity <= e.policy.Service.Gates.Scan.MaxSeverity || seen[key] {
			continue
		}
		seen[key] = true
		why, ok := e.excuse(f, p, x)
		line := finding(f, platformName(p))
		if why != "" {
			line += "; " + why
		}
		switch {
		case ok:
			excused = append(excused, why)
		case f.Fixed != "":
			fixable = append(fixable, line)
		default:
			open = append(open, line)
		}
	}
	return fixable, open, excused
}

// finding is one vulnerability in one line.
func finding(f report.Finding, platform string) string {
	line := fmt.Sprintf("%s %s in %s %s (%s)", report.SeverityWord(f.Severity), f.ID, f.Package, f.Version, platform)
	if f.Fixed != "" {
		line += ", fixed in " + f.Fixed
	} else {
		line += ", no fix yet"
	}
	if f.Title != "" {
		line += ": " + f.Title
	}
	if f.URL != "" {
		line += " " + f.URL
	}
	return line
}

// scannerName names a scanner with its version.
func scannerName(s report.Scan) string {
	return strings.TrimSpace(s.Scanner + " " + s.Version)
}

// excuse tells whether a finding may pass all the same, and why; or, if an
// exception no longer covers it, why not.
func (e *evaluation) excuse(f report.Finding, p Platform, x *exceptions) (string, bool) {
	over, ok := x.covers(f, p, e.in)
	if ok {
		return over, true
	}
	for _, a := range e.policy.Service.Gates.Scan.Allow {
		if !f.Named(a.ID) {
			continue
		}
		if a.Until.IsZero() || !e.in.Now.Before(a.Until) {
			over = fmt.Sprintf("it was allowed until %s (%s)", moment(a.Until), a.Reason)
			continue
		}
		return fmt.Sprintf("%s in %s is allowed until %s: %s", f.ID, f.Package, moment(a.Until), a.Reason), true
	}
	return over, false
}

// scanSummary is the gate in one line: findings by severity, without those that OpenVEX excuses.
func scanSummary(status Status, decided []ruling, missing []string, x *exceptions) string {
	if s := unprovenSummary(status, decided, missing); s != "" {
		return s
	}
	var all []report.Finding
	seen := map[digest.Digest]bool{}
	for _, r := range decided {
		if !seen[r.id] {
			all = append(all, x.rest(r.findings)...)
		}
		seen[r.id] = true
	}
	return report.Count(all).String()
}

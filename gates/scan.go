package gates

import (
	"fmt"
	"slices"
	"strings"

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
// names nothing above max-severity that neither OpenVEX nor an allow entry covers.
func (e *evaluation) scan() Check {
	gate := e.policy.Service.Gates.Scan
	f, problem := e.ask(gate.Signers, isScanOrVEX, e.reader.subjects)
	if problem != nil {
		return *problem
	}
	scans, exceptions := e.readScans(&f)
	rulings := gone(Scan, e.in)
	exceptions.disappeared(rulings)
	for _, s := range scans {
		for _, p := range e.coveredBy(s) {
			rulings = append(rulings, e.judgeScan(s, p, exceptions))
		}
	}
	rulings = slices.DeleteFunc(rulings, func(r ruling) bool { return strings.HasPrefix(r.key, vexKey) })
	e.remember(Scan, rulings)
	e.negatives = append(e.negatives, exceptions.used...)
	decided, missing := e.decidePlatforms(rulings, platformOfScan, "scan")
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = scanSummary(c.Status, decided, missing, scans, exceptions)
	}
	if c.Status == Missing {
		c.Reasons = append(c.Reasons, "produce it with: plimsoll attest scan REPOSITORY@DIGEST --result FILE, for the index if the report names its platform, or for each platform's digest")
	}
	return c
}

// isScanOrVEX tells whether the scan gate reads a predicate type.
func isScanOrVEX(t string) bool { return t == evidence.Vuln || strings.HasPrefix(t, evidence.OpenVEX) }

// platformOfScan takes the platform out of a key.
func platformOfScan(key string) string {
	platform, _, _ := strings.Cut(key, by)
	return platform
}

// readScans reads the reports and the exceptions among the proofs. A report
// that is about another image than the statement around it does not count.
func (e *evaluation) readScans(f *found) ([]scanned, *exceptions) {
	var scans []scanned
	x := &exceptions{now: e.in.Now}
	for _, p := range f.proofs {
		if p.Statement.PredicateType != evidence.Vuln {
			if err := x.add(p); err != nil {
				f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
			}
			continue
		}
		s, err := report.ReadScan(p.Statement.Predicate)
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
	return scans, x
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

// judgeScan is what one report says about one platform.
func (e *evaluation) judgeScan(s scanned, p Platform, x *exceptions) ruling {
	gate := e.policy.Service.Gates.Scan
	platform := platformName(p)
	r := ruling{key: platform + by + s.scan.Scanner, at: s.at, status: Pass, evidence: s.Manifest, id: s.id()}
	fixable, open, excused := e.sift(s, p, x)
	who := fmt.Sprintf("%s: %s by %s, signed by %s%s", platform, report.Count(s.scan.Findings), scannerName(s.scan), s.Group, onDate(s.proof))
	why, old := stale(s.at, gate.MaxAge, e.in.Now)
	switch {
	case len(fixable)+len(open) > 0:
		r.bad, r.status = true, Fail
		r.reasons = append([]string{fmt.Sprintf("%s; %d above %s", who, len(fixable)+len(open), report.SeverityWord(gate.MaxSeverity))}, atMost(append(fixable, open...))...)
	case old:
		r.status, r.reasons = Stale, []string{who + ", but " + why}
	default:
		r.reasons = append([]string{who}, atMost(excused)...)
	}
	return r
}

// sift says of the findings above the limit which keep the candidate back, those
// with a fix apart, and which are excused. Each package's vulnerability counts once.
func (e *evaluation) sift(s scanned, p Platform, x *exceptions) (fixable, open, excused []string) {
	seen := map[[4]string]bool{}
	for _, f := range s.scan.Findings {
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
func scanSummary(status Status, decided []ruling, missing []string, scans []scanned, x *exceptions) string {
	if s := unprovenSummary(status, decided, missing); s != "" {
		return s
	}
	var all []report.Finding
	for _, r := range decided {
		for _, s := range scans {
			if s.id() == r.id {
				all = append(all, x.rest(s.scan.Findings)...)
			}
		}
	}
	return report.Count(all).String()
}

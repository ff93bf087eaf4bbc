package gates

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/report"
)

// scanAnswers adds the rulings of what sources say about the platforms of the
// candidate, and returns what is running. An answer counts for the platform
// that its key or the digest it was asked about names; one that names none
// covers a candidate of one platform only.
func (e *evaluation) scanAnswers(h *heard, rulings *[]ruling, x *exceptions) (running []ruling) {
	for _, a := range h.answers {
		platforms := e.scannedBy(a)
		switch {
		case !a.Scanner && a.State == Passed:
			h.notes = append(h.notes, fmt.Sprintf("source %s says passed, but not what it found, so it is no scan%s", a.Source, e.link(a)))
			continue
		case len(platforms) == 0:
			h.notes = append(h.notes, fmt.Sprintf("source %s does not say which platform it scanned, and the candidate has several%s", a.Source, e.link(a)))
		}
		if a.State == Failed || a.State == Running {
			platforms, _ = wanted(e.policy, e.in) // it concerns them all, unless it says which
			if own := e.scannedBy(a); len(own) > 0 {
				platforms = own
			}
		}
		for _, p := range platforms {
			if a.State == Running {
				running = append(running, e.scanRunning(a, p))
				continue
			}
			*rulings = append(*rulings, e.judgeScanAnswer(a, p, x))
		}
	}
	return running
}

// scannedBy is the platforms that an answer covers.
func (e *evaluation) scannedBy(a Answer) []Platform {
	platforms, _ := wanted(e.policy, e.in)
	for _, name := range []string{a.Key, a.About} {
		i := PlatformNamed(e.in.Platforms, name)
		for j, p := range e.in.Platforms {
			if name != "" && p.Digest.String() == name && name != e.in.Candidate.String() {
				i = j
			}
		}
		if i >= 0 {
			return keep(platforms, e.in.Platforms[i])
		}
	}
	if len(e.in.Platforms) <= 1 && !strings.Contains(a.Key, "/") && digest.Digest(a.Key).Validate() != nil {
		return platforms // its key is no platform
	}
	return nil
}

// countOf is what a source found, or its word for it.
func countOf(a Answer) string {
	if a.Scanner {
		return report.Count(a.Findings).String()
	}
	return string(a.State)
}

// keep is p if it is among platforms.
func keep(platforms []Platform, p Platform) []Platform {
	for _, other := range platforms {
		if other == p {
			return []Platform{p}
		}
	}
	return nil
}

// scanKey is the key of what a source says about a platform.
func scanKey(p Platform, source string) string { return platformName(p) + by + ofSource + source }

// scanRunning is a scan that is not finished.
func (e *evaluation) scanRunning(a Answer, p Platform) ruling {
	return ruling{key: scanKey(p, a.Source), status: Waiting, reasons: []string{
		fmt.Sprintf("%s: source %s says that its scan is running%s", platformName(p), a.Source, e.link(a)),
	}}
}

// judgeScanAnswer is what one answer says about one platform, by the rule for signed reports.
func (e *evaluation) judgeScanAnswer(a Answer, p Platform, x *exceptions) ruling {
	r := ruling{key: scanKey(p, a.Source), at: a.at(), id: a.id(), findings: a.Findings}
	who := fmt.Sprintf("%s: %s by source %s%s", platformName(p), countOf(a), a.Source, a.finished())
	r = e.judgeFindings(r, p, who, a.Finished, x)
	if a.State == Failed && !r.bad {
		r.bad, r.status = true, Fail
		r.reasons = append([]string{fmt.Sprintf("%s: source %s says failed%s", platformName(p), a.Source, a.finished())}, failedTests(a.Failures)...)
	}
	r.reasons = append(r.reasons, fmt.Sprintf("source %s%s", a.Source, e.link(a)))
	return r
}

// underway puts what is running in place of what was there before. It takes no
// "no" away: only a later good result does.
func underway(decided map[string]ruling, running []ruling) map[string]ruling {
	for _, r := range running {
		if had, ok := decided[r.key]; ok && had.bad {
			r.bad, r.reasons = true, append(r.reasons, had.reasons...)
		}
		decided[r.key] = r
	}
	return decided
}

package gates

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// e2e: the newest result of every suite that is asked for passed and is fresh.
// Without a list of suites: at least one passed and is fresh, and none failed last.
func (e *evaluation) e2e() Check {
	gate := e.policy.Service.Gates.E2E
	f, problem := e.ask(gate.Signers, func(t string) bool { return t == evidence.TestResult }, []digest.Digest{e.in.Candidate})
	if problem != nil {
		return *problem
	}
	results := map[digest.Digest]report.TestResult{}
	rulings := gone(E2E, e.in)
	for _, p := range f.proofs {
		result, err := report.ReadTest(p.Statement.Predicate)
		if err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
			continue
		}
		results[p.id()] = result
		rulings = append(rulings, e.suites(p, result)...)
	}
	e.remember(E2E, rulings)
	decided := required(gate.Suites, newest(rulings))
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = testSummary(c.Status, decided, results)
	}
	if c.Status == Missing {
		c.Reasons = append(c.Reasons, "produce it with: plimsoll attest e2e REPOSITORY@"+e.in.Candidate.String()+" --result FILE --suite NAME")
	}
	return c
}

// suites are the rulings of one test result: one for each suite that it names.
func (e *evaluation) suites(p proof, result report.TestResult) []ruling {
	names := result.Suites
	if len(names) == 0 {
		names = []string{""}
	}
	rulings := make([]ruling, 0, len(names))
	for _, suite := range names {
		r := ruling{key: suite, at: p.at, status: Pass, evidence: p.Manifest, id: p.id(), summary: result.Summary()}
		switch why, old := stale(p.at, e.policy.Service.Gates.E2E.MaxAge, e.in.Now); {
		case !result.OK():
			r.bad, r.status, r.reasons = true, Fail, failedTests(suite, p, result)
		case old:
			r.status = Stale
			r.reasons = []string{fmt.Sprintf("%s passed (%s), but %s", suiteName(suite), result.Summary(), why)}
		default:
			r.reasons = []string{fmt.Sprintf("%s passed: %s, signed by %s%s", suiteName(suite), result.Summary(), p.Group, onDate(p))}
		}
		rulings = append(rulings, r)
	}
	return rulings
}

// onDate says when a statement was made, if it says so.
func onDate(p proof) string {
	if p.at.IsZero() {
		return ""
	}
	return " on " + moment(p.at)
}

// failedTests says which tests failed.
func failedTests(suite string, p proof, result report.TestResult) []string {
	line := fmt.Sprintf("%s did not pass: %s, %s, signed by %s%s", suiteName(suite), result.Result, result.Summary(), p.Group, onDate(p))
	if result.URL != "" {
		line += ", see " + result.URL
	}
	failed := make([]string, 0, len(result.Failed))
	for _, test := range result.Failed {
		failed = append(failed, "failed: "+test)
	}
	return append([]string{line}, atMost(failed)...)
}

// suiteName names a suite for people.
func suiteName(suite string) string {
	if suite == "" {
		return "the tests (no suite named)"
	}
	return "suite " + suite
}

// required picks the rulings that decide: those of the suites that are asked
// for, a missing one included; or, with no list, the failed ones and the best of the rest.
func required(suites []string, decided map[string]ruling) []ruling {
	if len(suites) == 0 {
		if picked := pick(decided); len(picked) > 0 {
			return picked
		}
		return []ruling{{status: Missing, reasons: []string{"there is no test result that counts"}}}
	}
	rulings := make([]ruling, 0, len(suites))
	for _, suite := range sorted(suites) {
		r, ok := decided[suite]
		if !ok {
			r = ruling{key: suite, status: Missing, reasons: []string{"there is no result of suite " + suite + " that counts"}}
		}
		rulings = append(rulings, r)
	}
	return rulings
}

// testSummary is the gate in one line: tests that passed of those that ran,
// or what is missing.
func testSummary(status Status, decided []ruling, results map[digest.Digest]report.TestResult) string {
	var missing []string
	passes, ran, counted := 0, 0, false
	for _, r := range decided {
		if r.status == Missing {
			missing = append(missing, r.key)
		}
		if t, ok := results[r.id]; ok && t.Counted {
			passes, ran, counted = passes+t.Passes, ran+t.Passes+t.Fails, true
		}
	}
	switch {
	case status == Missing && (len(missing) == len(decided) || !counted):
		return "none"
	case status == Missing:
		return "no " + strings.Join(missing, ", ")
	case status == Error:
		return "evidence gone"
	case counted:
		return fmt.Sprintf("%d/%d", passes, ran)
	case status == Pass:
		return "passed"
	}
	return string(status)
}

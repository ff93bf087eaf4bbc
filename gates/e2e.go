package gates

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// e2e: the newest result of every suite that is asked for passed and is fresh,
// by a signed statement or by the answer of a source; a failure of either
// blocks. Without a list of suites: at least one signed result passed and is
// fresh, or every source says so; and nothing failed last.
func (e *evaluation) e2e() Check {
	gate := e.policy.Service.Gates.E2E
	f, problem := e.askEither(gate.Signers, gate.Sources, func(t string) bool { return t == evidence.TestResult }, []digest.Digest{e.in.Candidate})
	if problem != nil {
		return *problem
	}
	h := e.hear(gate.Sources).withoutScans()
	f.broken = append(f.broken, h.broken...)
	rulings := slices.Concat(gone(E2E, e.in), e.signedTests(&f), e.testAnswers(h.answers))
	e.remember(E2E, rulings)
	latest := underway(newest(rulings), e.testsRunning(h.answers))
	for _, a := range h.absent {
		if key := sourceKey(a.Source, a.Key); latest[key].key == "" {
			latest[key] = ruling{key: key, status: Missing, reasons: []string{fmt.Sprintf("%s: source %s has no result", suiteOf(a), a.Source)}}
		}
	}
	decided := e.required(latest)
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = testSummary(c.Status, decided)
	}
	if c.Status == Missing || c.Status == Waiting {
		c.Reasons = append(c.Reasons, h.notes...)
	}
	if slices.ContainsFunc(decided, func(r ruling) bool { return r.bad && r.status == Fail }) {
		c.Reasons = append(c.Reasons, "fix what failed and run it again: a later pass of the same suite takes the failure away")
	}
	c.Reasons = append(c.Reasons, e.produceTests(decided)...)
	return c
}

// signedTests are the rulings of the signed test results: one for each suite
// that one names.
func (e *evaluation) signedTests(f *found) []ruling {
	var rulings []ruling
	for _, p := range f.proofs {
		result, err := report.ReadTest(p.Statement.Predicate)
		if err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
			continue
		}
		names := result.Suites
		if len(names) == 0 {
			names = []string{""}
		}
		for _, suite := range names {
			rulings = append(rulings, e.signedTest(suite, p, result))
		}
	}
	return rulings
}

// signedTest is what one test result says about one suite.
func (e *evaluation) signedTest(suite string, p proof, result report.TestResult) ruling {
	r := ruling{key: signedName(suite), at: p.at, status: Pass, evidence: p.Manifest, id: p.id()}
	if result.Counted {
		r.tests = tests{result.Passes, result.Passes + result.Fails}
	}
	switch why, old := stale(p.at, e.policy.Service.Gates.E2E.MaxAge, e.in.Now); {
	case !result.OK():
		line := fmt.Sprintf("%s did not pass: %s, %s, signed by %s%s", suiteName(suite), result.Result, result.Summary(), p.Group, onDate(p))
		if result.URL != "" {
			line += ", see " + result.URL
		}
		r.bad, r.status, r.reasons = true, Fail, append([]string{line}, failedTests(result.Failed)...)
	case old:
		r.status = Stale
		r.reasons = []string{fmt.Sprintf("%s passed (%s), but %s", suiteName(suite), result.Summary(), why)}
	default:
		r.reasons = []string{fmt.Sprintf("%s passed: %s, signed by %s%s", suiteName(suite), result.Summary(), p.Group, onDate(p))}
	}
	return r
}

// testAnswers are the rulings of what sources say is done.
func (e *evaluation) testAnswers(answers []Answer) []ruling {
	var rulings []ruling
	for _, a := range answers {
		if a.State == Running {
			continue
		}
		r := ruling{key: sourceKey(a.Source, a.Key), at: a.at(), status: Pass, id: a.id()}
		if a.Total > 0 {
			r.tests = tests{a.Passed, max(a.Total, a.Passed+a.Failed)}
		}
		who := fmt.Sprintf("%s: source %s says %s%s", suiteOf(a), a.Source, a.outcome(), a.finished())
		switch why, old := stale(a.Finished, e.policy.Service.Gates.E2E.MaxAge, e.in.Now); {
		case a.bad():
			r.bad, r.status = true, Fail
			r.reasons = append([]string{who}, failedTests(a.Failures)...)
			if more := strings.TrimPrefix(e.link(a), ", "); more != "" {
				r.reasons = append(r.reasons, fmt.Sprintf("source %s: %s", a.Source, strings.TrimSpace(more)))
			}
		case old:
			r.status, r.reasons = Stale, []string{who + e.link(a) + ", but " + why}
		default:
			r.reasons = []string{who + e.link(a)}
		}
		rulings = append(rulings, r)
	}
	return rulings
}

// testsRunning are the rulings of what sources say is not finished.
func (e *evaluation) testsRunning(answers []Answer) []ruling {
	var running []ruling
	for _, a := range answers {
		if a.State == Running {
			running = append(running, ruling{key: sourceKey(a.Source, a.Key), status: Waiting, reasons: []string{
				fmt.Sprintf("%s: source %s says that it is running%s", suiteOf(a), a.Source, e.link(a)),
			}})
		}
	}
	return running
}

// outcome is the result in a word, with the numbers if there are any.
func (a Answer) outcome() string {
	word := string(a.State)
	if a.bad() {
		word = string(Failed)
	}
	if a.Total > 0 {
		word += fmt.Sprintf(" (%d/%d)", a.Passed, max(a.Total, a.Passed+a.Failed))
	}
	return word
}

// onDate says when a statement was made, if it says so, and which it is.
func onDate(p proof) string {
	if p.at.IsZero() {
		return " (statement " + short(p.id()) + ")"
	}
	return " on " + moment(p.at) + " (statement " + short(p.id()) + ")"
}

// failedTests names the tests that failed.
func failedTests(names []string) []string {
	failed := make([]string, 0, len(names))
	for _, test := range names {
		failed = append(failed, "failed: "+clean.Text(test))
	}
	return atMost(failed)
}

// suiteName names a suite for people.
func suiteName(suite string) string {
	if suite == "" {
		return "the tests (no suite named)"
	}
	return "suite " + suite
}

// suiteOf names what an answer is about for people.
func suiteOf(a Answer) string {
	if a.Key == "" {
		return "the tests"
	}
	return "suite " + clean.Text(a.Key)
}

// required picks the rulings that decide.
func (e *evaluation) required(decided map[string]ruling) []ruling {
	gate := e.policy.Service.Gates.E2E
	if len(gate.Suites) == 0 {
		return e.anySuite(decided)
	}
	var rulings []ruling
	for _, source := range sorted(gate.Sources) {
		// A source that says no of everything says no of each suite.
		if whole, ok := decided[sourceKey(source, "")]; ok && whole.bad && !slices.Contains(gate.Suites, source) {
			rulings = append(rulings, whole)
		}
	}
	for _, suite := range sorted(gate.Suites) {
		rulings = append(rulings, e.suite(suite, decided)...)
	}
	return rulings
}

// suite picks what decides about one suite: its failures; or what passed, by
// statement, by the answer of that key, or by every answer of the source of
// that name; or what is there instead.
func (e *evaluation) suite(suite string, decided map[string]ruling) []ruling {
	var groups [][]ruling
	if r, ok := decided[signedName(suite)]; ok {
		groups = append(groups, []ruling{r})
	}
	for _, source := range sorted(e.policy.Service.Gates.E2E.Sources) {
		if source == suite {
			groups = append(groups, sourcesOwn(source, decided))
		} else if r, ok := decided[sourceKey(source, suite)]; ok {
			groups = append(groups, []ruling{r})
		}
	}
	var bad, passed, rest []ruling
	for _, group := range groups {
		met := len(group) > 0
		for _, r := range group {
			met = met && r.status == Pass
			if r.bad {
				bad = append(bad, r)
			}
		}
		if met {
			passed = append(passed, group...)
		} else {
			rest = append(rest, group...)
		}
	}
	switch {
	case len(bad) > 0:
		return append(bad, passed...)
	case len(passed) > 0:
		return passed
	case len(rest) > 0:
		return rest
	}
	for _, source := range sorted(e.policy.Service.Gates.E2E.Sources) {
		if whole := decided[sourceKey(source, "")]; whole.status == Waiting {
			return []ruling{whole} // it may come
		}
	}
	return []ruling{{key: suite, status: Missing, reasons: []string{"there is no result of suite " + suite + " that counts"}}}
}

// sourcesOwn is everything that one source says.
func sourcesOwn(source string, decided map[string]ruling) []ruling {
	var own []ruling
	for _, key := range slices.Sorted(maps.Keys(decided)) {
		if strings.HasPrefix(key, sourceKey(source, "")) {
			own = append(own, decided[key])
		}
	}
	return own
}

// anySuite decides where no suite is named: nothing failed, and there is a
// fresh signed pass, or every source says that all of its tests passed.
func (e *evaluation) anySuite(decided map[string]ruling) []ruling {
	gate := e.policy.Service.Gates.E2E
	signed, all := map[string]ruling{}, len(gate.Sources) > 0
	var bad, passed, rest []ruling
	for _, source := range sorted(gate.Sources) {
		own := sourcesOwn(source, decided)
		if len(own) == 0 {
			own = []ruling{{key: source, status: Missing, reasons: []string{"source " + source + " has no result"}}}
		}
		for _, r := range own {
			switch {
			case r.bad:
				bad = append(bad, r)
			case r.status == Pass:
				passed = append(passed, r)
			default:
				all, rest = false, append(rest, r)
			}
		}
	}
	for key, r := range decided {
		if !strings.HasPrefix(key, ofSource) {
			signed[key] = r
		}
	}
	picked := pick(signed)
	fresh := slices.ContainsFunc(picked, func(r ruling) bool { return r.status == Pass })
	failed := slices.ContainsFunc(picked, func(r ruling) bool { return r.bad })
	switch {
	case len(bad) > 0 || failed || fresh:
		return slices.Concat(bad, picked, passed)
	case all:
		return passed
	case len(picked)+len(rest) > 0:
		return slices.Concat(picked, passed, rest)
	}
	return []ruling{{status: Missing, reasons: []string{"there is no test result that counts"}}}
}

// produceTests says how to get what is missing or too old, for a developer.
func (e *evaluation) produceTests(decided []ruling) []string {
	gate := e.policy.Service.Gates.E2E
	if len(gate.Signers) == 0 && lacking(decided) {
		return []string{fmt.Sprintf("run the tests of %s where %s sees them", short(e.in.Candidate), list(sorted(gate.Sources), "or"))}
	}
	var lines []string
	for _, r := range decided {
		if len(gate.Signers) == 0 || r.status != Missing && r.status != Stale || strings.HasPrefix(r.key, ofSource) {
			continue
		}
		suite := r.key
		if suite == "" || len(gate.Suites) == 0 {
			suite = "NAME"
		}
		line := fmt.Sprintf("ask %s to run e2e suite %s and attest it: plimsoll attest e2e %s@%s --result FILE --suite %s",
			list(gate.Signers, "or"), suite, e.policy.Service.Staging, e.in.Candidate, suite)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// testSummary is the gate in one line: tests that passed of those that ran,
// or what is missing.
func testSummary(status Status, decided []ruling) string {
	var missing []string
	var sum tests
	seen := map[digest.Digest]bool{}
	for _, r := range decided {
		if r.status == Missing {
			missing = append(missing, strings.TrimPrefix(r.key, ofSource))
		}
		if !seen[r.id] { // one result may be of several suites
			sum.passed, sum.ran = sum.passed+r.tests.passed, sum.ran+r.tests.ran
		}
		seen[r.id] = true
	}
	switch {
	case status == Missing && (len(missing) == len(decided) || sum.ran == 0):
		return "none"
	case status == Missing:
		return "no " + strings.Join(missing, ", ")
	case status == Error:
		return "evidence disappeared"
	case status == Waiting:
		return "running"
	case sum.ran > 0:
		return fmt.Sprintf("%d/%d", sum.passed, sum.ran)
	case status == Pass:
		return "passed"
	}
	return string(status)
}

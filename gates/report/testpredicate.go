package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// The results of in-toto test-result v0.1.
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

// counts is the value of our extension urn:plimsoll:counts: how many tests
// there were. The lists of names may be cut, or not be there at all.
type counts struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

// configuration is an in-toto ResourceDescriptor: here, a suite and the file with its results.
type configuration struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// testPredicate is test-result v0.1 with our extensions.
type testPredicate struct {
	Result        string          `json:"result"`
	Configuration []configuration `json:"configuration"`
	URL           string          `json:"url,omitempty"`
	PassedTests   []string        `json:"passedTests"`
	WarnedTests   []string        `json:"warnedTests"`
	FailedTests   []string        `json:"failedTests"`
	Finished      string          `json:"urn:plimsoll:finished-on,omitempty"`
	Counts        *counts         `json:"urn:plimsoll:counts,omitempty"`
}

// TestPredicate is what is signed about a run of tests: of suite, finished at
// that time, with a link for people (may be ""). raw is the result file; its digest is named.
func TestPredicate(t Tests, suite, url string, finished time.Time, raw []byte) any {
	p := testPredicate{
		Result:        Passed,
		Configuration: []configuration{{Name: name(suite), Digest: map[string]string{"sha256": digest.FromBytes(raw).Encoded()}}},
		URL:           link(url),
		PassedTests:   append([]string{}, t.Names...),
		WarnedTests:   []string{},
		FailedTests:   append([]string{}, t.Failures...),
		Finished:      finished.UTC().Format(time.RFC3339),
		Counts:        &counts{Passed: t.Passed, Failed: t.Failed, Skipped: t.Skipped},
	}
	if !t.OK() {
		p.Result = Failed
	}
	return p
}

// TestResult is a test-result predicate as read back from verified bytes.
type TestResult struct {
	Result  string   // Passed, Warned, Failed
	Suites  []string // the names in its configuration; none if it names none
	URL     string
	Failed  []string // names of failed and warned tests
	Passes  int      // how many passed
	Fails   int      // how many failed
	Counted bool     // it says how many there were
}

// OK tells whether the tests passed: the result says so, and nothing in it says otherwise.
func (t TestResult) OK() bool {
	return t.Result == Passed && t.Fails == 0 && len(t.Failed) == 0 && (!t.Counted || t.Passes > 0)
}

// Summary is "46/48", or the result in a word where nothing was counted.
func (t TestResult) Summary() string {
	switch {
	case t.Counted:
		return fmt.Sprintf("%d/%d", t.Passes, t.Passes+t.Fails)
	case t.OK():
		return "passed"
	}
	return "failed"
}

// ReadTest reads a test-result predicate. Give it verified bytes only.
func ReadTest(predicate json.RawMessage) (TestResult, error) {
	var p testPredicate
	if err := json.Unmarshal(predicate, &p); err != nil {
		return TestResult{}, fmt.Errorf("%w: a test result whose %w", evidence.ErrMalformed, plain(err))
	}
	if p.Result != Passed && p.Result != Warned && p.Result != Failed {
		return TestResult{}, fmt.Errorf("%w: a test result must be PASSED, WARNED or FAILED, this is %q", evidence.ErrMalformed, name(p.Result))
	}
	t := TestResult{Result: p.Result, URL: link(p.URL), Passes: len(p.PassedTests), Fails: len(p.FailedTests)}
	for _, c := range p.Configuration {
		if n := name(c.Name); n != "" {
			t.Suites = append(t.Suites, n)
		}
	}
	for _, list := range [][]string{p.FailedTests, p.WarnedTests} {
		for _, n := range list[:min(len(list), MaxNames)] {
			t.Failed = append(t.Failed, name(n))
		}
	}
	t.Counted = t.Passes+t.Fails > 0
	if c := p.Counts; c != nil {
		if c.Passed < 0 || c.Failed < 0 || c.Skipped < 0 {
			return TestResult{}, fmt.Errorf("%w: a test result with negative counts", evidence.ErrMalformed)
		}
		t.Passes, t.Fails, t.Counted = max(c.Passed, 0), max(c.Failed, t.Fails), true
	}
	return t, nil
}

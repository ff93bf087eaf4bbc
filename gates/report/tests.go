package report

import (
	"fmt"
	"time"
)

// Tests is what a run of tests came to.
type Tests struct {
	Suite    string // the name in the file, "" if it has none or several
	Passed   int
	Failed   int
	Skipped  int
	Names    []string  // of passed tests, at most MaxNames
	Failures []string  // names of failed tests, at most MaxNames
	Finished time.Time // with a zone in the file; zero otherwise
}

// Ran is how many tests passed or failed.
func (t Tests) Ran() int { return t.Passed + t.Failed }

// OK tells whether at least one test ran and none failed.
func (t Tests) OK() bool { return t.Passed > 0 && t.Failed == 0 }

// String is "46/48": passed of those that ran.
func (t Tests) String() string { return fmt.Sprintf("%d/%d", t.Passed, t.Ran()) }

// pass counts a passed test.
func (t *Tests) pass(test string) {
	t.Passed++
	if len(t.Names) < MaxNames {
		t.Names = append(t.Names, name(test))
	}
}

// fail counts a failed test.
func (t *Tests) fail(test string) {
	t.Failed++
	if len(t.Failures) < MaxNames {
		t.Failures = append(t.Failures, name(test))
	}
}

// finished keeps the latest time.
func (t *Tests) finished(at time.Time) {
	if at.After(t.Finished) {
		t.Finished = at.UTC()
	}
}

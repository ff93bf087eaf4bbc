package gates_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

func TestTheCommitOfAnImageIsWhatSignedProvenanceSays(t *testing.T) {
	w := originWorld(t)
	refused := func(word string) {
		t.Helper()
		if got, err := gates.Revision(w.policy, w.in); got != "" || !errors.Is(err, gates.ErrNoRevision) || !strings.Contains(err.Error(), word) {
			t.Errorf("%q, %v", got, err)
		}
	}
	refused("attach provenance")
	w.add(w.sign(mallory, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), candidate))
	refused("ci")
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/mallory/chat", "refs/heads/main"), candidate))
	refused("ci") // of another repository
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), candidate))
	if got, err := gates.Revision(w.policy, w.in); err != nil || got != commit {
		t.Errorf("%q, %v", got, err)
	}
	other := github("https://github.com/acme/chat", "refs/heads/main")
	dependency := other["buildDefinition"].(map[string]any)["resolvedDependencies"].([]any)[0].(map[string]any)
	dependency["digest"] = map[string]string{"gitCommit": strings.Repeat("f", 40)}
	w.add(w.sign(ci, evidence.SLSA1, other, candidate))
	refused("several")
	other["runDetails"].(map[string]any)["metadata"] = map[string]any{"finishedOn": now.Add(-time.Minute).Format(time.RFC3339)}
	w.add(w.sign(ci, evidence.SLSA1, other, candidate))
	if got, err := gates.Revision(w.policy, w.in); err != nil || got != strings.Repeat("f", 40) {
		t.Errorf("not the newest: %q, %v", got, err)
	}
	w.gates(config.Gates{})
	if got, err := gates.Revision(w.policy, w.in); got != "" || err != nil {
		t.Errorf("nothing signed says it: %q, %v", got, err)
	}
}

func TestAScannersReportIsNoTestThatPassed(t *testing.T) {
	w := sourceWorld(t)
	report := says("", gates.Passed, time.Hour)
	report.Scanner = true
	w.answer(report).expect(gates.E2E, gates.Missing, "source gh gives the report of a scanner, not test results")
}

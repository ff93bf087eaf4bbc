package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/sigstoretest"
)

// TestAWorkflowsResultIsPromotedAndVerified: the tests are signed keyless by a workflow,
// from the gate to the copy in prod and the auditor's question.
func TestAWorkflowsResultIsPromotedAndVerified(t *testing.T) {
	const issuer, workflow = "https://token.actions.githubusercontent.com", "https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main"
	sigstore := sigstoretest.New(t)
	w := newWorld(t, func(w *world) {
		w.edits = append(w.edits, noSignOff, func(c *config.Config) {
			group := sigstore.Group(t, "gh", issuer, workflow)
			c.Trust["gh"], c.TrustRoot = group, config.TrustRoot{File: "trusted_root.json", Raw: group.Root}
			c.Services[0].Gates.E2E.Signers = []string{"gh"}
		})
	})
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.scanned(w.scanner, dg)
	w.tested(w.ci, dg, "PASSED")
	result := func(identity string) string {
		statement, err := evidence.NewStatement(evidence.TestResult, "chat", dg, map[string]any{
			"result": "PASSED", "configuration": []map[string]any{{"name": "smoke"}}, "passedTests": []string{"a"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(sigstore.Bundle(t, sigstoretest.Signing{Issuer: issuer, Identity: identity, At: time.Now().Add(-10 * time.Second)}, statement))
	}
	w.lay(dg, result("https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/feature"))
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Missing || !mentions(c.Reasons, "refs/heads/feature", "which is no workflow of gh") {
		t.Errorf("%+v", c)
	}
	w.lay(dg, result(workflow))
	if err := w.try(dg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v := w.verify(dg)
		if c := check(t, v.Checks, gates.E2E); !v.Promoted || len(v.Problems) != 0 || c.Summary != "1 of 1 pieces of evidence verified again in prod" {
			t.Errorf("%+v", v)
		}
		w.laptop() // which has the root, and nothing else
	}
	w.edit(func(c *config.Config) {
		c.Trust["gh"] = config.Group{Name: "gh", Workflow: c.Trust["gh"].Workflow, RootProblem: "nobody fetched it"}
		c.TrustRoot = config.TrustRoot{}
	})
	if v := w.gates(dg); check(t, v.Checks, gates.E2E).Status != gates.Error {
		t.Errorf("without a root nothing can be told: %+v", v.Checks)
	}
}

// mentions tells whether every word stands in one of the lines.
func mentions(lines []string, words ...string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	})
}

package gates_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
)

// e2eWorld asks for two fresh suites.
func e2eWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{E2E: &config.E2EGate{Signers: []string{ci}, MaxAge: 72 * time.Hour, Suites: []string{"smoke", "api"}}})
}

func TestE2EPassesWhenEverySuitePassed(t *testing.T) {
	w := e2eWorld(t)
	w.expect(gates.E2E, gates.Missing, "none", "suite api", "plimsoll attest e2e")
	w.add(w.tests(ci, "smoke", time.Hour))
	w.expect(gates.E2E, gates.Missing, "no api")
	w.add(w.tests(ci, "api", time.Hour))
	c := w.expect(gates.E2E, gates.Pass, "96/96", "signed by ci on 2026-11-24 11:00 UTC")
	if len(c.Evidence) != 2 {
		t.Errorf("evidence %v", c.Evidence)
	}
	if v := w.judge(); v.State != gates.Ready || len(v.Negatives) != 0 {
		t.Errorf("verdict %+v", v)
	}
}

func TestE2ENamesWhatFailed(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", time.Hour, "streams the answer", "recovers"))
	w.expect(gates.E2E, gates.Fail, "94/96", "suite smoke did not pass", "failed: streams the answer", "https://ci.example.com/7")
	v := w.judge()
	if v.State != gates.Blocked || len(v.Negatives) != 1 || v.Negatives[0].Key != "smoke" || !v.Negatives[0].At.Equal(now.Add(-time.Hour)) {
		t.Errorf("verdict %+v", v)
	}
}

func TestLaterRunDecidesAndAtTheSameTimeTheWorse(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", 2*time.Hour, "flaky"), w.tests(ci, "smoke", time.Hour))
	w.expect(gates.E2E, gates.Pass)
	w.add(w.tests(ci, "smoke", time.Hour, "same minute"))
	w.expect(gates.E2E, gates.Fail, "same minute")
	w.add(w.tests(ci, "smoke", time.Minute))
	w.expect(gates.E2E, gates.Pass)
}

func TestSuitesThatNobodyAskedForDoNotBlock(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", time.Hour), w.tests(ci, "nightly", time.Hour, "slow"))
	w.expect(gates.E2E, gates.Pass)
	w.policy.Service.Gates.E2E.Suites = nil
	w.expect(gates.E2E, gates.Fail, "suite nightly")
}

func TestE2EGrowsStale(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", 80*time.Hour))
	w.expect(gates.E2E, gates.Stale, "3 d old", "at most 3 d")
	w.add(w.tests(ci, "smoke", 73*time.Hour, "old and failed"))
	w.expect(gates.E2E, gates.Fail)
}

func TestWithoutSignedTimeEvidenceIsStale(t *testing.T) {
	w := e2eWorld(t)
	untimed := map[string]any{"result": "PASSED", "configuration": []any{map[string]any{"name": "smoke"}, map[string]any{"name": "api"}}}
	w.add(w.sign(ci, evidence.TestResult, untimed, candidate))
	w.expect(gates.E2E, gates.Stale, "does not say when")
	w.policy.Service.Gates.E2E.MaxAge = 0
	w.expect(gates.E2E, gates.Pass, "passed")
}

func TestEvidenceFromTomorrowIsAnError(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", -4*time.Minute), w.tests(ci, "smoke", time.Hour))
	w.expect(gates.E2E, gates.Pass)
	w.add(w.tests(ci, "smoke", -6*time.Minute))
	w.expect(gates.E2E, gates.Error, "in the future")
}

func TestWhatDoesNotCountIsNamedAndNeverPasses(t *testing.T) {
	w := e2eWorld(t)
	other := w.sign(ci, evidence.TestResult, map[string]any{"result": "PASSED"}, elsewhere)
	other.Subject = candidate
	unsigned := evidence.Item{Subject: candidate, Manifest: digest.FromString("sarif"), Form: evidence.Other, ArtifactType: "application/sarif+json"}
	keyless := w.tests(ci, "smoke", time.Hour)
	keyless.Raw = bytes.Replace(keyless.Raw, []byte(`"publicKey"`), []byte(`"certificate":{},"publicKey"`), 1)
	keyless.Manifest = digest.FromString("keyless")
	disguised := w.sign(ci, evidence.SLSA1, provenance(0), candidate)
	disguised.PredicateType = evidence.TestResult
	w.add(w.tests(mallory, "smoke", time.Hour), w.tests(scanner, "api", time.Hour), other, unsigned, keyless, disguised)
	w.expect(gates.E2E, gates.Missing, "wrong signer: no key of ci", "wrong signer: signed by scanner, and asked for is ci", "wrong subject: signed by ci, but about "+elsewhere.String(),
		"application/sarif+json", "unsigned", "keyless", "another predicate: https://slsa.dev/provenance/v1")
	// Where there is an answer, what claims to be one is still shown, and an attachment that claims nothing is not.
	w.add(w.tests(ci, "smoke", time.Hour), w.tests(ci, "api", time.Hour))
	c := w.expect(gates.E2E, gates.Pass, "does not count: ")
	if text := strings.Join(c.Reasons, "\n"); strings.Count(text, "does not count: ") != 5 || strings.Contains(text, "sarif") {
		t.Errorf("of five claims are shown:\n%s", text)
	}
	for range 7 {
		w.add(w.tests(mallory, "smoke", time.Minute, "a"))
	}
	w.expect(gates.E2E, gates.Pass, "does not count: ", "that do not count")
}

func TestAKeyThatExpiredDoesNotCount(t *testing.T) {
	w := e2eWorld(t)
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", time.Hour))
	group := w.policy.Trust[ci]
	group.Keys[0].NotAfter = now.Add(-2 * time.Hour)
	w.expect(gates.E2E, gates.Missing, "expired key")
}

func TestSignedNonsenseAndUnreadableEvidenceBlock(t *testing.T) {
	w := e2eWorld(t)
	good := []evidence.Item{w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", time.Hour)}
	w.add(good...)
	w.add(w.sign(ci, evidence.TestResult, map[string]any{"result": "passed"}, candidate))
	w.expect(gates.E2E, gates.Error, "malformed")

	w.in.Evidence = append(good, evidence.Item{Manifest: digest.FromString("x"), Form: evidence.Bundle, Problem: "the registry answered 500"})
	w.expect(gates.E2E, gates.Error, "answered 500")
	w.in.Evidence[2].PredicateType = evidence.Vuln
	w.expect(gates.E2E, gates.Pass)

	w.in.Listing = errors.New("the registry timed out")
	w.expect(gates.E2E, gates.Error, "timed out")
}

func TestAFailureThatDisappearedStillStands(t *testing.T) {
	w := e2eWorld(t)
	failure := w.tests(ci, "smoke", time.Hour, "login")
	w.add(w.tests(ci, "api", time.Hour), w.tests(ci, "smoke", 2*time.Hour), failure)
	w.in.Negatives = w.judge().Negatives
	w.remove(failure)
	w.expect(gates.E2E, gates.Error, "evidence disappeared", "suite smoke did not pass")
	w.add(w.tests(ci, "smoke", 30*time.Minute))
	w.expect(gates.E2E, gates.Pass)
	// What was seen of another candidate says nothing about this one.
	w.in.Negatives[0].Subject, w.in.Negatives[0].At = elsewhere, now
	w.expect(gates.E2E, gates.Pass)
}

func TestAttestationsOfCosign2Count(t *testing.T) {
	w := e2eWorld(t)
	w.policy.Service.Gates.E2E.Suites = []string{"smoke"}
	statement, err := evidence.NewStatement(evidence.TestResult, "", candidate, map[string]any{
		"result": "PASSED", "configuration": []any{map[string]any{"name": "smoke"}}, "finishedOn": now.Add(-time.Hour).Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := evidencetest.Envelope(t, w.signers[ci], statement)
	w.add(evidence.Item{Subject: candidate, Manifest: digest.FromString("att"), Layer: digest.FromBytes(raw), Form: evidence.DSSE, Raw: raw})
	w.expect(gates.E2E, gates.Pass)
}

func TestAGroupThatIsNotInTrustIsAnError(t *testing.T) {
	w := e2eWorld(t)
	w.policy.Service.Gates.E2E.Signers = []string{"nobody"}
	w.expect(gates.E2E, gates.Error, `"nobody" is not in trust`)
}

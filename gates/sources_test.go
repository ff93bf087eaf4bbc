package gates_test

import (
	"errors"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/report"
)

// sourceWorld asks the source gh for two suites.
func sourceWorld(t testing.TB, suites ...string) *world {
	return newWorld(t).gates(config.Gates{E2E: &config.E2EGate{Sources: []string{"gh"}, MaxAge: 72 * time.Hour, Suites: suites}})
}

// says is an answer of gh, asked 40 s ago, about tests that finished so long ago.
func says(key string, state gates.AnswerState, ago time.Duration) gates.Answer {
	a := gates.Answer{
		Source: "gh", Kind: "github", Key: key, State: state, Asked: now.Add(-40 * time.Second),
		Link: "https://github.com/acme/chat/runs/7", About: "0123456789abcdef0123456789abcdef01234567",
	}
	if state == gates.Passed || state == gates.Failed {
		a.Finished = now.Add(-ago)
	}
	return a
}

// answer puts what sources say in place of what they said before.
func (w *world) answer(answers ...gates.Answer) *world {
	w.in.Answers = answers
	return w
}

func TestSourcesAnswerForSuites(t *testing.T) {
	w := sourceWorld(t, "smoke", "api")
	w.expect(gates.E2E, gates.Error, "source gh was not asked")
	w.answer(says("", gates.Absent, 0)).expect(gates.E2E, gates.Missing, "source gh knows nothing of 0123456789abcdef", "asked 40 s ago", "no result of suite smoke", "where gh sees them")

	counted := says("api", gates.Passed, time.Hour)
	counted.Passed, counted.Total = 46, 46
	w.answer(says("smoke", gates.Passed, time.Hour), counted)
	w.expect(gates.E2E, gates.Pass, "46/46", "suite api: source gh says passed (46/46), finished 2026-11-24 11:00 UTC, see https://github.com/acme/chat/runs/7 (asked 40 s ago)")
	if w.judge().State != gates.Ready {
		t.Error("it must be ready")
	}
	w.answer(counted, says("smoke", gates.Running, 0)).expect(gates.E2E, gates.Waiting, "running", "suite smoke: source gh says that it is running")
	w.answer(counted, says("", gates.Running, 0)).expect(gates.E2E, gates.Waiting, "the tests: source gh says that it is running")
	w.answer(counted, says("smoke", gates.Passed, 80*time.Hour)).expect(gates.E2E, gates.Stale, "3 d old")
	w.answer(counted, says("smoke", gates.Passed, -6*time.Minute)).expect(gates.E2E, gates.Error, "in the future")
	w.answer(counted, says("smoke", "fine", 0)).expect(gates.E2E, gates.Error, `"fine"`)

	broken := says("", "", 0)
	broken.Err = errors.New("GitHub answered 502")
	w.answer(counted, says("smoke", gates.Passed, time.Hour), broken).expect(gates.E2E, gates.Error, "source gh could not answer: GitHub answered 502")
	other := says("smoke", gates.Passed, time.Hour)
	other.About = elsewhere.String()
	w.answer(counted, other).expect(gates.E2E, gates.Error, "is not this candidate")
}

func TestASourceThatFailsBlocksAndNamesTheTests(t *testing.T) {
	w := sourceWorld(t, "smoke")
	failed := says("smoke", gates.Failed, time.Hour)
	failed.Passed, failed.Failed, failed.Total, failed.Failures = 46, 2, 48, []string{"streams the answer", "recovers"}
	w.answer(failed).expect(gates.E2E, gates.Fail, "46/48", "suite smoke: source gh says failed (46/48)", "failed: streams the answer", "see https://github.com/acme/chat/runs/7 (asked 40 s ago)")
	odd := says("smoke", gates.Passed, time.Hour)
	odd.Failed, odd.Total = 1, 1
	w.answer(odd).expect(gates.E2E, gates.Fail, "says failed")
	w.answer(says("smoke", gates.Passed, time.Hour), says("nightly", gates.Failed, time.Hour)).expect(gates.E2E, gates.Pass)
	w.answer(says("smoke", gates.Passed, time.Hour), says("", gates.Failed, time.Hour)).expect(gates.E2E, gates.Fail, "the tests: source gh says failed")
}

func TestAFailureOfASourceIsTakenAwayByItsLaterPassOnly(t *testing.T) {
	w := sourceWorld(t, "smoke")
	w.policy.Service.Gates.E2E.Signers = []string{ci}
	w.add(w.tests(ci, "smoke", time.Minute))
	w.answer(says("smoke", gates.Failed, 2*time.Hour)).expect(gates.E2E, gates.Fail)
	w.in.Negatives = w.judge().Negatives
	if len(w.in.Negatives) != 1 || !w.in.Negatives[0].OfSource() || w.in.Negatives[0].Evidence == "" {
		t.Fatalf("negatives %+v", w.in.Negatives)
	}
	w.answer(says("", gates.Absent, 0)).expect(gates.E2E, gates.Error, "evidence disappeared: suite smoke: source gh says failed", "no longer says so")
	w.answer(says("smoke", gates.Passed, 3*time.Hour)).expect(gates.E2E, gates.Error, "evidence disappeared")
	w.answer(says("smoke", gates.Running, 0)).expect(gates.E2E, gates.Waiting, "is running", "evidence disappeared")
	w.answer(says("smoke", gates.Passed, time.Hour)).expect(gates.E2E, gates.Pass)

	// No signer can speak for a source, whatever they call the suite.
	w.answer(says("", gates.Absent, 0)).add(w.tests(ci, w.in.Negatives[0].Key, time.Minute)).expect(gates.E2E, gates.Error, "evidence disappeared")
}

func TestASourceWithoutTimesIsJudgedByWhenItWasAsked(t *testing.T) {
	w := sourceWorld(t, "smoke")
	w.policy.Service.Gates.E2E.MaxAge = 0
	failed, passed := says("smoke", gates.Failed, 0), says("smoke", gates.Passed, 0)
	failed.Finished, passed.Finished = time.Time{}, time.Time{}
	failed.Asked = now.Add(-time.Hour)
	w.answer(failed).expect(gates.E2E, gates.Fail)
	w.in.Negatives = w.judge().Negatives
	again := failed
	again.Asked = now
	w.answer(again)
	if got := w.judge().Negatives; len(got) != 1 || got[0].Evidence != w.in.Negatives[0].Evidence {
		t.Errorf("the same answer, asked again, is another negative: %+v", got)
	}
	w.answer(passed).expect(gates.E2E, gates.Pass)
	w.policy.Service.Gates.E2E.MaxAge = time.Hour
	w.expect(gates.E2E, gates.Stale, "does not say when")
}

func TestEitherASignerOrASourceMeetsASuite(t *testing.T) {
	w := sourceWorld(t, "smoke", "gh")
	w.policy.Service.Gates.E2E.Signers = []string{ci}
	w.add(w.tests(ci, "smoke", time.Hour))
	w.answer(says("build", gates.Passed, time.Hour), says("lint", gates.Passed, time.Hour)).expect(gates.E2E, gates.Pass)
	w.answer(says("build", gates.Passed, time.Hour), says("lint", gates.Running, 0)).expect(gates.E2E, gates.Waiting)
	w.answer(says("build", gates.Passed, time.Hour), says("lint", gates.Failed, time.Hour)).expect(gates.E2E, gates.Fail, "suite lint")
	w.answer(says("build", gates.Passed, time.Hour), says("smoke", gates.Failed, time.Hour)).expect(gates.E2E, gates.Fail, "suite smoke: source gh says failed")
}

func TestWithoutSuitesEverySourceHasToPass(t *testing.T) {
	w := sourceWorld(t)
	w.policy.Service.Gates.E2E.Sources = []string{"gh", "az"}
	az := says("", gates.Absent, 0)
	az.Source = "az"
	w.answer(says("build", gates.Passed, time.Hour), az).expect(gates.E2E, gates.Missing, "the tests: source az has no result", "source az knows nothing")
	az = says("", gates.Passed, time.Hour)
	az.Source = "az"
	w.answer(says("build", gates.Passed, time.Hour), az).expect(gates.E2E, gates.Pass, "passed")
	w.answer(says("build", gates.Running, time.Hour), az).expect(gates.E2E, gates.Waiting)
	w.answer(says("build", gates.Passed, time.Hour), says("deploy", gates.Absent, 0), az).expect(gates.E2E, gates.Missing, "suite deploy: source gh has no result")
	w.policy.Service.Gates.E2E.Signers = []string{ci}
	w.add(w.tests(ci, "smoke", time.Hour)).expect(gates.E2E, gates.Pass)
	w.add(w.tests(ci, "smoke", time.Minute, "login")).expect(gates.E2E, gates.Fail)
}

// scanner is an answer of harbor with findings of these severities.
func harbor(key string, ago time.Duration, findings ...report.Finding) gates.Answer {
	return gates.Answer{
		Source: "harbor", Kind: "http", Key: key, State: gates.Passed, Scanner: true, Findings: findings, Finished: now.Add(-ago),
		Asked: now.Add(-5 * time.Second), Link: "https://harbor.example.com/scan/3",
	}
}

func TestASourceThatScansIsJudgedByTheSameRule(t *testing.T) {
	w := newWorld(t).gates(config.Gates{Scan: &config.ScanGate{
		Sources: []string{"harbor"}, VEX: []string{ci}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour,
	}})
	bad := report.Finding{ID: "CVE-2026-1", Package: "openssl", Version: "3.0", Fixed: "3.1", Severity: config.Critical}
	low := report.Finding{ID: "CVE-2026-2", Package: "zlib", Version: "1", Severity: config.Medium}
	w.expect(gates.Scan, gates.Error, "harbor was not asked")
	w.answer(harbor("", time.Hour, low)).expect(gates.Scan, gates.Missing, "does not say which platform it scanned")
	w.answer(harbor("linux/amd64", time.Hour, low)).expect(gates.Scan, gates.Missing, "no linux/arm64/v8")
	w.answer(harbor("linux/amd64", time.Hour, low), harbor(arm64.String(), time.Hour)).
		expect(gates.Scan, gates.Pass, "0C 0H 1M", "linux/amd64: 0C 0H 1M by source harbor", "see https://harbor.example.com/scan/3 (asked 5 s ago)")
	w.answer(harbor("linux/amd64", 30*time.Hour), harbor("linux/arm64", time.Hour)).expect(gates.Scan, gates.Stale, "30 h old")

	w.answer(harbor("linux/amd64", time.Hour, bad), harbor("linux/arm64", time.Hour))
	w.expect(gates.Scan, gates.Fail, "critical CVE-2026-1 in openssl 3.0 (linux/amd64), fixed in 3.1", "update what has a fix (1)")
	w.in.Negatives = w.judge().Negatives
	w.add(w.vex(scanner, "CVE-2026-1", "not_affected", time.Hour)).expect(gates.Scan, gates.Fail, "wrong signer: signed by scanner, and asked for is ci")
	w.add(w.vex(ci, "CVE-2026-1", "not_affected", time.Hour)).expect(gates.Scan, gates.Pass, "excused by OpenVEX")
	w.in.Evidence = nil
	w.answer(harbor("linux/amd64", 2*time.Hour), harbor("linux/arm64", time.Hour)).expect(gates.Scan, gates.Error, "evidence disappeared")
	running := harbor("linux/amd64", 0)
	running.State = gates.Running
	w.answer(running, harbor("linux/arm64", time.Hour)).expect(gates.Scan, gates.Waiting, "its scan is running")
	w.answer(harbor("linux/amd64", time.Minute), harbor("linux/arm64", time.Hour)).expect(gates.Scan, gates.Pass)
}

func TestASourceThatOnlySaysPassedIsNoScan(t *testing.T) {
	w := newWorld(t).gates(config.Gates{Scan: &config.ScanGate{Sources: []string{"harbor"}, MaxSeverity: config.Medium}})
	w.in.Platforms = w.in.Platforms[:1]
	word := harbor("", time.Hour)
	word.Scanner = false
	w.answer(word).expect(gates.Scan, gates.Missing, "not what it found")
	word.State = gates.Failed
	w.answer(word).expect(gates.Scan, gates.Fail, "source harbor says failed")
	w.answer(harbor("trivy", time.Hour)).expect(gates.Scan, gates.Pass, "0C 0H 0M")
	w.answer(harbor("linux/arm64", time.Hour)).expect(gates.Scan, gates.Missing)
}

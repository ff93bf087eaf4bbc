package gates_test

import (
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// scanWorld lets medium pass, for a day.
func scanWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{Scan: &config.ScanGate{Signers: []string{scanner}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour}})
}

func TestScanNeedsEveryPlatform(t *testing.T) {
	w := scanWorld(t)
	w.expect(gates.Scan, gates.Missing, "none", "plimsoll attest scan")
	w.add(w.scanFile(scanner, "trivy.json", time.Hour, amd64))
	w.expect(gates.Scan, gates.Missing, "no linux/arm64/v8")
	w.add(w.scanFile(scanner, "trivy-arm64.json", time.Hour, arm64))
	w.expect(gates.Scan, gates.Pass, "0C 0H 3M", "linux/amd64: 0C 0H 3M by trivy")
}

func TestAScanOfTheIndexCoversThePlatformThatItNames(t *testing.T) {
	w := scanWorld(t)
	w.add(w.scanFile(scanner, "trivy.json", time.Hour, candidate))
	w.expect(gates.Scan, gates.Missing, "no linux/arm64/v8")
	w.add(w.scanFile(scanner, "trivy-arm64.json", time.Hour, candidate))
	w.expect(gates.Scan, gates.Pass)
}

func TestAScanThatNamesNoPlatformCoversAnImageOfOnePlatformOnly(t *testing.T) {
	w := scanWorld(t)
	w.policy.Service.Gates.Scan.MaxSeverity = config.Critical
	w.add(w.scanFile(scanner, "trivy.sarif", time.Hour, candidate))
	w.expect(gates.Scan, gates.Missing)
	w.in.Platforms = w.in.Platforms[:1]
	w.expect(gates.Scan, gates.Pass, "1C 1H 3M")
	w.in.Platforms = []gates.Platform{{Digest: candidate}}
	w.expect(gates.Scan, gates.Pass)
}

func TestFurtherSubjectsNameThePlatforms(t *testing.T) {
	w := scanWorld(t)
	w.add(w.scanFile(scanner, "trivy.json", time.Hour, candidate, amd64, arm64))
	w.expect(gates.Scan, gates.Pass)
	w.in.Evidence = nil
	w.add(w.scanFile(scanner, "trivy-arm64.json", time.Hour, candidate, amd64))
	w.expect(gates.Scan, gates.Missing, "no linux/arm64/v8")
}

func TestThePolicysPlatformsAreAsked(t *testing.T) {
	w := scanWorld(t)
	w.add(w.scanFile(scanner, "trivy.json", time.Hour, amd64))
	w.policy.Service.Platforms = []string{"linux/amd64"}
	w.expect(gates.Scan, gates.Pass)
	w.policy.Service.Platforms = []string{"linux/amd64", "linux/s390x"}
	w.expect(gates.Scan, gates.Missing, "no linux/s390x", "the candidate does not have it")
}

func TestScanNamesWhatIsTooBadTheFixableFirst(t *testing.T) {
	w := scanWorld(t)
	w.policy.Service.Gates.Scan.MaxSeverity = config.Low
	w.add(w.scanFile(scanner, "trivy-critical.json", time.Hour, amd64), w.scanFile(scanner, "trivy-arm64.json", time.Hour, arm64))
	c := w.expect(gates.Scan, gates.Fail, "1C 1H 3M", "5 above low", "critical CVE-2026-31337 in libssl3 3.0.17-1~deb12u2 (linux/amd64), fixed in 3.0.17-1~deb12u3")
	text := strings.Join(c.Reasons, "\n")
	if strings.Index(text, "no fix yet") < strings.Index(text, "fixed in 4.5.0") {
		t.Errorf("what can be fixed must come first:\n%s", text)
	}
	if n := w.judge().Negatives; len(n) != 2 || n[0].Key != "linux/amd64 by trivy" {
		t.Errorf("negatives %+v", n)
	}
}

// TestAVulnerabilityWithoutAFixBlocksToo, and the remedy is another.
func TestAVulnerabilityWithoutAFixBlocksToo(t *testing.T) {
	w := scanWorld(t)
	w.add(w.scanRaw(scanner, smallTrivy("amd64", "CVE-2026-7 CRITICAL"), time.Hour, amd64), w.scanRaw(scanner, smallTrivy("arm64"), time.Hour, arm64))
	c := w.expect(gates.Scan, gates.Fail, "1C 0H 0M", "critical CVE-2026-7 in p 1 (linux/amd64), no fix yet", "ask scanner for a signed OpenVEX statement", "ask whoever owns the policy for an allow entry")
	if strings.Contains(strings.Join(c.Reasons, " "), "update what has a fix") {
		t.Errorf("there is no fix: %q", c.Reasons)
	}
}

func TestAnotherScannersNoIsNotOutvoted(t *testing.T) {
	w := scanWorld(t)
	w.add(w.scanFile(scanner, "grype-high.json", 2*time.Hour, amd64), w.scanFile(scanner, "trivy-arm64.json", time.Hour, arm64),
		w.scanFile(scanner, "trivy.json", time.Hour, amd64))
	w.expect(gates.Scan, gates.Fail, "high GHSA-4374-p667-p6c8")
	w.add(w.scanFile(scanner, "grype.json", time.Minute, amd64))
	w.expect(gates.Scan, gates.Pass)
}

func TestAScanGrowsStaleAndANewerOneReplacesIt(t *testing.T) {
	w := scanWorld(t)
	bad := w.scanFile(scanner, "trivy-critical.json", 30*time.Hour, amd64)
	w.add(bad, w.scanFile(scanner, "trivy-arm64.json", 25*time.Hour, arm64))
	w.expect(gates.Scan, gates.Fail)
	w.in.Negatives = w.judge().Negatives
	w.remove(bad)
	w.expect(gates.Scan, gates.Error, "evidence disappeared")
	w.add(w.scanFile(scanner, "trivy.json", time.Hour, amd64))
	w.expect(gates.Scan, gates.Stale, "25 h old")
}

func TestAReportAboutAnotherImageDoesNotCount(t *testing.T) {
	w := scanWorld(t)
	raw := strings.Replace(string(reportFile(t, "trivy.json")), `"ImageID"`, `"RepoDigests": ["staging.example.com/chat-api@`+elsewhere.String()+`"], "ImageID"`, 1)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.scanRaw(scanner, []byte(raw), time.Hour, candidate))
	w.expect(gates.Scan, gates.Missing, "the report inside is about "+elsewhere.String())
	w.in.Evidence = nil
	w.add(w.scanRaw(scanner, []byte(strings.Replace(raw, elsewhere.String(), amd64.String(), 1)), time.Hour, candidate))
	w.expect(gates.Scan, gates.Pass)
}

func TestAllowEntriesEnd(t *testing.T) {
	w := scanWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.scanFile(scanner, "trivy-critical.json", time.Hour, candidate))
	w.policy.Service.Gates.Scan.Allow = []config.Allow{
		{ID: "cve-2026-31337", Until: now.Add(time.Hour), Reason: "no untrusted certificates"},
		{ID: "CVE-2026-28131", Until: now.Add(time.Hour), Reason: "behind a proxy"},
	}
	w.expect(gates.Scan, gates.Pass, "1C 1H 3M", "CVE-2026-31337 in libssl3 is allowed until", "no untrusted certificates")
	w.in.Now = now.Add(2 * time.Hour)
	w.expect(gates.Scan, gates.Fail, "it was allowed until")
}

func TestOpenVEXOfTheScannersGroupExcuses(t *testing.T) {
	w := scanWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.scanFile(scanner, "trivy-critical.json", time.Hour, candidate), w.vex(mallory, "CVE-2026-31337", "not_affected", time.Hour),
		w.vex(ci, "CVE-2026-31337", "not_affected", time.Hour))
	w.expect(gates.Scan, gates.Fail, "2 above medium")
	w.add(w.vex(scanner, "CVE-2026-31337", "not_affected", 3*time.Hour), w.vex(scanner, "CVE-2026-28131", "fixed", 3*time.Hour))
	w.expect(gates.Scan, gates.Pass, "0C 0H 3M", "excused by OpenVEX (not_affected: vulnerable_code_not_in_execute_path)")

	affected := w.vex(scanner, "CVE-2026-31337", "affected", 2*time.Hour)
	w.add(affected)
	w.expect(gates.Scan, gates.Fail, "OpenVEX says affected")
	w.in.Negatives = w.judge().Negatives
	w.remove(affected)
	w.expect(gates.Scan, gates.Fail, "evidence disappeared")
	w.add(w.vex(scanner, "CVE-2026-31337", "not_affected", time.Minute))
	w.expect(gates.Scan, gates.Pass)
}

func TestOpenVEXIsAboutItsProductsAndComponents(t *testing.T) {
	w := scanWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.policy.Service.Gates.Scan.Allow = []config.Allow{{ID: "CVE-2026-28131", Until: now.Add(time.Hour)}}
	w.add(w.scanFile(scanner, "trivy-critical.json", time.Hour, candidate))
	for name, c := range map[string]struct {
		product any
		want    gates.Status
	}{
		"this digest":     {map[string]any{"@id": "pkg:oci/chat-api@" + strings.Replace(candidate.String(), ":", "%3A", 1)}, gates.Pass},
		"another digest":  {map[string]any{"@id": "pkg:oci/chat-api@" + elsewhere.String()}, gates.Fail},
		"no digest":       {map[string]any{"@id": "pkg:oci/chat-api"}, gates.Pass},
		"text":            {"pkg:oci/chat-api", gates.Pass},
		"its package":     {map[string]any{"@id": "pkg:oci/chat-api", "subcomponents": []any{map[string]any{"@id": "pkg:deb/debian/libssl3"}}}, gates.Pass},
		"other package":   {map[string]any{"@id": "pkg:oci/chat-api", "subcomponents": []any{map[string]any{"@id": "pkg:deb/debian/curl"}}}, gates.Fail},
		"another version": {map[string]any{"@id": "pkg:oci/chat-api", "subcomponents": []any{map[string]any{"@id": "pkg:deb/debian/libssl3@1"}}}, gates.Fail},
		"nonsense":        {7, gates.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			w.in.Evidence = append(w.in.Evidence[:1:1], w.vex(scanner, "CVE-2026-31337", "not_affected", time.Hour, c.product))
			w.expect(gates.Scan, c.want)
		})
	}
}

func TestOpenVEXWithoutJustificationExcusesNothing(t *testing.T) {
	w := scanWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.scanFile(scanner, "trivy-critical.json", time.Hour, candidate))
	doc := func(statement map[string]any) evidence.Item {
		return w.sign(scanner, evidence.OpenVEX, map[string]any{"timestamp": now.Format(time.RFC3339), "statements": []any{statement}}, candidate)
	}
	w.add(doc(map[string]any{"vulnerability": "CVE-2026-31337", "status": "not_affected"}))
	w.expect(gates.Scan, gates.Fail, "without a justification")
	w.add(doc(map[string]any{"vulnerability": "CVE-2026-31337", "status": "harmless"}))
	w.expect(gates.Scan, gates.Error, `status "harmless" is not known`)
}

func TestScanOfComparesTwoDigests(t *testing.T) {
	w := newWorld(t)
	w.add(w.scanFile(scanner, "trivy.json", 40*24*time.Hour, amd64), w.scanFile(scanner, "trivy-critical.json", time.Hour, amd64), w.scanFile(mallory, "trivy.json", 0, amd64))
	got := gates.ScanOf(w.policy, w.in)
	if got.Problem != "" || got.List[0].ID != "CVE-2026-31337" || len(got.Missing) != 1 || len(got.Evidence) != 1 {
		t.Errorf("got %+v", got)
	}
	w.in.Evidence = w.in.Evidence[2:]
	if got := gates.ScanOf(w.policy, w.in); got.Problem == "" || len(got.List) != 0 {
		t.Errorf("mallory's scan gave %+v", got)
	}
}

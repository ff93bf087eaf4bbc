package release_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/release"
)

// vulnerable is Trivy's report of one critical vulnerability without a fix.
const vulnerable = `{"SchemaVersion": 2, "ArtifactName": "chat", "ArtifactType": "container_image",
 "Metadata": {"ImageConfig": {"architecture": "amd64", "os": "linux"}},
 "Results": [{"Target": "chat", "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-31337", "Severity": "CRITICAL", "PkgName": "libssl3", "InstalledVersion": "3.0.17-1"}]}]}`

// TestAnAttestedExcuseIsEvidence: a finding is in the way until the scan gate's
// group signs that it does not matter, and again when it signs that it does.
func TestAnAttestedExcuseIsEvidence(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Gates.Scan = &config.ScanGate{Signers: []string{"ci"}, MaxSeverity: config.Medium}
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.signer = w.ci
	attest := func(gate, result string) release.Attested {
		t.Helper()
		got, err := w.desk.Attest(t.Context(), release.AttestRequest{Gate: gate, Reference: w.staging.At(dg), Result: []byte(result)})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	expect := func(status gates.Status, words string) {
		t.Helper()
		if c := check(t, w.gates(dg).Checks, gates.Scan); c.Status != status || !strings.Contains(strings.Join(c.Reasons, "\n"), words) {
			t.Errorf("%+v", c)
		}
	}
	excuse := func(at time.Time, status string) string {
		return fmt.Sprintf(`{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "a", "timestamp": %q, "version": 1,
 "statements": [{"vulnerability": {"name": "CVE-2026-31337"}, "status": %q, "justification": "component_not_present"}]}`, at.Format(time.RFC3339), status)
	}
	attest(gates.Scan, vulnerable)
	expect(gates.Fail, "CVE-2026-31337")
	got := attest(release.VEX, excuse(w.now.Add(-time.Minute), "not_affected"))
	if got.Summary != "1 excused" || got.PredicateType != evidence.OpenVEX || !got.Finished.Equal(w.now.Add(-time.Minute).Truncate(time.Second)) {
		t.Errorf("%+v", got)
	}
	expect(gates.Pass, "excused by OpenVEX")
	attest(release.VEX, excuse(w.now, "affected"))
	expect(gates.Fail, "OpenVEX says affected")
}

// TestAnAttestedDeploymentIsEvidence: who deploys says since when staging runs
// it, and cannot say so of a tag that is elsewhere.
func TestAnAttestedDeploymentIsEvidence(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Gates.Soak = &config.Soak{Min: time.Hour, Channel: "staging", Signers: []string{"ci"}}
	one := w.push(w.staging, "v1", image("app", w.now))
	two := w.push(w.staging, "staging", image("app 2", w.now))
	w.signer = w.ci
	deploy := func(dg digest.Digest, r release.AttestRequest) (release.Attested, error) {
		r.Gate, r.Reference = gates.Soak, w.staging.At(dg)
		return w.desk.Attest(t.Context(), r)
	}
	if _, err := deploy(one, release.AttestRequest{}); fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), two.String()) {
		t.Errorf("staging runs another digest: %v", err)
	}
	if _, err := deploy(two, release.AttestRequest{Channel: "canary"}); fault.CodeOf(err) != fault.Failed {
		t.Errorf("there is no such channel: %v", err)
	}
	got, err := deploy(two, release.AttestRequest{Finished: w.now.Add(-2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c := check(t, w.gates(two).Checks, gates.Soak)
	if c.Status != gates.Pass || !slices.Contains(c.Evidence, got.Evidence) || got.Summary != "runs in staging, channel staging" {
		t.Errorf("%+v, %+v", got, c)
	}
	other := w.config.Services[0]
	other.Name, other.Channel, other.Gates.Soak = "canary", "canary", &config.Soak{Min: time.Hour, Channel: "other", Signers: []string{"ci"}}
	w.config.Services = append(w.config.Services, other)
	if _, err := deploy(two, release.AttestRequest{}); fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "--channel") {
		t.Errorf("two services follow two tags: %v", err)
	}
}

func TestAttestRefusesAnExcuseWithoutEffect(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	document := `{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2020-01-01T00:00:00Z", "statements": [{"vulnerability": {"name": "CVE-1"}, "status": "fixed"}]}`
	for name, r := range map[string]release.AttestRequest{
		"a report":         {Result: []byte(vulnerable)},
		"another time":     {Result: []byte(document), Finished: w.now},
		"of another image": {Result: []byte(strings.Replace(document, `"status"`, `"products": [{"@id": "pkg:oci/web@sha256%3Aabc"}], "status"`, 1))},
	} {
		r.Gate, r.Reference = release.VEX, w.staging.At(dg)
		if _, err := w.desk.Attest(t.Context(), r); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

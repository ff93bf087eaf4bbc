//go:build interop

package cli_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// testResult is in-toto's test-result of the suite smoke.
func testResult(result string, failed ...string) map[string]any {
	return map[string]any{
		"result": result, "configuration": []any{map[string]any{"name": "smoke"}},
		"passedTests": []string{"chat answers", "chat streams"}, "warnedTests": []string{}, "failedTests": append([]string{}, failed...),
		evidence.FinishedOn: time.Now().UTC().Format(time.RFC3339),
	}
}

// vulnScan is what trivy image --format cosign-vuln writes; findings are CVE and severity in turns.
func vulnScan(findings ...string) map[string]any {
	var found []any
	for i := 0; i < len(findings); i += 2 {
		found = append(found, map[string]any{
			"VulnerabilityID": findings[i], "Severity": findings[i+1], "PkgName": "libssl3", "InstalledVersion": "3.0.17-1", "FixedVersion": "3.0.17-2",
			"PkgIdentifier": map[string]any{"PURL": "pkg:deb/debian/libssl3@3.0.17-1"},
		})
	}
	now := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{
		"invocation": map[string]any{"parameters": nil, "uri": "", "event_id": "", "builder.id": ""},
		"scanner": map[string]any{
			"uri": "pkg:github/aquasecurity/trivy@0.74.0", "version": "0.74.0", "db": map[string]any{"uri": "", "version": ""},
			"result": map[string]any{
				"SchemaVersion": 2, "ArtifactName": "chat", "ArtifactType": "container_image",
				"Metadata": map[string]any{"ImageConfig": map[string]any{"architecture": "amd64", "os": "linux"}},
				"Results":  []any{map[string]any{"Target": "chat (debian 12.11)", "Vulnerabilities": found}},
			},
		},
		"metadata": map[string]any{"scanStartedOn": now, "scanFinishedOn": now},
	}
}

// openVEX says that a vulnerability of libssl3 does not matter here.
func openVEX(id string) map[string]any {
	return map[string]any{
		"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/" + id, "author": "security@example.com",
		"timestamp": time.Now().UTC().Format(time.RFC3339), "version": 1,
		"statements": []any{map[string]any{
			"vulnerability": map[string]any{"name": id}, "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
			"products": []any{map[string]any{"@id": "pkg:oci/chat", "subcomponents": []any{map[string]any{"@id": "pkg:deb/debian/libssl3"}}}},
		}},
	}
}

// buildProvenance is BuildKit's SLSA v1; the base is pinned in the Dockerfile or not.
func buildProvenance(pinned bool) map[string]any {
	base := digest.FromString("debian:12-slim")
	purl := "pkg:docker/debian@12-slim?platform=linux%2Famd64"
	if pinned {
		purl = fmt.Sprintf("pkg:docker/debian@12-slim?digest=%s&platform=linux%%2Famd64", base)
	}
	return map[string]any{
		"buildDefinition": map[string]any{
			"buildType":            "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
			"externalParameters":   map[string]any{"configSource": map[string]any{"path": "Dockerfile"}, "request": map[string]any{"frontend": "dockerfile.v0"}},
			"internalParameters":   map[string]any{"builderPlatform": "linux/amd64"},
			"resolvedDependencies": []any{map[string]any{"uri": purl, "digest": map[string]string{"sha256": base.Encoded()}}},
		},
		"runDetails": map[string]any{
			"builder":  map[string]any{"id": "https://github.com/acme/chat/.github/workflows/build.yml"},
			"metadata": map[string]any{"finishedOn": time.Now().UTC().Format(time.RFC3339)},
		},
	}
}

// eachRegistryAndForm runs a story on both registries, for both forms that cosign writes.
func eachRegistryAndForm(t *testing.T, story func(w *interop, form string)) {
	for kind, start := range registriesOfInterop {
		for _, form := range []string{"bundle", "att"} {
			t.Run(kind+"/"+form, func(t *testing.T) {
				t.Parallel()
				story(newInterop(t, start), form)
			})
		}
	}
}

// TestWhatCosignAttestsIsPromoted: CI and the people use nothing but cosign, up to the promotion.
func TestWhatCosignAttestsIsPromoted(t *testing.T) {
	eachRegistryAndForm(t, func(w *interop, form string) {
		dg := w.bare("v1")
		w.attestWith(form, "ci", evidence.TestResult, testResult("PASSED"), dg)
		w.expect(dg, "e2e", "pass", "2/2")
		w.attestWith(form, "scanner", "vuln", vulnScan("CVE-2026-31337", "CRITICAL", "CVE-2026-1", "MEDIUM"), dg)
		w.expect(dg, "scan", "fail", "CVE-2026-31337", "fixed in 3.0.17-2")
		w.attestWith(form, "scanner", "openvex", openVEX("CVE-2026-31337"), dg)
		w.expect(dg, "scan", "pass", "0C 0H 1M", "OpenVEX")
		// By its URI: cosign's short name slsaprovenance1 drops what it does not know.
		w.attestWith(form, "ci", evidence.SLSA1, buildProvenance(true), dg)
		w.expect(dg, "base-image", "pass", "pinned")

		// Ann signs off with plimsoll, bob with cosign, the same but for the name.
		w.mustAs("ann", "approve", "chat", string(dg), "--yes")
		w.expect(dg, "sign-off", "needed")
		w.attestWith(form, "bob", evidence.SignOff, w.signOffOf("ann", "bob@example.com", dg), dg)
		w.expect(dg, "sign-off", "pass", "bob@example.com")

		w.must("promote", "chat", string(dg), "--yes", "--expect", "none")
		if now := w.inProd(); now != dg {
			t.Fatalf("prod has %s", now)
		}
		w.must("verify", w.prod().At(dg))
	})
}

// signOffOf is somebody's sign-off as a predicate for somebody else.
func (w *interop) signOffOf(who, reviewer string, dg digest.Digest) map[string]any {
	w.t.Helper()
	statements := w.verified(who, evidence.SignOff, w.staging().At(dg))
	var predicate map[string]any
	if err := json.Unmarshal(statements[0].Predicate, &predicate); err != nil {
		w.t.Fatal(err)
	}
	predicate["reviewer"] = map[string]any{"id": reviewer}
	return predicate
}

// TestWhatCosignAttestsAgainstACandidateBlocks: no form and no registry turns a no into a yes.
func TestWhatCosignAttestsAgainstACandidateBlocks(t *testing.T) {
	eachRegistryAndForm(t, func(w *interop, form string) {
		dg := w.bare("v1")
		w.attestWith(form, "mallory", evidence.TestResult, testResult("PASSED"), dg)
		w.attestWith(form, "scanner", evidence.TestResult, testResult("PASSED"), dg)
		w.expect(dg, "e2e", "missing", "wrong signer")
		w.attestWith(form, "ci", evidence.TestResult, testResult("PASSED"), dg)
		w.expect(dg, "e2e", "pass")
		w.attestWith(form, "ci", evidence.TestResult, testResult("FAILED", "chat remembers"), dg)
		w.expect(dg, "e2e", "fail", "chat remembers")

		w.attestWith(form, "ci", "vuln", vulnScan(), dg) // signed by the wrong machine
		w.expect(dg, "scan", "missing")
		w.attestWith(form, "scanner", "vuln", vulnScan("CVE-2026-31337", "CRITICAL"), dg)
		w.attestWith(form, "mallory", "openvex", openVEX("CVE-2026-31337"), dg)
		w.expect(dg, "scan", "fail", "CVE-2026-31337")
		w.attestWith(form, "ci", evidence.SLSA1, buildProvenance(false), dg)
		w.expect(dg, "base-image", "fail", "debian")

		a := w.run("promote", "chat", string(dg), "--yes", "--expect", "none")
		if a.code != 3 || w.inProd() != "" {
			t.Errorf("promote: exit %d, prod has %q\n%s", a.code, w.inProd(), a.err)
		}
	})
}

// TestReportsThatCosignWrapsAreJudged: cosign writes a vuln predicate anew, with
// the scanner's report inside, and the gate still reads each of them.
func TestReportsThatCosignWrapsAreJudged(t *testing.T) {
	for file, want := range map[string][2]string{
		"trivy.json": {"pass", "0C 0H 3M"}, "grype.json": {"pass", "0C 0H 3M"}, "trivy-critical.json": {"fail", "CVE-2026-31337"},
		"grype-high.json": {"fail", "CVE-2026-31337"}, "trivy.sarif": {"fail", "CVE-2026-31337"}, "grype.sarif": {"fail", "GHSA-4374-p667-p6c8"},
		"trivy-cyclonedx.json": {"fail", "CVE-2026-31337"}, "grype-cyclonedx.json": {"missing", "the report inside is about sha256:b768"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := newInterop(t, embeddedRegistries)
			dg := w.bare("v1")
			predicate := vulnScan()
			predicate["scanner"].(map[string]any)["result"] = w.report(file)
			w.attestWith("bundle", "scanner", "vuln", predicate, dg)
			w.expect(dg, "scan", want[0], want[1])
		})
	}
}

// TestAListOfContentsThatCosignAttestsIsNoScan: what cosign attests with --type cyclonedx says
// what is in the image; the scan gate wants a predicate that says what is wrong with it.
func TestAListOfContentsThatCosignAttestsIsNoScan(t *testing.T) {
	w := newInterop(t, embeddedRegistries)
	dg := w.bare("v1")
	w.attestWith("bundle", "scanner", "cyclonedx", w.report("trivy-sbom.json"), dg)
	w.attestWith("bundle", "scanner", "https://example.com/our-own/v1", map[string]any{"result": "PASSED"}, dg)
	w.expect(dg, "scan", "missing")
	w.attestWith("bundle", "scanner", "vuln", vulnScan(), dg)
	w.expect(dg, "scan", "pass", "0C 0H 0M")
	w.attestWith("bundle", "scanner", "cyclonedx", w.report("trivy-cyclonedx.json"), dg)
	w.expect(dg, "scan", "pass", "0C 0H 0M")
}

// report is a report of testdata/reports as cosign takes it.
func (w *interop) report(file string) map[string]any {
	w.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(w.read(filepath.Join("..", "testdata", "reports", file)), &v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestWhatCosignCopiedToAnotherImageProvesNothing: the statement is true, but about another digest.
func TestWhatCosignCopiedToAnotherImageProvesNothing(t *testing.T) {
	for kind, start := range registriesOfInterop {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newInterop(t, start)
			tested, other := w.bare("v1"), w.bare("v2")
			w.attestWith("att", "ci", evidence.TestResult, testResult("PASSED"), tested)
			w.expect(tested, "e2e", "pass")
			tag := func(d digest.Digest) string { return strings.Replace(string(d), ":", "-", 1) + ".att" }
			m, err := w.push.Manifest(t.Context(), w.staging(), tag(tested))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.push.PutManifest(t.Context(), w.staging(), tag(other), m); err != nil {
				t.Fatal(err)
			}
			w.expect(other, "e2e", "missing", "subject")
		})
	}
}

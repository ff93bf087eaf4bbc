// Package report reads what test runners and scanners write, turns it into
// the predicates that are signed, and reads those back from verified bytes.
//
//	result file ─► Detect ─► JUnit, GoTest ───────────────► Tests ─► TestPredicate ─► signed
//	                    └──► Trivy, Grype, SARIF, CycloneDX ► Scan ─► VulnPredicate ─► signed
//	verified predicate ─► ReadTest, ReadScan ─► what the gates judge
//
// All input is limited in size and read to its end; what is not understood is
// an error, never a pass. Text is made harmless for a terminal on the way in.
//
// Formats and where they are written down:
//   - test-result v0.1: https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
//   - cosign vuln v1: https://github.com/sigstore/cosign/blob/main/specs/COSIGN_VULN_ATTESTATION_SPEC.md
//   - JUnit XML: https://github.com/testmoapp/junitxml
//   - go test -json: https://pkg.go.dev/cmd/test2json
//   - SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
//   - CycloneDX 1.4 to 1.7: https://cyclonedx.org/docs/1.7/json/
//   - Trivy and Grype: their JSON as of v0.74 and v0.121, fields in trivy.go and grype.go;
//     testdata/reports has what they really wrote
//
// Files: report.go (limits, formats, text), tests.go, junit.go, gotest.go,
// testpredicate.go; scan.go (findings, severities), trivy.go, grype.go,
// sarif.go, cyclonedx.go, vulnpredicate.go.
//
// JUnit is read here and not by github.com/joshdk/go-junit: that keeps the
// whole tree and its text in memory at once, limits no depth, ignores failures
// that a suite declares without a test case, and takes a retried test
// (rerunFailure) for what its first run was.
package report

package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// file reads one of the tools' files.
func file(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reports", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var finished = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func TestTestFilesOfTheToolsAreCounted(t *testing.T) {
	for _, c := range []struct {
		file, summary, suite, failed, finished string
		skipped                                int
	}{
		{"playwright-smoke.xml", "48/48", "", "", "2026-11-23T09:13:23Z", 0},
		{"playwright-smoke-failed.xml", "46/48", "", "chat.spec.ts streams the answer", "2026-11-23T09:13:23Z", 0},
		{"surefire-flaky.xml", "3/4", "com.acme.gateway.RoutingIT", "com.acme.gateway.RoutingIT limitsTokensPerMinute", "", 1},
		{"pytest-setup-error.xml", "2/3", "pytest", "tests.e2e.test_models test_unloads", "2026-11-23T09:20:07Z", 0},
		{"go-test.jsonl", "6/6", "", "", "2026-11-23T09:30:20Z", 0},
		{"go-test-failed.jsonl", "4/6", "", "acme.example/web/e2e TestSearch/umlauts", "2026-11-23T09:30:20Z", 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			got, err := report.ReadTestFile(file(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != c.summary || got.Skipped != c.skipped || got.Suite != c.suite || got.OK() != (c.failed == "") {
				t.Errorf("got %s, %d skipped, suite %q", got, got.Skipped, got.Suite)
			}
			if c.failed != "" && !slices.Contains(got.Failures, c.failed) {
				t.Errorf("failures %q lack %q", got.Failures, c.failed)
			}
			if at := got.Finished; c.finished == "" != at.IsZero() || !at.IsZero() && at.Truncate(time.Second).Format(time.RFC3339) != c.finished {
				t.Errorf("finished %v, want %s", at, c.finished)
			}
		})
	}
}

func TestWhatDidNotRunIsNoPass(t *testing.T) {
	for name, raw := range map[string]string{
		"empty file":       "",
		"no tests":         `<testsuites></testsuites>`,
		"only skipped":     `<testsuite><testcase name="a"><skipped/></testcase></testsuite>`,
		"cut":              string(file(t, "playwright-smoke.xml")[:2000]),
		"html":             `<html><body>502 Bad Gateway</body></html>`,
		"two roots":        `<testsuite><testcase name="a"/></testsuite><oops`,
		"deep":             strings.Repeat("<testsuite>", 200),
		"go, no tests":     `{"Action":"start","Package":"p"}` + "\n" + `{"Action":"skip","Package":"p"}`,
		"go, wrong type":   `{"Action":7,"Package":"p"}`,
		"a scan":           string(file(t, "trivy.json")),
		"entity expansion": `<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;"/></testsuite>`,
	} {
		if got, err := report.ReadTestFile([]byte(raw)); err == nil {
			t.Errorf("%s gave %s", name, got)
		}
	}
}

func TestDeclaredFailuresCountWithoutTestCase(t *testing.T) {
	got, err := report.ReadTestFile([]byte(`<testsuites><testsuite name="db" tests="2" errors="2"><testcase name="a"/>` +
		`<testsuite name="inner" failures="1"><testcase name="b"><failure/></testcase></testsuite></testsuite></testsuites>`))
	if err != nil || got.String() != "1/3" || got.OK() {
		t.Errorf("got %s, %v", got, err)
	}
	if !slices.Contains(got.Failures, "db (declared by the suite, no test case)") {
		t.Errorf("failures %q", got.Failures)
	}
}

func TestGoTestThatWasCutOrDoesNotBuildFails(t *testing.T) {
	for name, want := range map[string]string{"go-test-build-failed.jsonl": "does not build", "cut": "did not finish"} {
		raw := file(t, "go-test.jsonl")
		raw = raw[:bytes.LastIndexByte(raw[:len(raw)-1], '\n')+1]
		if name != "cut" {
			raw = file(t, name)
		}
		got, err := report.ReadTestFile(raw)
		if err != nil || got.OK() || !strings.Contains(strings.Join(got.Failures, "\n"), want) {
			t.Errorf("%s: %s %q, %v", name, got, got.Failures, err)
		}
	}
}

func TestTestPredicateReadsBack(t *testing.T) {
	raw := file(t, "playwright-smoke-failed.xml")
	tests, err := report.ReadTestFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	predicate, err := json.Marshal(report.TestPredicate(tests, "smoke", "https://ci.example.com/77", finished, raw))
	if err != nil {
		t.Fatal(err)
	}
	got, err := report.ReadTest(predicate)
	if err != nil {
		t.Fatal(err)
	}
	if got.OK() || got.Summary() != "46/48" || !slices.Equal(got.Suites, []string{"smoke"}) || len(got.Failed) != 2 || got.URL == "" {
		t.Errorf("got %+v", got)
	}
	v := evidence.Verified{Statement: evidence.Statement{PredicateType: evidence.TestResult, Predicate: predicate}}
	if at, err := v.SignedTime(); err != nil || !at.Equal(finished) {
		t.Errorf("signed time %v, %v", at, err)
	}
}

func TestOnlyAPassedResultPasses(t *testing.T) {
	for predicate, want := range map[string]bool{
		`{"result":"PASSED"}`: true,
		`{"result":"PASSED","configuration":[{"name":"smoke"}],"passedTests":["a"]}`:    true,
		`{"result":"PASSED","failedTests":["a"]}`:                                       false,
		`{"result":"PASSED","warnedTests":["a"]}`:                                       false,
		`{"result":"WARNED"}`:                                                           false,
		`{"result":"FAILED"}`:                                                           false,
		`{"result":"PASSED","urn:plimsoll:counts":{"passed":0,"failed":0,"skipped":3}}`: false,
		`{"result":"PASSED","urn:plimsoll:counts":{"passed":9,"failed":1,"skipped":0}}`: false,
	} {
		got, err := report.ReadTest([]byte(predicate))
		if err != nil || got.OK() != want {
			t.Errorf("%s: %v, %v", predicate, got.OK(), err)
		}
	}
	for _, bad := range []string{`{}`, `{"result":"passed"}`, `{"result":true}`, `{"result":"PASSED","failedTests":"a"}`, `{"result":"PASSED","urn:plimsoll:counts":{"passed":-1}}`} {
		if _, err := report.ReadTest([]byte(bad)); !errors.Is(err, evidence.ErrMalformed) {
			t.Errorf("%s gave %v", bad, err)
		}
	}
}

// What the images of testdata/reports have, as id, package, version and fix.
const (
	openssl = "CVE-2026-31337 libssl3 3.0.17-1~deb12u2 → 3.0.17-1~deb12u3"
	tiff    = "CVE-2026-20417 libtiff6 4.5.0-6+deb12u3 → 4.5.0-6+deb12u4"
)

func TestScanFilesOfTheToolsAreCounted(t *testing.T) {
	for _, c := range []struct{ file, scanner, counts, platform, worst string }{
		{"trivy.json", "trivy", "0C 0H 3M", "linux/amd64", tiff},
		{"trivy-arm64.json", "trivy", "0C 0H 2M", "linux/arm64/v8", tiff},
		{"trivy-critical.json", "trivy", "1C 1H 3M", "linux/amd64", openssl},
		{"trivy-registry-arm64.json", "trivy", "1C 1H 2M", "linux/arm64/v8", openssl},
		{"trivy.sarif", "trivy", "1C 1H 3M", "", openssl},
		{"trivy-registry-arm64.sarif", "trivy", "1C 1H 2M", "", openssl},
		{"trivy-cyclonedx.json", "trivy", "1C 1H 3M", "", openssl},
		{"trivy-registry-arm64-cyclonedx.json", "trivy", "1C 1H 2M", "linux/arm64", openssl},
		{"grype.json", "grype", "0C 0H 3M", "linux/amd64", tiff},
		{"grype-high.json", "grype", "1C 1H 3M", "linux/amd64", openssl},
		{"grype-registry-arm64.json", "grype", "1C 1H 2M", "linux/arm64", openssl},
		{"grype.sarif", "grype", "1C 1H 3M", "", openssl},
		{"grype-registry-arm64.sarif", "grype", "1C 1H 2M", "", openssl},
		{"grype-cyclonedx.json", "grype", "1C 1H 3M", "", openssl},
		{"grype-registry-arm64-cyclonedx.json", "grype", "1C 1H 2M", "", openssl},
	} {
		t.Run(c.file, func(t *testing.T) {
			got, err := report.ReadScanFile(file(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if got.Scanner != c.scanner || report.Count(got.Findings).String() != c.counts || got.Platform != c.platform {
				t.Errorf("got %s, %s, %q", got.Scanner, report.Count(got.Findings), got.Platform)
			}
			if f := got.Findings[0]; f.ID+" "+f.Package+" "+f.Version+" → "+f.Fixed != c.worst {
				t.Errorf("worst is %+v", f)
			}
		})
	}
}

// TestReportsFromARegistryNameTheirImage is what keeps a report about another image out.
func TestReportsFromARegistryNameTheirImage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "reports", "*-registry-*"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d reports, %v", len(files), err)
	}
	for _, f := range files {
		scan, err := report.ReadScanFile(file(t, filepath.Base(f)))
		if err != nil || len(scan.Digests) != 1 || scan.Digests[0] != "sha256:3e15efecbcb14031b3aced23fb62685ce95a9bb1913704fa7052afaeaa9ba56d" {
			t.Errorf("%s is about %q, %v", f, scan.Digests, err)
		}
	}
}

// TestAnAdvisoryOfGitHubIsNamedTheSameInEveryFormat: allow entries and OpenVEX name findings by it.
func TestAnAdvisoryOfGitHubIsNamedTheSameInEveryFormat(t *testing.T) {
	for file, id := range map[string]string{
		"trivy-critical.json": "CVE-2026-28131", "trivy.sarif": "CVE-2026-28131", "trivy-cyclonedx.json": "CVE-2026-28131",
		"grype-high.json": "GHSA-4374-p667-p6c8", "grype.sarif": "GHSA-4374-p667-p6c8", "grype-cyclonedx.json": "GHSA-4374-p667-p6c8",
	} {
		scan := scanOf(t, file)
		i := slices.IndexFunc(scan.Findings, func(f report.Finding) bool { return f.Package == "golang.org/x/net" })
		if i < 0 || scan.Findings[i].ID != id || scan.Findings[i].Version != "v0.30.0" || scan.Findings[i].Fixed != "0.45.0" {
			t.Errorf("%s: %+v", file, scan.Findings)
		}
	}
	for _, file := range []string{"trivy-critical.json", "grype-high.json"} {
		scan := scanOf(t, file)
		for _, id := range []string{"CVE-2026-28131", "ghsa-4374-p667-p6c8"} {
			if !slices.ContainsFunc(scan.Findings, func(f report.Finding) bool { return f.Named(id) }) {
				t.Errorf("%s has no %s", file, id)
			}
		}
	}
}

func scanOf(t testing.TB, name string) report.Scan {
	t.Helper()
	scan, err := report.ReadScanFile(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return scan
}

// TestAListOfContentsIsNoCleanScan: Trivy writes an empty list of
// vulnerabilities, too, where it looked for none.
func TestAListOfContentsIsNoCleanScan(t *testing.T) {
	raw := file(t, "trivy-sbom.json")
	if !strings.Contains(string(raw), `"vulnerabilities": []`) {
		t.Fatal("trivy-sbom.json is not what Trivy writes without a scan")
	}
	if scan, err := report.ReadScanFile(raw); err == nil || !strings.Contains(err.Error(), "proves no scan") {
		t.Errorf("read as %s with %d findings, %v", scan.Scanner, len(scan.Findings), err)
	}
}

func TestToolsOfCycloneDX(t *testing.T) {
	for tools, want := range map[string]string{
		`[{"vendor":"aquasecurity","name":"Trivy","version":"0.49.0"}]`: "trivy 0.49.0",
		`{"components":[{"name":"grype","version":"0.121.2"}]}`:         "grype 0.121.2",
		`{"components":[{"name":"grype"},{"name":"syft"}]}`:             "cyclonedx ",
		`{"components":[],"services":[{"name":"x"}]}`:                   "cyclonedx ",
		`7`: "cyclonedx ",
		`{"components":[{"name":"gr\u001bype","version":"\u202e1"}]}`: "grype 1",
	} {
		got, err := report.ReadScanFile([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"tools":` + tools + `},"vulnerabilities":[{"id":"CVE-1"}]}`))
		if err != nil || got.Scanner+" "+got.Version != want {
			t.Errorf("%s: %q, %v", tools, got.Scanner+" "+got.Version, err)
		}
	}
}

func TestVulnPredicateReadsBack(t *testing.T) {
	for _, name := range []string{"trivy-critical.json", "grype-high.json", "trivy.sarif", "trivy-cyclonedx.json", "grype-cyclonedx.json"} {
		scan, err := report.ReadScanFile(file(t, name))
		if err != nil {
			t.Fatal(err)
		}
		predicate, err := json.Marshal(report.VulnPredicate(scan, "", finished))
		if err != nil {
			t.Fatal(err)
		}
		got, err := report.ReadScan(predicate)
		if err != nil {
			t.Fatal(err)
		}
		if got.Scanner != scan.Scanner || len(got.Findings) != len(scan.Findings) || got.Platform != scan.Platform || !got.Finished.Equal(finished) {
			t.Errorf("%s came back as %s with %d findings", name, got.Scanner, len(got.Findings))
		}
	}
}

func TestTrivysOwnPredicateIsRead(t *testing.T) {
	got, err := report.ReadScan(file(t, "trivy-cosign-vuln.json"))
	if err != nil {
		t.Fatal(err)
	}
	if report.Count(got.Findings)[config.Critical] != 1 || got.Version != "0.74.0" || got.Finished.Format(time.RFC3339) != "2026-11-24T04:29:46Z" {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsNoImageScanIsRefused(t *testing.T) {
	trivy, grype := string(file(t, "trivy.json")), string(file(t, "grype.json"))
	for name, raw := range map[string]string{
		"filesystem":       strings.Replace(trivy, "container_image", "filesystem", 1),
		"schema 3":         strings.Replace(trivy, `"SchemaVersion": 2`, `"SchemaVersion": 3`, 1),
		"unknown severity": strings.Replace(trivy, `"Severity": "MEDIUM"`, `"Severity": "SEVERE"`, 1),
		"directory":        strings.Replace(grype, `"type":"image"`, `"type":"directory"`, 1),
		"other tool":       strings.Replace(grype, `"name":"grype"`, `"name":"snyk"`, 1),
		"wrong type":       strings.Replace(trivy, `"Results": [`, `"Results": 7, "X": [`, 1),
		"duplicate":        strings.Replace(trivy, `"Results": [`, `"Results": [], "Results": [`, 1),
		"trailing":         trivy + "{}",
		"bill only":        `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}`,
		"bill of Trivy":    string(file(t, "trivy-sbom.json")),
		"no runs":          `{"version":"2.1.0","runs":[]}`,
		"scan failed":      `{"version":"2.1.0","runs":[{"invocations":[{"executionSuccessful":false}]}]}`,
		"tests":            string(file(t, "go-test.jsonl")),
		"nothing":          "",
	} {
		if got, err := report.ReadScanFile([]byte(raw)); err == nil {
			t.Errorf("%s was read: %d findings", name, len(got.Findings))
		}
	}
	for _, bad := range []string{`{}`, `{"scanner":{"result":null}}`, `{"scanner":{"result":{}}}`, `{"scanner":7}`} {
		if _, err := report.ReadScan([]byte(bad)); !errors.Is(err, evidence.ErrMalformed) {
			t.Errorf("%s gave %v", bad, err)
		}
	}
}

func TestTextFromReportsIsHarmless(t *testing.T) {
	raw := strings.Replace(string(file(t, "trivy.json")), "libtiff: out-of-bounds", `\u001b[31mred\u202e`, 1)
	raw = strings.Replace(raw, "https://avd", "javascript:avd", 1)
	scan, err := report.ReadScanFile([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range scan.Findings {
		if strings.ContainsAny(f.Title, "\x1b\u202e") || strings.HasPrefix(f.URL, "javascript") {
			t.Errorf("kept %q %q", f.Title, f.URL)
		}
	}
}

func TestSARIFSeverities(t *testing.T) {
	for result, want := range map[string]config.Severity{
		`{"ruleId":"x"}`:                                         config.Medium,
		`{"ruleId":"x","level":"error"}`:                         config.High,
		`{"ruleId":"x","level":"note"}`:                          config.Low,
		`{"ruleId":"s","level":"note"}`:                          config.Critical,
		`{"ruleId":"t","level":"note"}`:                          config.High,
		`{"ruleId":"x","message":{"text":"Severity: CRITICAL"}}`: config.Critical,
	} {
		scan, err := report.ReadScanFile([]byte(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[` +
			`{"id":"s","properties":{"security-severity":"9.1"}},{"id":"t","properties":{"tags":["security","HIGH"]}}]}},"results":[` + result + `]}]}`))
		if err != nil || len(scan.Findings) != 1 || scan.Findings[0].Severity != want {
			t.Errorf("%s: %+v, %v", result, scan.Findings, err)
		}
	}
}

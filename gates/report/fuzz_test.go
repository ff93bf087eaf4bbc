package report_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

func FuzzTestFile(f *testing.F) {
	for _, name := range []string{"surefire-flaky.xml", "pytest-setup-error.xml", "go-test.jsonl", "go-test-build-failed.jsonl"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := report.ReadTestFile(raw)
		if err != nil {
			return
		}
		if got.Ran() == 0 || got.Failed < 0 || got.OK() != (got.Failed == 0) {
			t.Errorf("got %+v", got)
		}
		predicate, err := json.Marshal(report.TestPredicate(got, "suite", "", finished, raw))
		if err != nil {
			t.Fatal(err)
		}
		back, err := report.ReadTest(predicate)
		if err != nil || back.OK() != got.OK() {
			t.Errorf("%+v came back as %+v, %v", got, back, err)
		}
	})
}

func FuzzScanFile(f *testing.F) {
	for _, name := range []string{"trivy-critical.json", "grype-high.json", "trivy.sarif", "grype.sarif", "trivy-cyclonedx.json", "grype-cyclonedx.json"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := report.ReadScanFile(raw)
		if err != nil {
			return
		}
		for _, finding := range got.Findings {
			if strings.ContainsRune(finding.Title+finding.Package+finding.ID, '\x1b') {
				t.Errorf("kept an escape sequence in %+v", finding)
			}
		}
		predicate, err := json.Marshal(report.VulnPredicate(got, "", finished))
		if err != nil {
			t.Fatal(err)
		}
		back, err := report.ReadScan(predicate)
		if err != nil || report.Count(back.Findings) != report.Count(got.Findings) {
			t.Errorf("came back as %+v, %v", back, err)
		}
	})
}

func FuzzPredicates(f *testing.F) {
	f.Add([]byte(`{"result":"PASSED"}`))
	f.Add(file(f, "trivy-cosign-vuln.json"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := report.ReadTest(raw); err != nil && !errors.Is(err, evidence.ErrMalformed) {
			t.Error(err)
		}
		if _, err := report.ReadScan(raw); err != nil && !errors.Is(err, evidence.ErrMalformed) {
			t.Error(err)
		}
	})
}

package ecr_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

var finished = time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)

// scanned is a page of DescribeImageScanFindings.
func scanned(status string, findings map[string]any) map[string]any {
	page := map[string]any{"imageScanStatus": map[string]any{"status": status, "description": "as AWS says it"}}
	if findings != nil {
		findings["imageScanCompletedAt"] = float64(finished.Unix())
		page["imageScanFindings"] = findings
	}
	return page
}

func basicFinding(id, severity string) map[string]any {
	return map[string]any{
		"name": id, "severity": severity, "uri": "https://security-tracker.debian.org/" + id,
		"attributes": []any{map[string]string{"key": "package_name", "value": "openssl"}, map[string]string{"key": "package_version", "value": "3.0.1"}},
	}
}

func enhancedFinding(id, severity, status string, packages ...map[string]any) map[string]any {
	return map[string]any{
		"severity": severity, "status": status, "title": id + " in a package", "type": "PACKAGE_VULNERABILITY",
		"packageVulnerabilityDetails": map[string]any{
			"vulnerabilityId": id, "sourceUrl": "https://nvd.nist.gov/" + id, "relatedVulnerabilities": []string{"GHSA-1"}, "vulnerablePackages": packages,
		},
	}
}

func (w *world) scan(t *testing.T, pages ...map[string]any) (registry.Scan, error) {
	t.Helper()
	m := w.push(t, w.staging, "v1")
	w.staging.Image("app", m.Descriptor.Digest).Scan = pages
	return w.client(registry.Read).Scan(t.Context(), w.staging.Repository("app"), m.Descriptor.Digest)
}

func TestBasicFindingsAreReadFromAllPages(t *testing.T) {
	w := newWorld(t)
	s, err := w.scan(t,
		scanned("COMPLETE", map[string]any{"findings": []any{basicFinding("CVE-1", "HIGH")}}),
		scanned("COMPLETE", map[string]any{"findings": []any{basicFinding("CVE-2", "UNDEFINED"), basicFinding("CVE-3", "INFORMATIONAL")}}))
	must(t, err)
	want := registry.Finding{ID: "CVE-1", Severity: "HIGH", Package: "openssl", Version: "3.0.1", URL: "https://security-tracker.debian.org/CVE-1"}
	if s.State != registry.Scanned || !s.Finished.Equal(finished) || len(s.Findings) != 3 || fmt.Sprint(s.Findings[0]) != fmt.Sprint(want) {
		t.Errorf("%+v", s)
	}
	if n := w.Actions("DescribeImageScanFindings"); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestEnhancedFindingsSayWhatFixesThem(t *testing.T) {
	w := newWorld(t)
	s, err := w.scan(t, scanned("ACTIVE", map[string]any{"enhancedFindings": []any{
		enhancedFinding("CVE-1", "CRITICAL", "ACTIVE",
			map[string]any{"name": "curl", "version": "8.1", "release": "2", "epoch": 1, "fixedInVersion": "8.2"},
			map[string]any{"name": "libcurl", "version": "8.1", "fixedInVersion": "NotAvailable"}),
		enhancedFinding("CVE-2", "HIGH", "CLOSED", map[string]any{"name": "zlib"}),
		enhancedFinding("CVE-3", "UNTRIAGED", "SUPPRESSED", map[string]any{"name": "bash", "version": "5"}),
		map[string]any{"severity": "LOW", "status": "ACTIVE", "title": "a secret in the code", "type": "CODE_VULNERABILITY"},
	}}))
	must(t, err)
	var got []string
	for _, f := range s.Findings {
		got = append(got, strings.Join([]string{f.ID, strings.Join(f.Aliases, " "), f.Severity, f.Package, f.Version, f.Fixed}, "|"))
	}
	want := []string{
		"CVE-1|GHSA-1|CRITICAL|curl|1:8.1-2|8.2", "CVE-1|GHSA-1|CRITICAL|libcurl|8.1|",
		"CVE-3|GHSA-1|UNTRIAGED|bash|5|", "a secret in the code||LOW|||",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAScanThatIsNotDoneHasNoFindings(t *testing.T) {
	for status, want := range map[string]registry.ScanState{"IN_PROGRESS": registry.Scanning, "PENDING": registry.Scanning} {
		s, err := newWorld(t).scan(t, scanned(status, map[string]any{"findings": []any{basicFinding("CVE-1", "LOW")}}))
		if err != nil || s.State != want || s.Findings != nil {
			t.Errorf("%s: %+v, %v", status, s, err)
		}
	}
	if s, err := newWorld(t).scan(t); err != nil || s.State != registry.NoScan {
		t.Errorf("never scanned: %+v, %v", s, err)
	}
}

func TestAScanThatCannotBeMadeSaysWhyAndWhatToDo(t *testing.T) {
	for status, hint := range map[string]string{
		"FAILED": "start-image-scan", "UNSUPPORTED_IMAGE": "plimsoll attest scan", "SCAN_ELIGIBILITY_EXPIRED": "push the image again",
		"FINDINGS_UNAVAILABLE": "console of ECR", "LIMIT_EXCEEDED": "quota", "IMAGE_ARCHIVED": "archive", "SOMETHING_NEW": "console of ECR", "": "console of ECR",
	} {
		_, err := newWorld(t).scan(t, scanned(status, map[string]any{}))
		if !errors.Is(err, registry.ErrUnscanned) || !strings.Contains(err.Error(), "ECR says "+status) || !strings.Contains(err.Error(), "as AWS says it") ||
			!strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%s: %v (%s)", status, err, fault.HintOf(err))
		}
	}
}

func TestAScanThatChangesWhileItIsReadIsAnError(t *testing.T) {
	later := scanned("COMPLETE", map[string]any{"findings": []any{}})
	later["imageScanFindings"].(map[string]any)["imageScanCompletedAt"] = float64(finished.Unix() + 60)
	_, err := newWorld(t).scan(t, scanned("COMPLETE", map[string]any{"findings": []any{basicFinding("CVE-1", "LOW")}}), later)
	if err == nil || !strings.Contains(err.Error(), "anew") {
		t.Errorf("got %v", err)
	}
}

func TestFindingsThatMayNotBeReadAreAnError(t *testing.T) {
	w := newWorld(t)
	w.Allow(person, map[string][]string{"arn:aws:ecr:*:*:repository/*": {"ecr:BatchGetImage"}})
	if _, err := w.scan(t, scanned("COMPLETE", map[string]any{})); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "ecr:DescribeImageScanFindings") {
		t.Errorf("got %v", err)
	}
	w = newWorld(t)
	w.entries[w.staging.Host] = config.Registry{Read: &config.Identity{Docker: true}}
	if _, err := w.scan(t, scanned("COMPLETE", map[string]any{})); !errors.Is(err, registry.ErrUnsupported) || !strings.Contains(fault.HintOf(err), "aws") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	c := registry.New(registry.Options{})
	defer c.Close()
	if _, err := c.Scan(t.Context(), registry.Repository{Host: "registry.example.com", Path: "app"}, "sha256:x"); !errors.Is(err, registry.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"plimsoll/registry"

	"github.com/opencontainers/go-digest"
)

// junit is a test report as CI writes it: passed tests, then the failed ones by name.
func junit(passed int, failed []string, at time.Time) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="smoke" tests="%d" failures="%d" errors="0" time="212.4" timestamp="%s">
`, passed+len(failed), len(failed), at.UTC().Format("2006-01-02T15:04:05"))
	for i := range passed {
		fmt.Fprintf(&b, `<testcase classname="e2e.chat" name="case %02d" time="4.1"/>`+"\n", i+1)
	}
	for _, name := range failed {
		fmt.Fprintf(&b, `<testcase classname="e2e.chat" name="%s" time="30.0"><failure message="timed out after 30 s">expected 200, got 504</failure></testcase>`+"\n", name)
	}
	b.WriteString("</testsuite></testsuites>\n")
	return []byte(b.String())
}

// finding is a vulnerability in a scan of the demo.
type finding struct{ id, pkg, installed, fixed, severity, title string }

// trivy is a report as `trivy image --format json` writes it, for one platform of an image.
func trivy(repo registry.Repository, dg digest.Digest, platform string, findings []finding) ([]byte, error) {
	operatingSystem, architecture, _ := strings.Cut(platform, "/")
	list := make([]map[string]any, 0, len(findings))
	for _, f := range findings {
		list = append(list, map[string]any{
			"VulnerabilityID": f.id, "PkgName": f.pkg, "InstalledVersion": f.installed, "FixedVersion": f.fixed,
			"Severity": f.severity, "Title": f.title, "PrimaryURL": "https://avd.aquasec.com/nvd/" + strings.ToLower(f.id),
		})
	}
	raw, err := json.Marshal(map[string]any{
		"SchemaVersion": 2, "ArtifactName": repo.At(dg), "ArtifactType": "container_image",
		"Trivy": map[string]any{"Version": "0.74.0"},
		"Metadata": map[string]any{
			"OS": map[string]any{"Family": "debian", "Name": "12.9"}, "RepoDigests": []string{repo.At(dg)},
			"ImageConfig": map[string]any{"architecture": architecture, "os": operatingSystem},
		},
		"Results": []any{map[string]any{"Target": repo.At(dg) + " (debian 12.9)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": list}},
	})
	if err != nil {
		return nil, fmt.Errorf("write the demo's scan: %w", err)
	}
	return raw, nil
}

// What the demo's scanner found, by name of the scan.
var (
	usual = []finding{
		{"CVE-2026-21033", "libssl3", "3.0.15-1", "", "MEDIUM", "openssl: timing side channel in ECDSA"},
		{"CVE-2026-10981", "zlib1g", "1.2.13", "", "MEDIUM", "zlib: integer overflow in MiniZip"},
		{"CVE-2025-6965", "libsqlite3-0", "3.40.1-2", "3.40.1-3", "MEDIUM", "sqlite: integer truncation"},
	}
	fewer    = usual[:2]
	critical = append([]finding{
		{"CVE-2026-30991", "libtorch", "2.9.0", "2.9.1", "CRITICAL", "torch: arbitrary code execution while loading a model file"},
	}, usual...)
)

package report

import (
	"fmt"
	"io"
)

// trivyReport is trivy image --format json, schema version 2
// (https://github.com/aquasecurity/trivy/blob/main/pkg/types/report.go), as far as it is used.
type trivyReport struct {
	SchemaVersion int
	CreatedAt     string
	Trivy         struct{ Version string }
	ArtifactName  string
	ArtifactType  string
	Metadata      struct {
		RepoDigests []string
		ImageConfig struct {
			OS           string `json:"os"`
			Architecture string `json:"architecture"`
			Variant      string `json:"variant"`
		}
	}
	Results []struct {
		Target          string
		Vulnerabilities []trivyFinding
	}
}

// trivyFinding is Trivy's DetectedVulnerability.
type trivyFinding struct {
	VulnerabilityID  string
	VendorIDs        []string
	PkgName          string
	PkgIdentifier    struct{ PURL string }
	InstalledVersion string
	FixedVersion     string
	Severity         string
	Title            string
	PrimaryURL       string
}

// Trivy reads trivy image --format json.
func Trivy(r io.Reader) (Scan, error) {
	var t trivyReport
	raw, err := decode(r, "Trivy report", &t)
	if err != nil {
		return Scan{}, err
	}
	switch {
	case t.SchemaVersion != 2:
		return Scan{}, fmt.Errorf("a Trivy report of schema version %d cannot be read, only 2", t.SchemaVersion)
	case t.ArtifactType == "filesystem" || t.ArtifactType == "repository":
		return Scan{}, fmt.Errorf("this Trivy report is about a %s, not an image; scan with: trivy image", t.ArtifactType)
	}
	s := Scan{Scanner: "trivy", Version: t.Trivy.Version, Finished: when(t.CreatedAt)}
	s.URI = scannerPURL("aquasecurity/trivy", s.Version)
	c := t.Metadata.ImageConfig
	s.Platform, s.Digests = platform(c.OS, c.Architecture, c.Variant), digestsOf(t.Metadata.RepoDigests...)
	for _, result := range t.Results {
		for _, v := range result.Vulnerabilities {
			severity, err := Severity(v.Severity)
			if err != nil {
				return Scan{}, fmt.Errorf("the Trivy report, %s: %w", name(v.VulnerabilityID), err)
			}
			s.Findings = append(s.Findings, Finding{
				ID: v.VulnerabilityID, Aliases: v.VendorIDs, Package: v.PkgName, Version: v.InstalledVersion,
				PURL: v.PkgIdentifier.PURL, Fixed: v.FixedVersion, Severity: severity, Title: v.Title, URL: v.PrimaryURL, Target: result.Target,
			})
		}
	}
	return s.finish(raw)
}

// scannerPURL names a scanner as Trivy names itself in a vuln predicate.
func scannerPURL(repository, version string) string {
	if version == "" {
		return "pkg:github/" + repository
	}
	return "pkg:github/" + repository + "@" + version
}

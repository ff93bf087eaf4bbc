package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/report"
	"plimsoll/registry"
	"plimsoll/registry/harbor"
)

// scan is what a scanner says.
type scan struct {
	report.Scan
	running bool // it has not finished
}

// scanned is a scanner's report as an answer about a digest, and about the
// platform that it names: of an image of several, the gate wants every one. A
// report that names the digests that it is about has to name this one.
func scanned(raw []byte, about digest.Digest) (gates.Answer, error) {
	s, err := readReport(raw)
	switch {
	case err != nil:
		return gates.Answer{}, err
	case s.running:
		return gates.Answer{State: gates.Running}, nil
	case len(s.Digests) > 0 && !slices.Contains(s.Digests, about):
		return gates.Answer{}, fmt.Errorf("its report is about %s, not about %s", s.Digests[0], about)
	}
	findings := s.Findings
	if findings == nil {
		findings = []report.Finding{}
	}
	return gates.Answer{Key: text(s.Platform), State: gates.Passed, Scanner: true, Findings: findings, Finished: s.Finished}, nil
}

// readReport reads what Trivy, Grype, SARIF and CycloneDX write, Harbor's API
// answers, and aws ecr describe-image-scan-findings prints.
func readReport(raw []byte) (scan, error) {
	var top map[string]json.RawMessage
	if err := decode(raw, &top); err != nil {
		return scan{}, err
	}
	if _, ok := top["imageScanStatus"]; ok {
		return readECR(raw)
	}
	if found, err := harbor.ReadReport(raw); !errors.Is(err, harbor.ErrNoReport) {
		return scan{Scan: report.Scan{Finished: found.Finished, Findings: findings(found.Findings)}, running: found.State == registry.Scanning}, err
	}
	s, err := report.ReadScanFile(raw)
	if err != nil {
		return scan{}, fmt.Errorf("its report: %w", err)
	}
	return scan{Scan: s}, nil
}

// ecrFindings is what ECR says of one image
// (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html).
type ecrFindings struct {
	Status struct {
		Status      string `json:"status"`
		Description string `json:"description"`
	} `json:"imageScanStatus"`
	Next     string `json:"nextToken"`
	Findings struct {
		Completed any `json:"imageScanCompletedAt"` // the API: seconds; the CLI: RFC 3339
		Basic     []struct {
			Name       string `json:"name"`
			Severity   string `json:"severity"`
			URI        string `json:"uri"`
			Attributes []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"attributes"`
		} `json:"findings"`
		Enhanced []struct {
			Title    string `json:"title"`
			Severity string `json:"severity"`
			Status   string `json:"status"`
			Details  struct {
				ID       string `json:"vulnerabilityId"`
				URL      string `json:"sourceUrl"`
				Packages []struct {
					Name    string `json:"name"`
					Version string `json:"version"`
					Fixed   string `json:"fixedInVersion"`
				} `json:"vulnerablePackages"`
			} `json:"packageVulnerabilityDetails"`
		} `json:"enhancedFindings"`
	} `json:"imageScanFindings"`
}

// readECR reads the findings of basic and enhanced scanning.
func readECR(raw []byte) (scan, error) {
	var doc ecrFindings
	if err := decode(raw, &doc); err != nil {
		return scan{}, err
	}
	switch doc.Status.Status {
	case "COMPLETE", "ACTIVE":
	case "IN_PROGRESS", "PENDING":
		return scan{running: true}, nil
	default:
		return scan{}, fmt.Errorf("the scan of ECR says %s: %s", text(doc.Status.Status), text(doc.Status.Description))
	}
	if doc.Next != "" {
		return scan{}, fmt.Errorf("the findings of ECR go on on another page; let the program ask for all of them")
	}
	if n := len(doc.Findings.Basic) + len(doc.Findings.Enhanced); n > registry.MaxFindings {
		return scan{}, tooMany(n)
	}
	finished, err := moment(doc.Findings.Completed)
	if err != nil {
		return scan{}, fmt.Errorf("the end of the scan of ECR: %w", err)
	}
	out := scan{Scan: report.Scan{Finished: finished, Findings: doc.basic()}}
	out.Findings = append(out.Findings, doc.enhanced()...)
	return out, nil
}

func (doc ecrFindings) basic() []report.Finding {
	out := make([]report.Finding, 0, len(doc.Findings.Basic))
	for _, v := range doc.Findings.Basic {
		f := report.Finding{ID: text(v.Name), Severity: severity(v.Severity), URL: page(v.URI)}
		for _, a := range v.Attributes {
			switch a.Key {
			case "package_name":
				f.Package = text(a.Value)
			case "package_version":
				f.Version = text(a.Value)
			}
		}
		out = append(out, f)
	}
	return out
}

func (doc ecrFindings) enhanced() []report.Finding {
	out := make([]report.Finding, 0, len(doc.Findings.Enhanced))
	for _, v := range doc.Findings.Enhanced {
		if v.Status == "CLOSED" {
			continue // it is gone; SUPPRESSED is somebody's decision and not ours
		}
		f := report.Finding{ID: text(v.Details.ID), Severity: severity(v.Severity), Title: text(v.Title), URL: page(v.Details.URL)}
		if f.ID == "" {
			f.ID = f.Title
		}
		for _, p := range v.Details.Packages {
			f.Package, f.Version, f.Fixed = text(p.Name), text(p.Version), text(p.Fixed)
			if f.Fixed == "NotAvailable" {
				f.Fixed = ""
			}
			out = append(out, f)
		}
		if len(v.Details.Packages) == 0 {
			out = append(out, f)
		}
	}
	return out
}

func tooMany(n int) error {
	return fmt.Errorf("its report has %d vulnerabilities, more than the %d that are read", n, registry.MaxFindings)
}

// severity reads the words of Harbor and ECR. What is not known is the worst: a
// word that we do not know must not hide a vulnerability.
func severity(w string) config.Severity {
	switch strings.ToUpper(w) {
	case "INFORMATIONAL", "NONE":
		return config.Negligible
	case "UNDEFINED", "UNTRIAGED", "UNKNOWN", "":
		return config.Unknown
	}
	s, err := report.Severity(w)
	if err != nil {
		return config.Critical
	}
	return s
}

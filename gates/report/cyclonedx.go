package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"plimsoll/config"
)

// cyclonedxBOM is CycloneDX 1.4 and later with vulnerabilities, as far as it is used.
type cyclonedxBOM struct {
	BOMFormat string `json:"bomFormat"`
	Metadata  struct {
		Timestamp string `json:"timestamp"`
		Component struct {
			Version string `json:"version"`
		} `json:"component"`
	} `json:"metadata"`
	Components []struct {
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	} `json:"components"`
	Vulnerabilities *[]cyclonedxFinding `json:"vulnerabilities"`
}

type cyclonedxFinding struct {
	ID             string `json:"id"`
	Description    string `json:"description"`
	Recommendation string `json:"recommendation"`
	Source         struct {
		URL string `json:"url"`
	} `json:"source"`
	References []struct {
		ID string `json:"id"`
	} `json:"references"`
	Ratings []struct {
		Severity string   `json:"severity"`
		Score    *float64 `json:"score"`
	} `json:"ratings"`
	Affects []struct {
		Ref string `json:"ref"`
	} `json:"affects"`
}

// CycloneDX reads a CycloneDX document with vulnerabilities. Its analysis
// states do not count: what may pass is for the policy and OpenVEX to say.
func CycloneDX(r io.Reader) (Scan, error) {
	var b cyclonedxBOM
	raw, err := decode(r, "CycloneDX document", &b)
	if err != nil {
		return Scan{}, err
	}
	if b.BOMFormat != "CycloneDX" {
		return Scan{}, fmt.Errorf("bomFormat %q is not CycloneDX", name(b.BOMFormat))
	}
	if b.Vulnerabilities == nil {
		return Scan{}, errors.New("the CycloneDX document has no vulnerabilities field: it is a list of contents, not a scan")
	}
	type component struct{ name, version, purl string }
	components := make(map[string]component, len(b.Components))
	for _, c := range b.Components {
		components[c.Ref] = component{c.Name, c.Version, c.PURL}
	}
	s := Scan{Scanner: "cyclonedx", Finished: when(b.Metadata.Timestamp), Digests: digestsOf(b.Metadata.Component.Version)}
	for _, v := range *b.Vulnerabilities {
		f := Finding{ID: v.ID, Title: v.Description, URL: v.Source.URL, Fixed: fixedIn(v.Recommendation)}
		if f.Severity, err = v.severity(); err != nil {
			return Scan{}, err
		}
		for _, ref := range v.References {
			f.Aliases = append(f.Aliases, ref.ID)
		}
		if len(v.Affects) == 0 {
			s.Findings = append(s.Findings, f)
		}
		for _, a := range v.Affects {
			c := components[a.Ref]
			f.Package, f.Version, f.PURL, f.Target = c.name, c.version, c.purl, a.Ref
			s.Findings = append(s.Findings, f)
		}
	}
	return s.finish(raw)
}

// severity is the worst of the ratings.
func (v cyclonedxFinding) severity() (config.Severity, error) {
	worst := config.Unknown
	for _, r := range v.Ratings {
		s, err := Severity(r.Severity)
		if err != nil {
			return 0, fmt.Errorf("the CycloneDX document, %s: %w", name(v.ID), err)
		}
		if r.Severity == "" && r.Score != nil {
			s = ofScore(*r.Score)
		}
		worst = max(worst, s)
	}
	return worst, nil
}

// fixedIn is the version in Trivy's recommendation "Upgrade openssl to version 3.0.2; …".
func fixedIn(recommendation string) string {
	_, after, ok := strings.Cut(recommendation, " to version ")
	if !ok {
		return ""
	}
	version, _, _ := strings.Cut(after, ";")
	return strings.TrimSpace(version)
}

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/package-url/packageurl-go"

	"plimsoll/config"
)

// cyclonedxBOM is CycloneDX 1.4 and later with vulnerabilities, as far as it is used.
type cyclonedxBOM struct {
	BOMFormat string `json:"bomFormat"`
	Metadata  struct {
		Timestamp string          `json:"timestamp"`
		Tools     json.RawMessage `json:"tools"` // a list before 1.5
		Component struct {
			Version    string              `json:"version"`
			PURL       string              `json:"purl"`
			Properties []cyclonedxProperty `json:"properties"`
		} `json:"component"`
	} `json:"metadata"`
	Components      []cyclonedxComponent `json:"components"`
	Vulnerabilities []cyclonedxFinding   `json:"vulnerabilities"`
}

type cyclonedxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type cyclonedxComponent struct {
	Ref     string `json:"bom-ref"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
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
	Affects []cyclonedxAffected `json:"affects"`
}

type cyclonedxAffected struct {
	Ref      string `json:"ref"`
	Versions []struct {
		Range  string `json:"range"`
		Status string `json:"status"`
	} `json:"versions"`
}

// errNothingScanned is the answer to a document without a vulnerability: it
// looks the same whether nothing was found or nothing was looked for.
var errNothingScanned = errors.New("the CycloneDX document names no vulnerability: Trivy writes it so, too, where it only listed the contents, so it proves no scan; " +
	"attest the scanner's own JSON (trivy image --format json, grype -o json)")

// CycloneDX reads a CycloneDX document with vulnerabilities; one without any
// is an error. Its analysis states do not count: what may pass is for the
// policy and OpenVEX to say.
func CycloneDX(r io.Reader) (Scan, error) {
	var b cyclonedxBOM
	raw, err := decode(r, "CycloneDX document", &b)
	if err != nil {
		return Scan{}, err
	}
	if b.BOMFormat != "CycloneDX" {
		return Scan{}, fmt.Errorf("bomFormat %q is not CycloneDX", name(b.BOMFormat))
	}
	if len(b.Vulnerabilities) == 0 {
		return Scan{}, errNothingScanned
	}
	components := make(map[string]cyclonedxComponent, len(b.Components))
	for _, c := range b.Components {
		components[c.Ref] = c
	}
	s := Scan{Finished: when(b.Metadata.Timestamp), Digests: b.digests(), Platform: b.platform()}
	s.Scanner, s.Version = cyclonedxTool(b.Metadata.Tools)
	for _, v := range b.Vulnerabilities {
		found, err := v.findings(components)
		if err != nil {
			return Scan{}, err
		}
		s.Findings = append(s.Findings, found...)
	}
	return s.finish(raw)
}

// digests is what the document says that it is about: Grype writes the digest
// as the version of the image, Trivy as a property of it.
func (b cyclonedxBOM) digests() []digest.Digest {
	references := []string{b.Metadata.Component.Version}
	for _, p := range b.Metadata.Component.Properties {
		if p.Name == "aquasecurity:trivy:RepoDigest" {
			references = append(references, p.Value)
		}
	}
	return digestsOf(references...)
}

// platform is the architecture in Trivy's package URL of the image. The
// distributions that scanners know are all Linux; without one it is not said.
func (b cyclonedxBOM) platform() string {
	purl, err := packageurl.FromString(b.Metadata.Component.PURL)
	if err != nil || purl.Type != packageurl.TypeOCI {
		return ""
	}
	if !slices.ContainsFunc(b.Components, func(c cyclonedxComponent) bool { return c.Type == "operating-system" }) {
		return ""
	}
	return platform("linux", purl.Qualifiers.Map()["arch"], "")
}

// cyclonedxTool is the tool that wrote the document, if it names one alone.
func cyclonedxTool(raw json.RawMessage) (tool, version string) {
	type named struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var since15 struct {
		Components []named `json:"components"`
	}
	var tools []named
	if json.Unmarshal(raw, &since15) == nil {
		tools = since15.Components
	} else if json.Unmarshal(raw, &tools) != nil {
		tools = nil // it is for people, and to tell scanners apart
	}
	if len(tools) != 1 || name(tools[0].Name) == "" {
		return "cyclonedx", ""
	}
	return strings.ToLower(tools[0].Name), tools[0].Version
}

// findings are one vulnerability in each component that it affects.
func (v cyclonedxFinding) findings(components map[string]cyclonedxComponent) ([]Finding, error) {
	f := Finding{ID: v.ID, Title: v.Description, URL: v.Source.URL, Fixed: fixedIn(v.Recommendation)}
	var err error
	if f.Severity, err = v.severity(); err != nil {
		return nil, err
	}
	for _, ref := range v.References {
		if ref.ID != v.ID {
			f.Aliases = append(f.Aliases, ref.ID)
		}
	}
	if len(v.Affects) == 0 {
		return []Finding{f}, nil
	}
	found := make([]Finding, 0, len(v.Affects))
	for _, a := range v.Affects {
		c := components[a.Ref]
		one := f
		one.Package, one.Version, one.PURL, one.Target = c.Name, c.Version, c.PURL, a.Ref
		if fixed := a.fixed(); fixed != "" {
			one.Fixed = fixed
		}
		found = append(found, one)
	}
	return found, nil
}

// fixed is the version from which on Grype calls the component unaffected, as
// in "vers:deb/>=3.0.17-1" (https://github.com/package-url/vers-spec).
func (a cyclonedxAffected) fixed() string {
	for _, v := range a.Versions {
		_, from, ok := strings.Cut(v.Range, "/>=")
		if ok && v.Status == "unaffected" && !strings.Contains(from, "|") {
			return from
		}
	}
	return ""
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

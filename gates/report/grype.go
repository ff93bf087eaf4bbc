package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// grypeReport is grype -o json
// (https://github.com/anchore/grype/tree/main/grype/presenter/models), as far as it is used.
type grypeReport struct {
	Matches []grypeMatch `json:"matches"`
	Source  struct {
		Type   string          `json:"type"`
		Target json.RawMessage `json:"target"` // an object for images, a string for directories
	} `json:"source"`
	Descriptor struct {
		Name      string          `json:"name"`
		Version   string          `json:"version"`
		Timestamp string          `json:"timestamp"`
		DB        json.RawMessage `json:"db"`
	} `json:"descriptor"`
}

type grypeMatch struct {
	Vulnerability struct {
		ID          string `json:"id"`
		DataSource  string `json:"dataSource"`
		Severity    string `json:"severity"`
		Description string `json:"description"`
		Fix         struct {
			Versions []string `json:"versions"`
		} `json:"fix"`
	} `json:"vulnerability"`
	Related []struct {
		ID string `json:"id"`
	} `json:"relatedVulnerabilities"`
	Artifact struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		PURL      string `json:"purl"`
		Locations []struct {
			Path string `json:"path"`
		} `json:"locations"`
	} `json:"artifact"`
}

// grypeTarget is source.target of an image.
type grypeTarget struct {
	RepoDigests  []string `json:"repoDigests"`
	OS           string   `json:"os"`
	Architecture string   `json:"architecture"`
	Variant      string   `json:"variant"`
}

// Grype reads grype -o json.
func Grype(r io.Reader) (Scan, error) {
	var g grypeReport
	raw, err := decode(r, "Grype report", &g)
	if err != nil {
		return Scan{}, err
	}
	if g.Descriptor.Name != "grype" {
		return Scan{}, fmt.Errorf("the report names %q as its tool, not grype", name(g.Descriptor.Name))
	}
	if g.Source.Type != "image" {
		return Scan{}, fmt.Errorf("this Grype report is about a %q, not an image; scan with: grype REPOSITORY@DIGEST -o json", name(g.Source.Type))
	}
	var target grypeTarget
	if err := json.Unmarshal(g.Source.Target, &target); err != nil {
		return Scan{}, fmt.Errorf("the Grype report: source.target is not what it should be: %w", plain(err))
	}
	s := Scan{Scanner: "grype", Version: g.Descriptor.Version, Finished: when(g.Descriptor.Timestamp), DB: grypeDB(g.Descriptor.DB)}
	s.URI = scannerPURL("anchore/grype", s.Version)
	s.Platform = platform(target.OS, target.Architecture, target.Variant)
	// manifestDigest is Syft's own rendering for images that were not pulled from a registry, so only repoDigests name what was scanned.
	s.Digests = digestsOf(target.RepoDigests...)
	for _, m := range g.Matches {
		f, err := m.finding()
		if err != nil {
			return Scan{}, err
		}
		s.Findings = append(s.Findings, f)
	}
	return s.finish(raw)
}

// finding is what Grype calls a match.
func (m grypeMatch) finding() (Finding, error) {
	severity, err := Severity(m.Vulnerability.Severity)
	if err != nil {
		return Finding{}, fmt.Errorf("the Grype report, %s: %w", name(m.Vulnerability.ID), err)
	}
	f := Finding{
		ID: m.Vulnerability.ID, Package: m.Artifact.Name, Version: m.Artifact.Version, PURL: m.Artifact.PURL,
		Fixed: strings.Join(m.Vulnerability.Fix.Versions, ", "), Severity: severity,
		Title: m.Vulnerability.Description, URL: m.Vulnerability.DataSource,
	}
	for _, related := range m.Related {
		if related.ID != f.ID { // the same vulnerability as another database tells it
			f.Aliases = append(f.Aliases, related.ID)
		}
	}
	if len(m.Artifact.Locations) > 0 {
		f.Target = m.Artifact.Locations[0].Path
	}
	return f, nil
}

// grypeDB reads descriptor.db of Grype before v0.88 and after it.
func grypeDB(raw json.RawMessage) DB {
	var db struct {
		Built         string          `json:"built"`
		SchemaVersion json.RawMessage `json:"schemaVersion"` // a number, later text
		Status        *struct {
			SchemaVersion string `json:"schemaVersion"`
			From          string `json:"from"`
			Built         string `json:"built"`
		} `json:"status"`
	}
	if json.Unmarshal(raw, &db) != nil {
		return DB{} // it is for people only
	}
	if db.Status != nil {
		return DB{URI: link(db.Status.From), Version: name(db.Status.SchemaVersion), Updated: name(db.Status.Built)}
	}
	return DB{Version: name(strings.Trim(string(db.SchemaVersion), `"`)), Updated: name(db.Built)}
}

package harbor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

// Accept are the forms of reports that are read, for the header
// X-Accept-Vulnerabilities: Harbor gives the first that it has.
// https://github.com/goharbor/pluggable-scanner-spec
const Accept = "application/vnd.security.vulnerability.report; version=1.1, application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"

// ErrNoReport is in the chain of an error about JSON that is no report of Harbor.
var ErrNoReport = errors.New("it is no report of Harbor")

// pick is the value whose key is one of the forms; of two versions of one form the
// first by name, so that an answer always means the same.
func pick(top map[string]json.RawMessage) (json.RawMessage, bool) {
	for _, form := range strings.Split(Accept, ", ") {
		name, _, _ := strings.Cut(form, ";")
		if value, ok := top[form]; ok {
			return value, true
		}
		for _, key := range slices.Sorted(maps.Keys(top)) {
			if strings.HasPrefix(key, name+";") || key == name {
				return top[key], true
			}
		}
	}
	return nil, false
}

// ReadReport reads what Harbor answers at …/additions/vulnerabilities: a report
// under the name of its form. One without a time has not been finished.
func ReadReport(raw []byte) (registry.Scan, error) {
	var top map[string]json.RawMessage
	if json.Unmarshal(raw, &top) != nil {
		return registry.Scan{}, ErrNoReport
	}
	value, ok := pick(top)
	if !ok {
		return registry.Scan{}, ErrNoReport
	}
	var doc struct {
		Generated       time.Time `json:"generated_at"`
		Vulnerabilities []struct {
			ID          string   `json:"id"`
			Package     string   `json:"package"`
			Version     string   `json:"version"`
			Fixed       string   `json:"fix_version"`
			Severity    string   `json:"severity"`
			Description string   `json:"description"`
			Links       []string `json:"links"`
		} `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(value, &doc); err != nil {
		return registry.Scan{}, fmt.Errorf("the report of Harbor: %s", clean.Text(err.Error()))
	}
	if doc.Generated.IsZero() {
		return registry.Scan{State: registry.Scanning}, nil
	}
	if n := len(doc.Vulnerabilities); n > registry.MaxFindings {
		return registry.Scan{}, fmt.Errorf("the report of Harbor has %d vulnerabilities, more than the %d that are read: %w", n, registry.MaxFindings, registry.ErrLimit)
	}
	scan := registry.Scan{State: registry.Scanned, Finished: doc.Generated.UTC()}
	for _, v := range doc.Vulnerabilities {
		f := registry.Finding{
			ID: said(v.ID), Package: said(v.Package), Version: said(v.Version), Fixed: said(v.Fixed), Severity: said(v.Severity), Title: said(v.Description),
		}
		if len(v.Links) > 0 {
			f.URL = v.Links[0]
		}
		scan.Findings = append(scan.Findings, f)
	}
	return scan, nil
}

func said(s string) string { return clean.Text(clean.Redact(s)) }

package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
)

// Finding is one vulnerability in one package.
type Finding struct {
	ID       string // CVE, GHSA, …
	Aliases  []string
	Package  string
	Version  string
	PURL     string // of the package, "" if the scanner does not say
	Fixed    string // the version that fixes it, "" for none
	Severity config.Severity
	Title    string
	URL      string // http(s) only
	Target   string // where in the image
}

// Named tells whether id is the finding's or one of its aliases, in any case.
func (f Finding) Named(id string) bool {
	return strings.EqualFold(f.ID, id) || slices.ContainsFunc(f.Aliases, func(a string) bool { return strings.EqualFold(a, id) })
}

// Scan is what a scanner reports about one image.
type Scan struct {
	Scanner  string // trivy, grype, or the name that the tool gives itself
	Version  string
	URI      string // a package URL of the scanner, or its home
	DB       DB
	Finished time.Time // zero if it does not say
	Findings []Finding // worst first
	Platform string    // os/arch or os/arch/variant that it looked at, "" if it does not say
	Digests  []digest.Digest
	Raw      []byte // the whole report
}

// DB is the vulnerability database of a scanner; any of it may be "".
type DB struct {
	URI     string `json:"uri"`
	Version string `json:"version"`
	Updated string `json:"lastUpdate,omitempty"`
}

// Counts is how many findings there are of each severity.
type Counts [config.Critical + 1]int

// Count counts findings, each vulnerability of a package once.
func Count(findings []Finding) Counts {
	type key struct{ id, pkg, version string }
	var c Counts
	seen := make(map[key]bool, len(findings))
	for _, f := range findings {
		k := key{f.ID, f.Package, f.Version}
		if !seen[k] && f.Severity >= 0 && int(f.Severity) < len(c) {
			c[f.Severity]++
		}
		seen[k] = true
	}
	return c
}

// String is "0C 1H 3M": critical, high, medium.
func (c Counts) String() string {
	return fmt.Sprintf("%dC %dH %dM", c[config.Critical], c[config.High], c[config.Medium])
}

// severities are the words of the scanners.
var severities = map[string]config.Severity{
	"critical": config.Critical, "high": config.High, "medium": config.Medium, "moderate": config.Medium,
	"low": config.Low, "negligible": config.Negligible, "info": config.Negligible, "none": config.Negligible,
	"informational": config.Negligible, "unknown": config.Unknown, "undefined": config.Unknown, "": config.Unknown,
}

// Severity reads a scanner's word. A word that nobody knows is an error: it might be a bad one.
func Severity(word string) (config.Severity, error) {
	s, ok := severities[strings.ToLower(strings.TrimSpace(word))]
	if !ok {
		return config.Unknown, fmt.Errorf("severity %q is not known", name(word))
	}
	return s, nil
}

// SeverityWord is the word for a severity, in lower case.
func SeverityWord(s config.Severity) string {
	switch s {
	case config.Critical:
		return "critical"
	case config.High:
		return "high"
	case config.Medium:
		return "medium"
	case config.Low:
		return "low"
	case config.Negligible:
		return "negligible"
	case config.Unknown:
	}
	return "unknown"
}

// Worse is the order of findings: worst first, then fixable, then by name.
func Worse(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(b.Severity, a.Severity),
		cmp.Compare(boolToInt(a.Fixed == ""), boolToInt(b.Fixed == "")),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Target, b.Target),
	)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// errTooMany is more findings than anybody can judge.
var errTooMany = errors.New("more than 100000 findings in one report")

// finish orders what a reader found and checks its size.
func (s *Scan) finish(raw []byte) (Scan, error) {
	if len(s.Findings) > MaxFindings {
		return Scan{}, errTooMany
	}
	for i := range s.Findings {
		s.Findings[i].clean()
	}
	slices.SortStableFunc(s.Findings, Worse)
	s.Scanner, s.Version, s.URI, s.Raw = name(s.Scanner), name(s.Version), name(s.URI), raw
	return *s, nil
}

// clean makes the texts of a finding harmless.
func (f *Finding) clean() {
	f.ID, f.Package, f.Version, f.Fixed = name(f.ID), name(f.Package), name(f.Version), name(f.Fixed)
	f.Title, f.Target, f.URL = name(f.Title), name(f.Target), link(f.URL)
}

// platform writes what a scanner says it looked at; "" if it does not say.
func platform(os, arch, variant string) string {
	if os == "" || arch == "" {
		return ""
	}
	if variant != "" {
		return name(os + "/" + arch + "/" + variant)
	}
	return name(os + "/" + arch)
}

// digestsOf takes the digests out of references such as registry/app@sha256:….
func digestsOf(references ...string) []digest.Digest {
	var found []digest.Digest
	for _, r := range references {
		_, after, ok := strings.Cut(r, "@")
		if !ok {
			after = r
		}
		if d, err := digest.Parse(after); err == nil && !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	return found
}

// when reads an RFC 3339 time; zero for any other.
func when(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

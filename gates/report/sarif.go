package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
)

// sarifLog is SARIF 2.1.0, as far as it is used.
type sarifLog struct {
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver struct {
			Name            string      `json:"name"`
			Version         string      `json:"version"`
			SemanticVersion string      `json:"semanticVersion"`
			InformationURI  string      `json:"informationUri"`
			Rules           []sarifRule `json:"rules"`
		} `json:"driver"`
	} `json:"tool"`
	Invocations []struct {
		EndTime    string `json:"endTimeUtc"`
		Successful *bool  `json:"executionSuccessful"`
	} `json:"invocations"`
	Results    []sarifResult `json:"results"`
	Properties struct {
		RepoDigests []string `json:"repoDigests"` // Trivy
	} `json:"properties"`
}

type sarifRule struct {
	ID      string    `json:"id"`
	Short   sarifText `json:"shortDescription"`
	Help    sarifText `json:"help"`
	HelpURI string    `json:"helpUri"`
	Default struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Properties struct {
		Score json.RawMessage `json:"security-severity"` // GitHub: a CVSS score as text
		Tags  []string        `json:"tags"`              // Trivy: the severity in words among them
		PURLs []string        `json:"purls"`             // Grype
	} `json:"properties"`
}

type sarifResult struct {
	RuleID    string    `json:"ruleId"`
	RuleIndex *int      `json:"ruleIndex"`
	Kind      string    `json:"kind"`
	Level     string    `json:"level"`
	Baseline  string    `json:"baselineState"`
	Message   sarifText `json:"message"`
	Locations []struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
		} `json:"physicalLocation"`
	} `json:"locations"`
}

type sarifText struct {
	Text string `json:"text"`
}

// SARIF reads a SARIF 2.1.0 log, of any scanner. Every result counts except
// those of a kind that says that nothing is wrong; suppressions do not count:
// what may pass is for the policy to say.
func SARIF(r io.Reader) (Scan, error) {
	var log sarifLog
	raw, err := decode(r, "SARIF log", &log)
	if err != nil {
		return Scan{}, err
	}
	if log.Version != "2.1.0" {
		return Scan{}, fmt.Errorf("SARIF version %q cannot be read, only 2.1.0", name(log.Version))
	}
	if len(log.Runs) == 0 {
		return Scan{}, errors.New("the SARIF log has no run, so nothing was scanned")
	}
	var s Scan
	for _, run := range log.Runs {
		if err := s.addRun(run); err != nil {
			return Scan{}, err
		}
	}
	return s.finish(raw)
}

// addRun takes the results of one run.
func (s *Scan) addRun(run sarifRun) error {
	d := run.Tool.Driver
	if s.Scanner == "" {
		s.Scanner, s.Version, s.URI = strings.ToLower(d.Name), d.Version, link(d.InformationURI)
		if s.Version == "" {
			s.Version = d.SemanticVersion
		}
	}
	for _, i := range run.Invocations {
		if i.Successful != nil && !*i.Successful {
			return errors.New("the SARIF log says that the scan did not succeed (executionSuccessful: false)")
		}
		if at := when(i.EndTime); at.After(s.Finished) {
			s.Finished = at
		}
	}
	s.Digests = append(s.Digests, digestsOf(run.Properties.RepoDigests...)...)
	rules := make(map[string]sarifRule, len(d.Rules))
	for _, rule := range d.Rules {
		rules[rule.ID] = rule
	}
	for _, r := range run.Results {
		if r.harmless() {
			continue
		}
		f, err := r.finding(d.Rules, rules)
		if err != nil {
			return err
		}
		s.Findings = append(s.Findings, f)
		for _, d := range r.scanned() {
			if !slices.Contains(s.Digests, d) {
				s.Digests = append(s.Digests, d)
			}
		}
	}
	return nil
}

// harmless tells whether a result says that nothing is wrong (SARIF §3.27.9, §3.27.24).
func (r sarifResult) harmless() bool {
	switch r.Kind {
	case "pass", "notApplicable", "informational":
		return true
	}
	return r.Baseline == "absent"
}

// finding is a result with its rule.
func (r sarifResult) finding(list []sarifRule, byID map[string]sarifRule) (Finding, error) {
	rule := byID[r.RuleID]
	if r.RuleIndex != nil && *r.RuleIndex >= 0 && *r.RuleIndex < len(list) {
		rule = list[*r.RuleIndex]
	}
	id := r.RuleID
	if id == "" {
		id = rule.ID
	}
	severity, err := r.severity(rule)
	if err != nil {
		return Finding{}, fmt.Errorf("the SARIF log, %s: %w", name(id), err)
	}
	f := Finding{
		ID: id, Severity: severity, Title: rule.Short.Text, URL: rule.HelpURI,
		Package: line(r.Message.Text, "Package: "), Version: line(r.Message.Text, "Installed Version: "), Fixed: line(r.Message.Text, "Fixed Version: "),
	}
	if f.Title == "" {
		f.Title = r.Message.Text
	}
	if len(r.Locations) > 0 {
		f.Target = r.Locations[0].Physical.Artifact.URI
	}
	if len(rule.Properties.PURLs) == 1 {
		f.PURL = rule.Properties.PURLs[0]
	}
	if f.Package == "" {
		f.ofGrype(rule)
	}
	return f, nil
}

// ofGrype takes apart what Grype writes: the rule is <vulnerability>-<package>,
// and its help has the versions.
func (f *Finding) ofGrype(rule sarifRule) {
	pkg := line(rule.Help.Text, "Package: ")
	id, ok := strings.CutSuffix(f.ID, "-"+pkg)
	if pkg == "" || !ok || id == "" {
		return
	}
	f.ID, f.Package = id, pkg
	f.Version, f.Fixed = line(rule.Help.Text, "Version: "), line(rule.Help.Text, "Fix Version: ")
}

// scanned is the image in the messages of Grype's results, which is nowhere
// else: "… was found in image registry/app@sha256:… at: …".
func (r sarifResult) scanned() []digest.Digest {
	_, after, ok := strings.Cut(r.Message.Text, " was found in image ")
	image, _, closed := strings.Cut(after, " at: ")
	if !ok || !closed {
		return nil
	}
	return digestsOf(image)
}

// severity is the score of the rule, else a word among its tags or in the
// message, else the level, which is "warning" if nothing says otherwise (SARIF §3.27.10).
func (r sarifResult) severity(rule sarifRule) (config.Severity, error) {
	if raw := strings.Trim(string(rule.Properties.Score), `"`); raw != "" && raw != "null" {
		score, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			return 0, fmt.Errorf("security-severity %q is no number", name(raw))
		}
		return ofScore(score), nil
	}
	for _, tag := range rule.Properties.Tags {
		if s, ok := severities[strings.ToLower(tag)]; ok && tag != "" {
			return s, nil
		}
	}
	if word := line(r.Message.Text, "Severity: "); word != "" {
		return Severity(word)
	}
	level := r.Level
	if level == "" {
		level = rule.Default.Level
	}
	switch level {
	case "error":
		return config.High, nil
	case "", "warning":
		return config.Medium, nil
	case "note":
		return config.Low, nil
	case "none":
		return config.Negligible, nil
	}
	return 0, fmt.Errorf("level %q is not known", name(level))
}

// ofScore is the severity of a CVSS score (CVSS 3.1 §5), as GitHub reads security-severity.
func ofScore(score float64) config.Severity {
	switch {
	case score >= 9:
		return config.Critical
	case score >= 7:
		return config.High
	case score >= 4:
		return config.Medium
	case score > 0:
		return config.Low
	}
	return config.Unknown
}

// line is the rest of the line that begins with prefix, as Trivy writes its messages.
func line(text, prefix string) string {
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

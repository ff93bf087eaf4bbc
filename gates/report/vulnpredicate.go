package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"plimsoll/gates/evidence"
)

// vulnPredicate is cosign's vuln/v1.
type vulnPredicate struct {
	Invocation invocation   `json:"invocation"`
	Scanner    scanner      `json:"scanner"`
	Metadata   scanMetadata `json:"metadata"`
}

type invocation struct {
	Parameters []string `json:"parameters"`
	URI        string   `json:"uri"`
	EventID    string   `json:"event_id"`
	BuilderID  string   `json:"builder.id"`
}

type scanner struct {
	URI     string          `json:"uri"`
	Version string          `json:"version"`
	DB      DB              `json:"db"`
	Result  json.RawMessage `json:"result"`
}

type scanMetadata struct {
	Started  time.Time `json:"scanStartedOn,omitzero"`
	Finished time.Time `json:"scanFinishedOn"`
}

// VulnPredicate is what is signed about a scan that finished at that time: the
// report as a whole, without white space. url is a link for people, may be "".
func VulnPredicate(s Scan, url string, finished time.Time) any {
	var compact bytes.Buffer
	if err := json.Compact(&compact, s.Raw); err != nil {
		compact.Reset()
		compact.WriteString("null") // a Scan that no reader of this package made
	}
	return vulnPredicate{
		Invocation: invocation{URI: link(url)},
		Scanner:    scanner{URI: s.URI, Version: s.Version, DB: s.DB, Result: compact.Bytes()},
		Metadata:   scanMetadata{Started: finished.UTC(), Finished: finished.UTC()},
	}
}

// ReadScanFile reads a scanner's report in any of the formats.
func ReadScanFile(raw []byte) (Scan, error) {
	var read func(io.Reader) (Scan, error)
	switch f := Detect(raw); f {
	case FormatTrivy:
		read = Trivy
	case FormatGrype:
		read = Grype
	case FormatSARIF:
		read = SARIF
	case FormatCycloneDX:
		read = CycloneDX
	case FormatJUnit, FormatGoTest, FormatUnknown:
		return Scan{}, errors.New("this is no scan report that can be read: Trivy, Grype, SARIF or CycloneDX with vulnerabilities, as JSON")
	default:
		return Scan{}, fmt.Errorf("format %q holds no scan", f)
	}
	return read(bytes.NewReader(raw))
}

// ReadTestFile reads a test runner's results in any of the formats.
func ReadTestFile(raw []byte) (Tests, error) {
	switch Detect(raw) {
	case FormatJUnit:
		return JUnit(bytes.NewReader(raw))
	case FormatGoTest:
		return GoTest(bytes.NewReader(raw))
	case FormatTrivy, FormatGrype, FormatSARIF, FormatCycloneDX, FormatUnknown:
	}
	return Tests{}, errors.New("these are no test results that can be read: JUnit XML, or go test -json")
}

// ReadScan reads a vuln/v1 predicate with the report inside. Give it verified
// bytes only. Finished is what the predicate says, which is what was signed.
func ReadScan(predicate json.RawMessage) (Scan, error) {
	var p vulnPredicateIn
	if err := json.Unmarshal(predicate, &p); err != nil {
		return Scan{}, fmt.Errorf("%w: a scan whose %w", evidence.ErrMalformed, plain(err))
	}
	if len(p.Scanner.Result) == 0 || string(p.Scanner.Result) == "null" {
		return Scan{}, fmt.Errorf("%w: a scan without the scanner's report in scanner.result", evidence.ErrMalformed)
	}
	s, err := ReadScanFile(p.Scanner.Result)
	if err != nil {
		return Scan{}, fmt.Errorf("%w: %w", evidence.ErrMalformed, err)
	}
	if v := name(p.Scanner.Version); v != "" {
		s.Version = v
	}
	s.Finished = when(p.Metadata.Finished)
	return s, nil
}

// vulnPredicateIn is vuln/v1 as others write it: only what is used must be of its type.
type vulnPredicateIn struct {
	Scanner struct {
		Version string          `json:"version"`
		Result  json.RawMessage `json:"result"`
	} `json:"scanner"`
	Metadata struct {
		Finished string `json:"scanFinishedOn"`
	} `json:"metadata"`
}

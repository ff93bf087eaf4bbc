package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// MaxFile is the most bytes of a result file that are read.
const MaxFile = 64 << 20

// MaxNames is the most names of tests that a predicate lists; counts go on.
const MaxNames = 1000

// MaxFindings is the most findings of one report that are read; more is an error.
const MaxFindings = 100_000

// Format is how a result file is written.
type Format string

// The formats.
const (
	FormatJUnit     Format = "junit"
	FormatGoTest    Format = "go-test"
	FormatTrivy     Format = "trivy"
	FormatGrype     Format = "grype"
	FormatSARIF     Format = "sarif"
	FormatCycloneDX Format = "cyclonedx"
	FormatUnknown   Format = ""
)

// Tests tells whether the format holds test results.
func (f Format) Tests() bool { return f == FormatJUnit || f == FormatGoTest }

// Scan tells whether the format holds vulnerabilities.
func (f Format) Scan() bool {
	return f == FormatTrivy || f == FormatGrype || f == FormatSARIF || f == FormatCycloneDX
}

// Detect tells the format of a result file by its content; FormatUnknown for any other.
func Detect(raw []byte) Format {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if bytes.HasPrefix(raw, []byte("<")) {
		return FormatJUnit
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(raw, &top) != nil {
		if goTestLine(raw) {
			return FormatGoTest
		}
		return FormatUnknown
	}
	return detectJSON(top)
}

// detectJSON tells the format of one JSON object by the fields that only it has.
func detectJSON(top map[string]json.RawMessage) Format {
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := top[n]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("SchemaVersion", "ArtifactName"):
		return FormatTrivy
	case has("matches", "descriptor"):
		return FormatGrype
	case has("runs", "version"):
		return FormatSARIF
	case has("bomFormat", "specVersion"):
		return FormatCycloneDX
	case has("Action") && (has("Package") || has("ImportPath")):
		return FormatGoTest
	}
	return FormatUnknown
}

// goTestLine tells whether one of the first lines is an event of go test -json.
func goTestLine(raw []byte) bool {
	for range 100 {
		line, rest, more := bytes.Cut(raw, []byte("\n"))
		var top map[string]json.RawMessage
		if json.Unmarshal(line, &top) == nil && detectJSON(top) == FormatGoTest {
			return true
		}
		if !more {
			return false
		}
		raw = rest
	}
	return false
}

// readAll reads r to its end, at most MaxFile bytes.
func readAll(r io.Reader, what string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s: %w", what, err)
	}
	if len(raw) > MaxFile {
		return nil, fmt.Errorf("the %s is larger than %d MiB", what, MaxFile>>20)
	}
	return bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), nil
}

// decode reads a whole JSON document into v. Duplicate keys, deep nesting and
// trailing data are refused; unknown fields are not.
func decode(r io.Reader, what string, v any) ([]byte, error) {
	raw, err := readAll(r, what)
	if err != nil {
		return nil, err
	}
	if err := evidence.StrictUpTo(raw, MaxFile); err != nil {
		return nil, fmt.Errorf("the %s: %w", what, err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("the %s is not what it should be: %w", what, plain(err))
	}
	return raw, nil
}

// plain says of a JSON error which field is wrong, without Go's words.
func plain(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Errorf("%s is a %s", t.Field, t.Value)
	}
	return err
}

// name makes text from a report harmless, on one line.
func name(s string) string { return clean.Text(strings.TrimSpace(s)) }

// link is a URL for people: http and https only, else "".
func link(s string) string {
	s = name(s)
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
	"plimsoll/registry"
)

// AttestRequest asks for a result file to be signed and attached to a digest.
type AttestRequest struct {
	Gate      string    // gates.E2E or gates.Scan
	Reference string    // REPO@DIGEST: a tag may no longer mean what was tested
	Result    []byte    // JUnit XML or go test -json; Trivy, Grype, SARIF or CycloneDX JSON
	Suite     string    // e2e: the name that the gate asks for; "" takes the one in the file
	URL       string    // a page with the run, for people; may be ""
	Finished  time.Time // zero: what the file says, else now
}

// Attested is a result that was signed and attached.
type Attested struct {
	Reference     string        `json:"reference"`
	Digest        digest.Digest `json:"digest"`
	Evidence      digest.Digest `json:"evidence"` // manifest of the statement
	PredicateType string        `json:"predicateType"`
	Summary       string        `json:"summary"` // "48/48", "0C 0H 3M"
	Finished      time.Time     `json:"finished"`
	Warning       string        `json:"warning,omitempty"`
}

// statement is what a result file says, ready to be signed.
type statement struct {
	kind      string
	predicate any
	summary   string
	finished  time.Time
}

// Attest turns a result file into a signed statement about a digest, and
// attaches it. A failed result is attached too: it must not be forgotten.
func (d *Desk) Attest(ctx context.Context, r AttestRequest) (Attested, error) {
	if err := d.mayWrite("attach evidence"); err != nil {
		return Attested{}, err
	}
	repo, dg, err := splitReference(r.Reference)
	if err != nil {
		return Attested{}, err
	}
	s, err := d.stated(r)
	if err != nil {
		return Attested{}, err
	}
	desc, err := d.read().Head(ctx, repo, dg.String())
	if errors.Is(err, registry.ErrNotFound) {
		return Attested{}, fault.New(fault.Failed, "push the image first; attest what you tested", err, "%s is not there", repo.At(dg))
	}
	if err != nil {
		return Attested{}, err
	}
	key, err := d.signer(ctx)
	if err != nil {
		return Attested{}, err
	}
	made, err := d.attach(ctx, key, repo, desc, s.kind, s.predicate)
	if err != nil {
		return Attested{}, err
	}
	out := Attested{Reference: repo.At(dg), Digest: dg, Evidence: made, PredicateType: s.kind, Summary: s.summary, Finished: s.finished}
	id, _ := d.member(key.Public(), d.everyGroup())
	out.Warning = d.audit("attest", d.serviceOf(repo), id, map[string]any{"reference": repo.At(dg), "gate": r.Gate, "evidence": made, "summary": s.summary})
	return out, nil
}

// serviceOf is the service that a staging repository belongs to, "" for none or several.
func (d *Desk) serviceOf(staging registry.Repository) string {
	name := ""
	for _, s := range d.Services() {
		if s.Staging == staging.String() {
			if name != "" {
				return ""
			}
			name = s.Name
		}
	}
	return name
}

// stated reads the result file.
func (d *Desk) stated(r AttestRequest) (statement, error) {
	switch r.Gate {
	case gates.E2E:
		return d.tested(r)
	case gates.Scan:
		return d.scannedBy(r)
	}
	return statement{}, fault.New(fault.Usage, "attest e2e or scan; approve signs off", nil, "no result file makes evidence for the gate %q", clean.Text(r.Gate))
}

func (d *Desk) tested(r AttestRequest) (statement, error) {
	t, err := report.ReadTestFile(r.Result)
	if err != nil {
		return statement{}, fault.New(fault.Usage, "give JUnit XML or the output of go test -json", err, "read the test results")
	}
	suite := cmp.Or(r.Suite, t.Suite)
	if suite == "" {
		return statement{}, fault.New(fault.Usage, "name it with --suite", nil, "the test results do not say which suite they are of")
	}
	at := d.finished(r, t.Finished)
	return statement{evidence.TestResult, report.TestPredicate(t, suite, r.URL, at, r.Result), suite + " " + t.String(), at}, nil
}

func (d *Desk) scannedBy(r AttestRequest) (statement, error) {
	s, err := report.ReadScanFile(r.Result)
	if err != nil {
		return statement{}, fault.New(fault.Usage, "give the JSON of Trivy, Grype, SARIF or CycloneDX", err, "read the scan report")
	}
	at := d.finished(r, s.Finished)
	return statement{evidence.Vuln, report.VulnPredicate(s, r.URL, at), fmt.Sprint(report.Count(s.Findings)), at}, nil
}

// finished is when the run ended: as the caller says, else the file, else now.
func (d *Desk) finished(r AttestRequest, file time.Time) time.Time {
	for _, at := range []time.Time{r.Finished, file} {
		if !at.IsZero() {
			return at.UTC()
		}
	}
	return d.Now().UTC()
}

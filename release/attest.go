package release

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
)

// VEX is what AttestRequest.Gate is for an OpenVEX document, which the scan gate reads beside reports.
const VEX = "vex"

// AttestRequest asks for a statement about a digest to be signed and attached.
type AttestRequest struct {
	Gate      string    // gates.E2E, gates.Scan, VEX or gates.Soak
	Reference string    // REPO@DIGEST: a tag may no longer mean what was tested
	Result    []byte    // JUnit XML or go test -json; Trivy, Grype, SARIF or CycloneDX JSON; OpenVEX; none for soak
	Suite     string    // e2e: the name that the gate asks for; "" takes the one in the file
	URL       string    // e2e, scan: a page with the run, for people; may be ""
	Channel   string    // soak: the tag that staging follows; "" takes what the gate asks for
	Finished  time.Time // soak: since when it runs; zero: what the file says, else now. Of no use to VEX
}

// Attested is a statement that was signed and attached.
type Attested struct {
	Reference     string        `json:"reference"`
	Digest        digest.Digest `json:"digest"`
	Evidence      digest.Digest `json:"evidence"` // manifest of the statement
	PredicateType string        `json:"predicateType"`
	Summary       string        `json:"summary"`  // "48/48", "0C 0H 3M", "2 excused"
	Finished      time.Time     `json:"finished"` // the time that it states
	Warning       string        `json:"warning,omitempty"`
}

// Attest turns a result file, or the fact that staging runs it, into a signed
// statement about a digest, and attaches it. A failed result is attached too: it
// must not be forgotten.
func (d *Desk) Attest(ctx context.Context, r AttestRequest) (Attested, error) {
	if err := d.mayWrite("attach evidence"); err != nil {
		return Attested{}, err
	}
	repo, dg, err := splitReference(r.Reference)
	if err != nil {
		return Attested{}, err
	}
	s, err := d.stated(ctx, repo, dg, r)
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
	trouble := d.audit("attest", d.serviceOf(repo), id, map[string]any{"reference": repo.At(dg), "gate": r.Gate, "evidence": made, "summary": s.summary})
	out.Warning = strings.Trim(d.unheeded(r.Gate, repo, key.Public())+"; "+trouble, "; ")
	return out, nil
}

// unheeded says that no service of a staging repository asks for that signer, ""
// if one does, or none has the gate here.
func (d *Desk) unheeded(gate string, staging registry.Repository, key crypto.PublicKey) string {
	var asked []string
	for _, s := range d.Config.Services {
		p, err := d.place(s.Name)
		if err != nil || p.staging != staging {
			continue
		}
		if gate == VEX {
			gate = gates.Scan
		}
		for _, g := range p.policy.Asked(gate) {
			if _, ok := d.member(key, []string{g.Name}); ok {
				return ""
			}
			asked = append(asked, g.Name)
		}
	}
	if len(asked) == 0 {
		return ""
	}
	slices.Sort(asked)
	return fmt.Sprintf("your key counts for nothing there: %s asks for %s", gate, list(slices.Compact(asked)))
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

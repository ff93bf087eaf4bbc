package gates

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/package-url/packageurl-go"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// vexKey begins the key of a remembered "affected".
const vexKey = "vex "

// vexDocument is OpenVEX (https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md), as far as it is used.
type vexDocument struct {
	Statements []vexStatement `json:"statements"`
}

type vexStatement struct {
	Vulnerability json.RawMessage   `json:"vulnerability"` // an object; text before v0.2.0
	Products      []json.RawMessage `json:"products"`      // objects; text before v0.2.0
	Status        string            `json:"status"`
	Justification string            `json:"justification"`
	Impact        string            `json:"impact_statement"`
	Timestamp     string            `json:"timestamp"`
	LastUpdated   string            `json:"last_updated"`
}

// exception is one signed statement about one vulnerability.
type exception struct {
	names      []string // of the vulnerability, with aliases
	components []string // package URLs of the parts that it is about; none: all
	status     string
	why        string // in words
	at         time.Time
	proof      proof
	gone       bool // remembered, no longer in the registry
}

// good tells whether the statement excuses the vulnerability.
func (x exception) good() bool { return x.status == "not_affected" || x.status == "fixed" }

// exceptions is what the scan gate's signers say about vulnerabilities.
type exceptions struct {
	now      time.Time
	all      []exception
	used     []Negative // "affected" that took an excuse away, to be remembered
	rejected []string   // OpenVEX documents that do not count, each with the reason
}

// add reads an OpenVEX document.
func (x *exceptions) add(p proof) error {
	var d vexDocument
	if err := json.Unmarshal(p.Statement.Predicate, &d); err != nil {
		return fmt.Errorf("%w: no OpenVEX document: %w", evidence.ErrMalformed, err)
	}
	for _, s := range d.Statements {
		e, err := s.read(p)
		if err != nil {
			return err
		}
		if e.at.After(x.now.Add(maxSkew)) {
			return fmt.Errorf("%w: a statement is dated %s, which is in the future", evidence.ErrMalformed, moment(e.at))
		}
		if s.concerns(p) {
			x.all = append(x.all, e)
		}
	}
	return nil
}

// read takes one statement apart.
func (s vexStatement) read(p proof) (exception, error) {
	e := exception{status: s.Status, at: p.at, proof: p}
	var v struct {
		Name    string   `json:"name"`
		ID      string   `json:"@id"`
		Aliases []string `json:"aliases"`
	}
	if json.Unmarshal(s.Vulnerability, &v) != nil {
		if err := json.Unmarshal(s.Vulnerability, &v.Name); err != nil {
			return e, fmt.Errorf("%w: an OpenVEX statement names no vulnerability", evidence.ErrMalformed)
		}
	}
	for _, n := range append([]string{v.Name, v.ID}, v.Aliases...) {
		if n = clean.Text(n); n != "" {
			e.names = append(e.names, n)
		}
	}
	if len(e.names) == 0 {
		return e, fmt.Errorf("%w: an OpenVEX statement names no vulnerability", evidence.ErrMalformed)
	}
	for _, stamp := range []string{s.LastUpdated, s.Timestamp} {
		if at, err := time.Parse(time.RFC3339, stamp); err == nil {
			e.at = at.UTC()
			break
		}
	}
	switch s.Status {
	case "fixed":
		e.why = "fixed"
	case "not_affected":
		e.why = clean.Text(strings.TrimSpace(s.Justification + " " + s.Impact))
		if e.why == "" { // OpenVEX: a justification or an impact statement is required
			e.status, e.why = "under_investigation", "not_affected without a justification"
		}
	case "affected", "under_investigation":
		e.why = s.Status
	default:
		return e, fmt.Errorf("%w: OpenVEX status %q is not known", evidence.ErrMalformed, clean.Text(s.Status))
	}
	for _, raw := range s.Products {
		e.components = append(e.components, readProduct(raw).subcomponents...)
	}
	return e, nil
}

// product is what an OpenVEX statement is about.
type product struct {
	id            string
	hashes        []string
	subcomponents []string
}

// readProduct reads a product, an object or (before v0.2.0) text.
func readProduct(raw json.RawMessage) product {
	var o struct {
		ID            string            `json:"@id"`
		Hashes        map[string]string `json:"hashes"`
		Subcomponents []json.RawMessage `json:"subcomponents"`
	}
	if json.Unmarshal(raw, &o) != nil {
		var id string
		if json.Unmarshal(raw, &id) != nil {
			return product{id: "unreadable@sha256:"}
		}
		return product{id: id}
	}
	p := product{id: o.ID}
	for _, h := range o.Hashes {
		p.hashes = append(p.hashes, h)
	}
	for _, s := range o.Subcomponents {
		p.subcomponents = append(p.subcomponents, readProduct(s).id)
	}
	return p
}

// concerns tells whether the statement is about what the envelope is about.
// The subject of the envelope binds it; a product only speaks against it if it
// names digests, and only others.
func (s vexStatement) concerns(p proof) bool {
	for _, raw := range s.Products {
		named := readProduct(raw)
		id := strings.ReplaceAll(strings.ToLower(named.id), "%3a", ":")
		if !strings.Contains(id, "sha256:") && len(named.hashes) == 0 {
			return true
		}
		for _, subject := range p.Statement.Subject {
			hex := subject.Digest["sha256"]
			if hex != "" && (strings.Contains(id, "sha256:"+hex) || slices.Contains(named.hashes, hex)) {
				return true
			}
		}
	}
	return len(s.Products) == 0
}

// disappeared adds the remembered "affected" whose documents are gone.
func (x *exceptions) disappeared(rulings []ruling) {
	for _, r := range rulings {
		if id, ok := strings.CutPrefix(r.key, vexKey); ok {
			x.all = append(x.all, exception{names: []string{id}, status: "affected", why: r.reasons[0], at: r.at, gone: true})
		}
	}
}

// matches tells whether an exception speaks of a finding on a platform.
func (x exception) matches(f report.Finding, about func(exception) bool) bool {
	if !slices.ContainsFunc(x.names, f.Named) || !about(x) {
		return false
	}
	return len(x.components) == 0 || slices.ContainsFunc(x.components, func(c string) bool { return samePackage(c, f) })
}

// samePackage tells whether a package URL means the package of a finding. One
// without a version means all versions.
func samePackage(component string, f report.Finding) bool {
	c, err := packageurl.FromString(component)
	if err != nil {
		return component == f.Package
	}
	have, err := packageurl.FromString(f.PURL)
	if err != nil {
		return c.Name == f.Package && (c.Version == "" || c.Version == f.Version)
	}
	return c.Type == have.Type && c.Namespace == have.Namespace && c.Name == have.Name && (c.Version == "" || c.Version == have.Version)
}

// covers tells whether the newest statement about a finding excuses it, and
// why; or, if the newest takes an earlier excuse away, why it does.
func (x *exceptions) covers(f report.Finding, p Platform, in Input) (string, bool) {
	about := func(e exception) bool {
		return e.gone || e.proof.About(in.Candidate) || e.proof.About(p.Digest)
	}
	var newest *exception
	for i, e := range x.all {
		if !e.matches(f, about) {
			continue
		}
		if !e.good() && !e.gone {
			x.remember(f, e, in.Candidate)
		}
		if newest == nil || later(e.ruling(), newest.ruling()) > 0 {
			newest = &x.all[i]
		}
	}
	switch {
	case newest == nil:
		return "", false
	case newest.good():
		return fmt.Sprintf("%s in %s is excused by OpenVEX (%s: %s), signed by %s", f.ID, f.Package, newest.status, newest.why, newest.proof.Group), true
	case newest.gone:
		return newest.why, false
	}
	return fmt.Sprintf("OpenVEX says %s, signed by %s", newest.why, newest.proof.Group), false
}

// ruling is the exception as something that can be put in order of time.
func (x exception) ruling() ruling {
	r := ruling{at: x.at, bad: !x.good(), status: Pass}
	if x.proof.Form != "" {
		r.id = x.proof.id()
	}
	return r
}

// remember notes an "affected" about a finding.
func (x *exceptions) remember(f report.Finding, e exception, candidate digest.Digest) {
	x.used = append(x.used, Negative{
		Gate: Scan, Subject: candidate, Evidence: e.proof.id(), Key: vexKey + f.ID, At: e.at,
		Reason: fmt.Sprintf("OpenVEX said %s of %s", e.why, f.ID),
	})
}

// rest is the findings that no OpenVEX statement excuses, whatever the platform.
func (x *exceptions) rest(findings []report.Finding) []report.Finding {
	anywhere := func(exception) bool { return true }
	return slices.DeleteFunc(slices.Clone(findings), func(f report.Finding) bool {
		var newest *exception
		for i, e := range x.all {
			if e.matches(f, anywhere) && (newest == nil || later(e.ruling(), newest.ruling()) > 0) {
				newest = &x.all[i]
			}
		}
		return newest != nil && newest.good()
	})
}

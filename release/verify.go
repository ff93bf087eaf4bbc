package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/diff"
	"plimsoll/release/ledger"
	"plimsoll/release/operation"
)

// Verification says whether a digest in prod was promoted, by whom and through
// which gates, from what the prod registry holds alone.
type Verification struct {
	Reference       string         `json:"reference"`
	Service         string         `json:"service"` // "" if no service has this repository
	Promoted        bool           `json:"promoted"`
	Action          string         `json:"action,omitempty"` // promote, adopt, rollback: what the record accounts for
	By              string         `json:"by"`
	RequestedBy     []string       `json:"requestedBy,omitempty"` // who asked By, a pipeline; its word
	At              *time.Time     `json:"at"`
	From            string         `json:"from"` // the staging repository
	Record          *digest.Digest `json:"record"`
	Checks          []gates.Check  `json:"checks"`              // of the record, each with its evidence read and verified again
	Overrides       []string       `json:"overrides,omitempty"` // gates that By went past, with Reason
	Reason          string         `json:"reason"`              // of the record
	RolledBackSince bool           `json:"rolledBackSince"`     // the channel was moved away from it by a rollback
	InProd          bool           `json:"inProd"`              // a channel points at it now
	Quarantined     string         `json:"quarantined"`         // the reason; "" if it is not
	Policy          string         `json:"policy"`              // digest of the policy that the record names
	PolicyFound     bool           `json:"policyFound"`         // it is in the ledger: the evidence was verified under it
	PolicySigned    bool           `json:"policySigned"`        // one of its owners signed it
	PolicyBy        string         `json:"policySignedBy,omitempty"`
	Problems        []string       `json:"problems"` // why Promoted is false, or what else is wrong
	// Doubts are what a strict reader takes for a no although it was promoted: it is
	// quarantined, was rolled back, or evidence of the record does not verify any more.
	Doubts []string `json:"doubts"`
	// Identity is who wrote to prod's registry; nil: the record does not say.
	Identity *evidence.Principal `json:"identity,omitempty"`
}

// splitReference reads REPO@DIGEST; nothing else, since a tag may mean another
// image tomorrow.
func splitReference(reference string) (registry.Repository, digest.Digest, error) {
	name, hex, ok := strings.Cut(reference, "@")
	dg := digest.Digest(hex)
	if !ok || dg.Validate() != nil {
		return registry.Repository{}, "", fault.New(fault.Usage, "write it as host/path@sha256:…, with all 64 digits", nil,
			"%q names no digest", clean.Text(reference))
	}
	repo, err := registry.ParseRepository(name)
	return repo, dg, err
}

// Verify answers for REPO@DIGEST in prod. An answer that says no is no error;
// an error means that it could not be told, which is no yes either.
func (d *Desk) Verify(ctx context.Context, reference string) (Verification, error) {
	repo, dg, err := splitReference(reference)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Reference: reference, Checks: []gates.Check{}, Problems: []string{}}
	places, err := d.servicesOf(repo)
	if err != nil {
		return Verification{}, err
	}
	for _, p := range places {
		one, err := d.verify(ctx, p, dg)
		if err != nil {
			return Verification{}, err
		}
		one.Reference = reference
		if v.Service == "" || one.Promoted && !v.Promoted {
			v = one
		}
	}
	v.Doubts = v.doubts()
	return v, nil
}

func (v Verification) doubts() []string {
	out := []string{}
	if v.Quarantined != "" {
		out = append(out, "it is quarantined: "+v.Quarantined)
	}
	if v.RolledBackSince && !v.InProd {
		out = append(out, "it was rolled back since")
	}
	for _, c := range v.Checks {
		for _, why := range c.Reasons {
			out = append(out, c.Gate+": "+why)
		}
	}
	return out
}

// servicesOf are the services that release to a prod repository.
func (d *Desk) servicesOf(repo registry.Repository) ([]place, error) {
	var out []place
	var known []string
	for _, s := range d.Config.Services {
		p, err := d.place(s.Name)
		if err != nil {
			return nil, err
		}
		known = append(known, p.prod.String())
		if p.prod == repo {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Usage, "the prod repositories are: "+list(slices.Compact(known)), nil,
			"no service releases to %s", repo)
	}
	return out, nil
}

// verify answers for one service.
func (d *Desk) verify(ctx context.Context, p place, dg digest.Digest) (Verification, error) {
	chain, err := d.chain(ctx, p)
	if err != nil {
		return Verification{}, err
	}
	root, err := d.channelRoot(ctx, p)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Service: p.Name, Checks: []gates.Check{}, Problems: []string{}, InProd: root.Digest == dg}
	desc, err := d.read().Head(ctx, p.prod, dg.String())
	if errors.Is(err, registry.ErrNotFound) {
		// What prod does not hold was not promoted, or nobody can pull it any more: a no, not a failure.
		v.Quarantined = chain.QuarantinedBy(dg)
		v.Problems = append(v.Problems, p.prod.String()+" does not hold this digest")
		return v, nil
	}
	if err != nil {
		return Verification{}, fmt.Errorf("look for %s: %w", p.prod.At(dg), err)
	}
	shelf := d.shelf(p.prod)
	defer shelf.flush()
	n := named{desc.Digest, desc.MediaType, desc.Size}
	image, err := diff.Describe(ctx, shelf, n.descriptor())
	if err != nil {
		return Verification{}, err
	}
	o := outlineOf(image)
	v.Quarantined = chain.QuarantinedBy(o.digests(dg)...)
	r := promotionOf(chain, dg)
	if r == nil {
		v.Problems = append(v.Problems, "the ledger has no valid record that it was promoted")
		return v, nil
	}
	v.describe(p, chain, *r)
	if !v.InProd && !chain.Landed(*r) {
		v.Promoted = false
		v.Problems = append(v.Problems, p.channel()+" never pointed at it, as far as the ledger knows: the promotion was not finished")
	}
	rules := d.judgedBy(p, chain, &v, *r)
	return v, d.recheck(ctx, recheck{place: p, rules: rules, shelf: shelf, image: n, outline: o, record: *r}, &v)
}

// describe fills in what the record says.
func (v *Verification) describe(p place, chain ledger.Chain, r ledger.Record) {
	at := r.At()
	v.Promoted, v.By, v.At, v.Record = true, clean.Text(r.Predicate.Actor.ID), &at, &r.Digest
	v.Action, v.From = clean.Text(r.Predicate.Action), clean.Text(r.Predicate.From.URI)
	v.Policy, v.Reason = string(r.Predicate.Policy.Digest), clean.Text(r.Predicate.Reason)
	v.Overrides, v.RequestedBy = cleanTags(r.Predicate.Overrides), askers(r.Predicate.RequestedBy)
	v.Identity = principal(r.Predicate.Identity)
	if problem := problemOf(chain, r); problem != "" {
		v.Problems = append(v.Problems, "its record: "+problem)
	}
	if v.Policy != p.policy.Digest() {
		v.Problems = append(v.Problems, "the policy has changed since")
	}
	if v.Quarantined != "" {
		v.Problems = append(v.Problems, "it is quarantined: "+v.Quarantined)
	}
	for _, later := range chain.Records {
		if later.Verified && later.Predicate.Action == operation.ActionRollback && later.Predicate.Previous.Digest == r.Predicate.To.Digest && later.At().After(at) {
			v.RolledBackSince = true
		}
	}
}

// judgedBy is the policy that a record names, as the ledger has it, and whether
// its owners signed it. Once owners sign policies, a promotion under another one is none.
// Where the policy is not known, the evidence is verified with the keys of the present one.
func (d *Desk) judgedBy(p place, chain ledger.Chain, v *Verification, r ledger.Record) gates.Policy {
	rules := d.written(p, chain, v)
	signed, err := d.approvals(p, chain)
	if a := signed.Approved(digest.Digest(v.Policy)); a != nil {
		v.PolicySigned, v.PolicyBy = true, clean.Text(a.By)
		return rules
	}
	began := signed.Began()
	switch {
	case r.Predicate.Action != operation.ActionPromote:
		return rules // nothing was judged
	case err != nil:
		v.Problems = append(v.Problems, "it cannot be told whether the owners of the policy signed it: "+clean.Text(err.Error()))
	case !began.IsZero() && !startOf(chain, r).Before(began):
		v.Problems = append(v.Problems, "no owner of the policy signed the one that it was promoted under")
	default:
		return rules
	}
	v.Promoted = false
	return rules
}

// startOf is when a promotion began: as its signer says, but no earlier than what
// the ledger has before it.
func startOf(chain ledger.Chain, r ledger.Record) time.Time {
	at := r.Predicate.StartedOn
	for _, before := range chain.Records {
		if before.Verified && before.Number < r.Number && before.Predicate.StartedOn.After(at) {
			at = before.Predicate.StartedOn
		}
	}
	return at
}

// written finds the policy of a record in the ledger, else here.
func (d *Desk) written(p place, chain ledger.Chain, v *Verification) gates.Policy {
	document := chain.Document(digest.Digest(v.Policy))
	if document == nil && v.Policy == p.policy.Digest() {
		v.PolicyFound = true
		return p.policy
	}
	if document == nil {
		v.Problems = append(v.Problems, "the policy that it was promoted under is not in the ledger; its evidence was verified with the keys of the present one")
		return p.policy
	}
	rules, err := gates.ParseDocument(document)
	if err != nil {
		v.Problems = append(v.Problems, "the policy that it was promoted under cannot be read; its evidence was verified with the keys of the present one: "+clean.Text(err.Error()))
		return p.policy
	}
	v.PolicyFound = true
	return d.rooted(rules)
}

// recheck is what a record is compared with.
type recheck struct {
	place
	outline
	rules  gates.Policy // that the record names
	shelf  *shelf
	image  named
	record ledger.Record
}

// recheck reads the evidence that the record names, in prod, and verifies it
// again, each piece with the keys that its gate asked for.
func (d *Desk) recheck(ctx context.Context, q recheck, v *Verification) error {
	tags, err := d.read().Tags(ctx, q.prod)
	if err != nil {
		return err
	}
	f := gathering{desk: d, repo: q.prod, shelf: q.shelf, tags: tags, lean: true}.gather(ctx, q.image.Digest, q.outline)
	defer f.release()
	if f.err != nil {
		return f.err
	}
	for _, g := range q.record.Predicate.Gates {
		c := gates.Check{Gate: clean.Text(g.Gate), Status: gates.Status(clean.Text(g.Status)), Reasons: []string{}, Evidence: []digest.Digest{}}
		for _, e := range g.Evidence {
			c.Evidence = append(c.Evidence, e.Digest)
			if why := d.doubt(q, f.items, g.Gate, e.Digest); why != "" {
				c.Reasons = append(c.Reasons, why)
			}
		}
		if n := len(c.Evidence); n > 0 {
			c.Summary = fmt.Sprintf("%d of %d pieces of evidence verified again in prod", n-len(c.Reasons), n)
		}
		for _, why := range c.Reasons {
			v.Problems = append(v.Problems, c.Gate+": "+why)
		}
		v.Checks = append(v.Checks, c)
	}
	return nil
}

// doubt says what is wrong with one piece of evidence now, "" if nothing is.
func (d *Desk) doubt(q recheck, items []evidence.Item, gate string, manifest digest.Digest) string {
	why := fmt.Sprintf("the evidence %s is not in prod", shortOr(manifest))
	groups := q.rules.Asked(gate)
	if len(groups) == 0 {
		groups = gates.Groups(q.rules)
	}
	for _, item := range items {
		if item.Manifest != manifest && item.Layer != manifest { // of an .att tag, the record names the layer
			continue
		}
		why = fmt.Sprintf("the evidence %s verifies with no key of that gate", shortOr(manifest))
		if item.Problem != "" {
			why = fmt.Sprintf("the evidence %s: %s", shortOr(manifest), item.Problem)
		}
		about := q.digests(q.image.Digest)
		if gates.Trusted(item, groups, d.Now(), about...) || gates.Vouched(item, items, groups, d.Now(), q.image.Digest, about...) {
			return ""
		}
	}
	return why
}

package release

import (
	"cmp"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/ledger"
)

// PolicyView is the policy that decides for a service here and now, beside the
// newest one that its owners signed.
type PolicyView struct {
	Service  string          `json:"service"`
	Digest   string          `json:"digest"`   // of the policy, "sha256:…"
	Required bool            `json:"required"` // only a policy that its owners signed counts
	Signed   bool            `json:"signed"`   // this very one is signed
	By       string          `json:"by"`       // who signed the newest; "" for nobody
	At       *time.Time      `json:"at"`       // when, as they state it
	Newest   *digest.Digest  `json:"newest"`   // the newest policy that owners signed, null for none
	Owners   []string        `json:"owners"`   // who may sign the next one
	Unowned  bool            `json:"unowned"`  // owners have to sign it, and it names none any more
	Diff     []string        `json:"difference"`
	Policy   json.RawMessage `json:"policy"`             // the document
	Problems []string        `json:"problems,omitempty"` // why it may not count, what is odd about signatures
}

// SignPolicyRequest asks for an owner's signature under the policy of a service.
type SignPolicyRequest struct {
	Service string
	Digest  string // of the policy that the owner saw; another one here and now is refused
}

// SignedPolicy is what SignPolicy did.
type SignedPolicy struct {
	Service   string         `json:"service"`
	Digest    string         `json:"digest"`
	By        string         `json:"by"`
	Statement *digest.Digest `json:"statement"` // manifest in the ledger; null if it was signed before
	Unchanged bool           `json:"unchanged"` // the newest signed policy is this one already
	Warning   string         `json:"warning,omitempty"`
}

// Policy reads the ledger and says which policy decides for a service, whether
// its owners signed it, and what differs from the one that they signed last.
func (d *Desk) Policy(ctx context.Context, service string) (PolicyView, error) {
	p, err := d.place(service)
	if err != nil {
		return PolicyView{}, err
	}
	chain, err := d.chain(ctx, p)
	if err != nil {
		return PolicyView{}, err
	}
	standing := d.standing(p, chain, nil)
	signed, err := d.approvals(p, chain)
	v := PolicyView{
		Service: service, Digest: p.policy.Digest(), Required: standing.Required, Signed: standing.Signed, By: standing.By,
		Owners: []string{}, Diff: standing.Difference, Policy: p.policy.Document(), Problems: signed.Problems,
	}
	if v.Diff == nil {
		v.Diff = []string{}
	}
	if err != nil {
		v.Problems = append(v.Problems, clean.Text(err.Error()))
	}
	if _, named := p.policy.Trust[config.PolicyOwners]; !named {
		v.Unowned = v.Required
	}
	if v.Required && signed.Newest == nil {
		v.Diff = difference([]byte(`{}`), p.policy.Document())
	}
	if a := signed.Newest; a != nil {
		v.Newest, v.At = &a.Policy, &a.At
	}
	for _, g := range owners(p, signed) {
		v.Owners = append(v.Owners, members(g)...)
	}
	v.Problems = append(v.Problems, unresolved(p.policy)...)
	return v, nil
}

// SignPolicy signs the policy of a service as one of its owners and writes that
// to the ledger. It follows what owners signed before.
func (d *Desk) SignPolicy(ctx context.Context, r SignPolicyRequest) (SignedPolicy, error) {
	if err := d.mayWrite("sign a policy"); err != nil {
		return SignedPolicy{}, err
	}
	p, err := d.place(r.Service)
	if err != nil {
		return SignedPolicy{}, err
	}
	if have := p.policy.Digest(); have != r.Digest {
		return SignedPolicy{}, fault.New(fault.Usage, "look at it again: plimsoll policy show "+p.Name, nil,
			"the policy of %s is %s, not %s as shown", p.Name, have, clean.Text(r.Digest))
	}
	if unknown := unresolved(p.policy); len(unknown) > 0 {
		return SignedPolicy{}, fault.New(fault.Failed, "sign it where every key can be read", nil, "the policy of %s is not whole: %s", p.Name, list(unknown))
	}
	chain, err := d.chain(ctx, p)
	if err != nil {
		return SignedPolicy{}, err
	}
	signed, err := d.approvals(p, chain)
	if err != nil && !errors.Is(err, ledger.ErrFork) {
		return SignedPolicy{}, err
	}
	if err == nil && signed.Newest != nil && signed.Newest.Policy.String() == r.Digest {
		return SignedPolicy{Service: p.Name, Digest: r.Digest, By: signed.Newest.By, Unchanged: true}, nil
	}
	return d.signPolicy(ctx, p, signed)
}

// signPolicy signs and publishes, and sees to it that it counts.
func (d *Desk) signPolicy(ctx context.Context, p place, signed ledger.Signed) (SignedPolicy, error) {
	key, err := d.signer(ctx)
	if err != nil {
		return SignedPolicy{}, err
	}
	id, err := d.owner(p, signed, key.Public())
	if err != nil {
		return SignedPolicy{}, err
	}
	client := d.Client(registry.Promote)
	defer client.Close()
	book := ledger.New(client, p.ledger, d.Store)
	draft, err := book.DraftPolicy(ctx, key, evidence.PolicyPredicate{
		Policy: p.policy.Document(), Service: p.Name, Decision: evidence.Approved, Previous: signed.Tips,
		Actor: evidence.Identity{ID: cmp.Or(id, d.Actor)}, DecidedOn: d.Now().UTC().Truncate(time.Second),
	})
	if err != nil {
		return SignedPolicy{}, err
	}
	if err := book.Publish(ctx, draft); err != nil {
		return SignedPolicy{}, err
	}
	out := SignedPolicy{Service: p.Name, Digest: p.policy.Digest(), By: id, Statement: &draft.Digest}
	chain, err := d.chain(ctx, p)
	if standing := d.standing(p, chain, err); standing.Err != nil || !standing.Signed {
		return out, fault.New(fault.Failed, "plimsoll policy show "+p.Name+" says what stands now", standing.Err,
			"the policy of %s was signed, and it does not count yet", p.Name)
	}
	out.Warning = d.audit("policy", p.Name, id, map[string]any{"policy": out.Digest, "statement": draft.Digest})
	return out, nil
}

// owner is who a key is among those who may sign the next policy: an owner of
// every one that it follows.
func (d *Desk) owner(p place, signed ledger.Signed, key crypto.PublicKey) (string, error) {
	groups := owners(p, signed)
	if len(groups) == 0 {
		return "", fault.New(fault.Usage, "name them under trust: {"+config.PolicyOwners+": {people: {their id: key}}}", nil,
			"the policy of %s has no owners, so nobody has to sign it", p.Name)
	}
	id := ""
	for _, g := range groups {
		i := slices.IndexFunc(g.Members(), func(m config.Person) bool { return m.Key.Is(key) && m.Key.Counts(d.Now()) })
		if i < 0 {
			return "", fault.New(fault.Usage, "the owners are: "+list(members(g)), nil,
				"your key is none of the owners who may sign the policy of %s, so a signature with it would count for nothing", p.Name)
		}
		id = g.Members()[i].ID
	}
	return id, nil
}

// owners are those who may sign the next policy: the owners of each that it
// follows, or, for the first one, those that the configuration names.
func owners(p place, signed ledger.Signed) []config.Group {
	if groups := signed.Owners(); len(groups) > 0 {
		return groups
	}
	if g, ok := p.policy.Trust[config.PolicyOwners]; ok {
		return []config.Group{g}
	}
	return nil
}

// members names who is in a group.
func members(g config.Group) []string {
	keys := g.Members()
	out := make([]string, 0, len(keys)+len(g.Workflow))
	for _, m := range keys {
		out = append(out, cmp.Or(m.ID, "the key "+m.Key.Path))
	}
	for _, w := range g.Workflow {
		out = append(out, cmp.Or(w.Identity, "a workflow of "+w.Issuer))
	}
	return out
}

// unresolved are the keys of a policy that are not known here: it has another
// digest where they are.
func unresolved(p gates.Policy) []string {
	unknown := p.Unknown()
	out := make([]string, 0, len(unknown))
	for _, k := range unknown {
		out = append(out, fmt.Sprintf("the key %s is not known: %s", k.Path, cmp.Or(k.Problem, "it was not read")))
	}
	return out
}

// approvals follows the signatures of the owners of a service's policy, from
// what this machine knows of them.
func (d *Desk) approvals(p place, chain ledger.Chain) (ledger.Signed, error) {
	q := ledger.Asking{Prod: p.prod.String(), Channel: p.Channel, Now: d.Now(), Root: d.rooted}
	var known ledger.Approval
	found, err := d.Store.Pinned(p.pin(), &known)
	if err != nil {
		return ledger.Signed{}, fmt.Errorf("read which policy of %s this machine believed last: %w", p.Name, err)
	}
	if found {
		q.Known = &known
	}
	if g, ok := p.policy.Trust[config.PolicyOwners]; ok {
		q.Owners = &g
	}
	return chain.Signed(q)
}

// pin is the name under which this machine remembers whose policy it believed.
// It is prod that is protected: neither the service's name nor its ledger may change that.
func (p place) pin() string { return "policy of " + p.channel() }

// rooted gives the keyless groups of a policy from the ledger the root that
// this machine has for its own.
func (d *Desk) rooted(p gates.Policy) gates.Policy {
	for _, name := range d.everyGroup() {
		if g := d.Config.Trust[name]; len(g.Workflow) > 0 {
			return p.WithRoot(g.Root, g.RootProblem)
		}
	}
	return p.WithRoot(d.Config.TrustRoot.Raw, cmp.Or(d.Config.TrustRoot.Problem, "the configuration here has no keyless signers, so there is no trusted root"))
}

// standing says whether the policy that decides here is one that its owners
// signed. unread is why the ledger could not be read. What is seen for the
// first time is remembered, so that nobody can put other owners in place of these.
func (d *Desk) standing(p place, chain ledger.Chain, unread error) gates.Standing {
	_, named := p.policy.Trust[config.PolicyOwners]
	s := gates.Standing{Required: named}
	signed, err := d.approvals(p, chain)
	if err != nil {
		s.Required, s.Err = true, err
	}
	if a := signed.Newest; a != nil {
		s.Required = s.Required || a.Owned()
		s.Signed = err == nil && a.Policy.String() == p.policy.Digest()
		s.By = clean.Text(a.By)
		if !s.Signed {
			s.Difference = difference(a.Document, p.policy.Document())
		}
	}
	switch {
	case !s.Required:
	case unread != nil:
		s.Signed, s.Err = false, fault.Join(s.Err, unread)
	case err == nil && signed.Newest != nil && signed.Moved:
		_ = d.Store.Pin(p.pin(), *signed.Newest) // a machine that cannot remember believes the ledger each time
	}
	return s
}

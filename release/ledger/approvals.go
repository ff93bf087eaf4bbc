package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// tree is the approvals that are believed, by their statement.
type tree struct {
	asking    Asking
	approvals map[digest.Digest]Approval
	order     []digest.Digest
	there     map[digest.Digest]bool // approvals that can be read, believed or not
	stray     []Policy               // approvals that nobody who may has signed
	doubts    []error                // signatures that could not be checked
}

// plant begins with what this machine knows.
func (t *tree) plant() error {
	if t.asking.Known == nil {
		return nil
	}
	known := *t.asking.Known
	var err error
	if known.rules, err = t.parse(known.Document); err != nil {
		return fault.New(fault.Gate, "use the version of plimsoll that this machine used before, or a newer one", err,
			"the policy %s, which %s signed, cannot be read", known.Policy, who(known))
	}
	t.add(known)
	return nil
}

// grow takes in approvals until none is left whose predecessors are believed.
func (t *tree) grow(policies []Policy) {
	rest := make(map[digest.Digest]candidate, len(policies))
	for _, p := range policies {
		if c, ok := t.candidate(p); ok {
			rest[p.Digest], t.there[p.Digest] = c, true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, p := range policies {
			c, ok := rest[p.Digest]
			if !ok || !t.ready(p) {
				continue
			}
			delete(rest, p.Digest)
			if t.admit(c) {
				grown = true
			} else if c.unread == nil {
				t.stray = append(t.stray, p)
			}
		}
	}
	for _, p := range policies {
		if c, ok := rest[p.Digest]; ok && c.unread == nil {
			t.stray = append(t.stray, p)
		}
	}
}

// candidate is an approval that nobody has verified yet.
type candidate struct {
	Policy
	rules  gates.Policy
	unread error // this version cannot read the document
}

// candidate reads an approval of this channel's policy.
func (t *tree) candidate(p Policy) (candidate, bool) {
	if p.Document == nil || p.Predicate.Decision != evidence.Approved {
		return candidate{}, false
	}
	if _, known := t.approvals[p.Digest]; known {
		return candidate{}, false
	}
	rules, err := t.parse(p.Document)
	if err == nil && (rules.Service.Prod != t.asking.Prod || rules.Service.Channel != t.asking.Channel) {
		return candidate{}, false
	}
	return candidate{p, rules, err}, true
}

func (t *tree) parse(document []byte) (gates.Policy, error) {
	p, err := gates.ParseDocument(document)
	if err == nil && t.asking.Root != nil {
		p = t.asking.Root(p)
	}
	return p, err //nolint:wrapcheck // nobody reads it
}

func (t *tree) add(a Approval) {
	t.there[a.Statement] = true
	t.approvals[a.Statement] = a
	t.order = append(t.order, a.Statement)
}

// ready tells whether everything before p that is there is believed. What is
// gone cannot be asked: an approval that follows nothing else is as good as a first one.
func (t *tree) ready(p Policy) bool {
	for _, before := range p.Predicate.Previous {
		if _, ok := t.approvals[before]; !ok && t.there[before] {
			return false
		}
	}
	return true
}

// admit believes an approval that an owner of every policy before it signed;
// the first one, and one after owners gave up, an owner of its own.
func (t *tree) admit(c candidate) bool {
	var verified evidence.Verified
	asked, follows := false, false
	for _, before := range c.Predicate.Previous {
		a, ok := t.approvals[before]
		follows = follows || ok
		if !ok || !owned(a.rules) {
			continue
		}
		asked = true
		if verified, ok = t.signedBy(c, a.rules); !ok {
			return false
		}
	}
	if c.unread != nil {
		if asked {
			t.doubts = append(t.doubts, fmt.Errorf("read the policy that %s signed: %w", cmp.Or(verified.Person, "an owner"), c.unread))
		}
		return false
	}
	if !asked {
		var ok bool
		if verified, ok = t.signedBy(c, c.rules); !ok {
			return false
		}
	}
	t.add(Approval{
		Statement: c.Digest, Policy: c.Predicate.Digest, Document: c.Document, Previous: c.Predicate.Previous,
		By: verified.Person, At: c.Predicate.DecidedOn, rules: c.rules, first: !follows,
	})
	return true
}

// signedBy tells whether an owner of a policy signed the approval.
func (t *tree) signedBy(c candidate, rules gates.Policy) (evidence.Verified, bool) {
	v, err := c.envelope.Verify(rules.Trust[config.PolicyOwners], t.asking.Now)
	if errors.Is(err, evidence.ErrUnreadable) {
		t.doubts = append(t.doubts, fmt.Errorf("check who signed the policy statement %s: %w", c.Tag, err))
	}
	// What was read before the signature was checked has to be what was signed.
	return v, err == nil && v.Statement.PredicateType == evidence.Policy && v.About(c.Predicate.Digest)
}

// starts are what the approvals may be followed from: what this machine knows,
// else the first ones, those that the configured owners signed before others.
func (t *tree) starts() []Approval {
	if t.asking.Known != nil {
		return []Approval{t.approvals[t.asking.Known.Statement]}
	}
	var first, ours []Approval
	for _, s := range t.order {
		a := t.approvals[s]
		if !a.first {
			continue
		}
		first = append(first, a)
		if t.asking.Owners != nil && t.byOurs(a) {
			ours = append(ours, a)
		}
	}
	if len(ours) > 0 {
		first = ours
	}
	// Owners who signed the same policy at once made one start, not two.
	slices.SortStableFunc(first, func(a, b Approval) int { return cmp.Compare(a.Policy, b.Policy) })
	return slices.CompactFunc(first, func(a, b Approval) bool { return a.Policy == b.Policy })
}

// byOurs tells whether an owner in the configuration of this machine is an
// owner under the approval too.
func (t *tree) byOurs(a Approval) bool {
	return slices.ContainsFunc(t.asking.Owners.Members(), func(m config.Person) bool {
		return slices.ContainsFunc(a.rules.Trust[config.PolicyOwners].Members(), func(o config.Person) bool {
			return m.Key.Public != nil && o.Key.Is(m.Key.Public)
		})
	})
}

// family is the approvals that led to start, those that say the same as it, and
// all that follow from them, in the order in which they were believed.
func (t *tree) family(start Approval) []Approval {
	in := map[digest.Digest]bool{}
	var up func(s digest.Digest)
	up = func(s digest.Digest) {
		if a, ok := t.approvals[s]; ok && !in[s] {
			in[s] = true
			for _, before := range a.Previous {
				up(before)
			}
		}
	}
	up(start.Statement)
	down := map[digest.Digest]bool{start.Statement: true}
	for _, s := range t.order {
		a := t.approvals[s]
		if a.twin(start) || slices.ContainsFunc(a.Previous, func(before digest.Digest) bool { return down[before] }) {
			in[s], down[s] = true, true
		}
	}
	var out []Approval
	for _, s := range t.order {
		if in[s] {
			out = append(out, t.approvals[s])
		}
	}
	slices.SortStableFunc(out, func(a, b Approval) int { return a.At.Compare(b.At) })
	return out
}

// tips are the approvals that none other follows, and that do not lead to the
// one that this machine knows.
func (t *tree) tips(family []Approval) []Approval {
	followed := map[digest.Digest]bool{}
	for _, a := range family {
		for _, before := range a.Previous {
			followed[before] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(family), func(a Approval) bool {
		return slices.ContainsFunc(family, func(b Approval) bool { return followed[b.Statement] && b.twin(a) })
	})
}

// problems are what people should look at.
func (t *tree) problems(c Chain, family []Approval) []string {
	var out []string
	for _, p := range t.stray {
		out = append(out, fmt.Sprintf("the policy statement %s counts for nothing: no owner of the policy before it signed it", p.Tag))
	}
	for _, s := range t.order {
		if !slices.ContainsFunc(family, func(a Approval) bool { return a.Statement == s }) {
			out = append(out, fmt.Sprintf("the policy %s, signed by %s, counts for nothing: it does not follow the one that this machine knows",
				t.approvals[s].Policy, who(t.approvals[s])))
		}
	}
	for _, a := range family {
		if i := slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Digest == a.Statement }); i < 0 || c.Policies[i].Missing {
			out = append(out, fmt.Sprintf("the signed policy %s was taken out of the ledger; this machine remembers it, and it still counts", a.Policy))
		}
	}
	return out
}

// unreadable is why the answer may be wrong.
func (t *tree) unreadable() error { return fault.Join(t.doubts...) }

package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// owner is somebody who may own policies.
type owner struct {
	id     string
	signer evidence.Signer
}

func (w *world) newOwner(id string) owner { return owner{id, signer(w.t)} }

// rules are a policy of the channel: with an age, so that two differ, and its owners; nil: none.
func (w *world) rules(age int, owners ...owner) gates.Policy {
	p := gates.Policy{Service: config.Service{
		Name: "chat", Staging: "staging.example.com/chat", Prod: w.prod.String(), Ledger: w.repo.String(), Channel: "live",
		Gates: config.Gates{E2E: &config.E2EGate{Suites: []string{fmt.Sprint(age)}}},
	}, Trust: map[string]config.Group{}}
	if len(owners) > 0 {
		g := config.Group{Name: config.PolicyOwners}
		for _, o := range owners {
			g.People = append(g.People, config.Person{ID: o.id, Key: config.Key{Public: o.signer.Public()}})
		}
		p.Trust[config.PolicyOwners] = g
	}
	return p
}

// approve signs a policy after those statements.
func (l *laptop) approve(by owner, p gates.Policy, minute int, previous ...digest.Digest) digest.Digest {
	l.w.t.Helper()
	return l.state(by, p, minute, evidence.Approved, previous...)
}

func (l *laptop) state(by owner, p gates.Policy, minute int, decision string, previous ...digest.Digest) digest.Digest {
	l.w.t.Helper()
	d, err := l.DraftPolicy(context.Background(), by.signer, evidence.PolicyPredicate{
		Policy: p.Document(), Service: "chat", Decision: decision, Previous: previous, Actor: evidence.Identity{ID: by.id}, DecidedOn: minutes(minute),
	})
	must(l.w.t, err)
	must(l.w.t, l.Publish(context.Background(), d))
	return d.Digest
}

func (w *world) asking(known *Approval) Asking {
	return Asking{Prod: w.prod.String(), Channel: "live", Now: minutes(10_000), Known: known}
}

func TestAPolicyIsWhatItsDigestNamesWhoeverWroteIt(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann := w.newOwner("ann")
	p := w.rules(1, ann)
	p.Service.Gates.E2E.Suites = []string{"<smoke> & <api>"} // what JSON escapes and the canonical form does not
	l.state(owner{"owner", w.owner}, p, 0, evidence.Used)
	c := w.laptop().read()
	if got := c.Document(digest.Digest(p.Digest())); string(got) != string(p.Document()) {
		t.Fatalf("%s\n%+v", got, c.Policies)
	}
	if c.Strays != 0 || len(c.Problems) != 0 || len(c.Records) != 0 {
		t.Errorf("%+v", c)
	}
	s, err := c.Signed(w.asking(nil))
	if err != nil || s.Newest != nil {
		t.Errorf("writing a policy down approved it: %+v, %v", s, err)
	}
}

func TestOwnersHandThePolicyOn(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, bob, eve := w.newOwner("ann"), w.newOwner("bob"), w.newOwner("eve")
	first := l.approve(ann, w.rules(1, ann), 0)
	second := l.approve(ann, w.rules(2, bob), 1, first)
	third := l.approve(bob, w.rules(3, bob), 2, second)
	l.approve(ann, w.rules(4, ann), 3, third)      // she left
	l.approve(eve, w.rules(5, eve), 4, third)      // never was one
	l.approve(eve, w.rules(6, bob, eve), 5, third) // her own name in what she signs is no help
	for _, known := range []*Approval{nil, {Statement: first, Policy: digest.Digest(w.rules(1, ann).Digest()), Document: w.rules(1, ann).Document(), At: minutes(0)}} {
		s, err := w.laptop().read().Signed(w.asking(known))
		must(t, err)
		if s.Newest.Statement != third || s.Newest.By != "bob" || !slices.Equal(s.Tips, []digest.Digest{third}) || !s.Moved {
			t.Errorf("known %v: %+v", known != nil, s)
		}
		if a := s.Approved(digest.Digest(w.rules(1, ann).Digest())); a == nil || a.Statement != first || !s.Began().Equal(minutes(0)) {
			t.Errorf("what was signed once: %+v", a)
		}
		if s.Approved(digest.Digest(w.rules(4, ann).Digest())) != nil || len(s.Problems) != 3 {
			t.Errorf("%q", s.Problems)
		}
		if who := s.Owners(); len(who) != 1 || who[0].People[0].ID != "bob" {
			t.Errorf("%+v", who)
		}
	}
}

// Somebody who was an owner signs what would have followed before she was put out.
func TestWhoLeftCannotComeBackThroughThePast(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, bob := w.newOwner("ann"), w.newOwner("bob")
	first := l.approve(ann, w.rules(1, ann, bob), 0)
	second := l.approve(bob, w.rules(2, bob), 10, first)
	s, err := l.read().Signed(w.asking(nil))
	must(t, err)
	known := s.Newest
	l.approve(ann, w.rules(3, ann), 1, first)
	s, err = l.read().Signed(w.asking(known))
	if err != nil || s.Newest.Statement != second || s.Moved || len(s.Problems) == 0 {
		t.Errorf("a machine that knows better: %+v, %v", s, err)
	}
	if _, err = w.laptop().read().Signed(w.asking(nil)); !errors.Is(err, ErrFork) || fault.CodeOf(err) != fault.Gate {
		t.Errorf("a machine that cannot know: %v", err)
	}
}

func TestOwnersWhoSignAtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, bob := w.newOwner("ann"), w.newOwner("bob")
	both := []owner{ann, bob}
	one, two := l.approve(ann, w.rules(1, both...), 0), l.approve(bob, w.rules(1, both...), 1)
	s, err := l.read().Signed(w.asking(nil))
	if err != nil || len(s.Tips) != 2 {
		t.Fatalf("the same policy is no fork: %+v, %v", s, err)
	}
	known := &Approval{Statement: one, Policy: s.Newest.Policy, Document: s.Newest.Document, Previous: []digest.Digest{}}
	left := l.approve(ann, w.rules(2, both...), 2, two) // she had seen the other one only
	s, err = l.read().Signed(w.asking(known))
	if err != nil || s.Newest.Statement != left {
		t.Fatalf("what follows a twin: %+v, %v", s, err)
	}
	right := l.approve(bob, w.rules(3, both...), 3, one, two)
	if s, err = l.read().Signed(w.asking(nil)); !errors.Is(err, ErrFork) || len(s.Tips) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	joined := l.approve(ann, w.rules(3, both...), 4, left, right)
	if s, err = l.read().Signed(w.asking(known)); err != nil || s.Newest.Statement != joined {
		t.Errorf("signed after both: %+v, %v", s, err)
	}
}

func TestAFirstPolicyOfAStranger(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, eve := w.newOwner("ann"), w.newOwner("eve")
	ours := l.approve(ann, w.rules(1, ann), 5)
	l.approve(eve, w.rules(2, eve), 0)
	if _, err := l.read().Signed(w.asking(nil)); fault.CodeOf(err) != fault.Gate || !strings.Contains(err.Error(), "2 first policies") {
		t.Errorf("%v", err)
	}
	q := w.asking(nil)
	group := w.rules(9, ann).Trust[config.PolicyOwners]
	q.Owners = &group
	if s, err := l.read().Signed(q); err != nil || s.Newest.Statement != ours {
		t.Errorf("the configuration knows whom: %+v, %v", s, err)
	}
	if s, err := l.read().Signed(w.asking(&Approval{Statement: ours, Document: w.rules(1, ann).Document()})); err != nil || s.Newest.Statement != ours {
		t.Errorf("the machine knows whom: %+v, %v", s, err)
	}
}

func TestOwnersWhoGiveUp(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, bob := w.newOwner("ann"), w.newOwner("bob")
	first := l.approve(ann, w.rules(1, ann), 0)
	free := l.approve(ann, w.rules(2), 1, first)
	s, err := l.read().Signed(w.asking(nil))
	if err != nil || s.Newest.Statement != free || s.Newest.Owned() || len(s.Owners()) != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	again := l.approve(bob, w.rules(3, bob), 2, free)
	if s, err = l.read().Signed(w.asking(s.Newest)); err != nil || s.Newest.Statement != again || !s.Newest.Owned() {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAPolicyThatWasTakenAwayStillCountsHere(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann := w.newOwner("ann")
	first := l.approve(ann, w.rules(1, ann), 0)
	second := l.approve(ann, w.rules(2, ann), 1, first)
	s, err := l.read().Signed(w.asking(nil))
	must(t, err)
	for _, p := range l.read().Policies {
		w.remove(p.Tag)
	}
	for name, reader := range map[string]*laptop{"with its cache": l, "with the pin alone": w.laptop()} {
		got, err := reader.read().Signed(w.asking(s.Newest))
		if err != nil || got.Newest.Statement != second || !problemsIn(got.Problems, "taken out") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := w.laptop().read().Signed(w.asking(nil)); err != nil || got.Newest != nil {
		t.Errorf("nobody can know: %+v, %v", got, err)
	}
}

// The ledger was lost. What an owner signs then follows what her machine knows,
// and is a first policy to machines that know nothing.
func TestOwnersGoOnAfterTheLedgerWasLost(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann := w.newOwner("ann")
	l.approve(ann, w.rules(1, ann), 0)
	s, err := l.read().Signed(w.asking(nil))
	must(t, err)
	for _, p := range l.read().Policies {
		w.remove(p.Tag)
	}
	next := l.approve(ann, w.rules(2, ann), 1, s.Tips...)
	for name, known := range map[string]*Approval{"knows": s.Newest, "does not know": nil} {
		if got, err := w.laptop().read().Signed(w.asking(known)); err != nil || got.Newest.Statement != next {
			t.Errorf("a machine that %s: %+v, %v", name, got, err)
		}
	}
}

// Somebody takes out the approval in the middle: nobody falls back to the policy before it.
func TestAGapInTheApprovalsIsNoWayBack(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, bob := w.newOwner("ann"), w.newOwner("bob")
	first := l.approve(ann, w.rules(1, ann), 0)
	second := l.approve(ann, w.rules(2, bob), 1, first)
	third := l.approve(bob, w.rules(3, bob), 2, second)
	s, err := l.read().Signed(w.asking(nil))
	must(t, err)
	w.remove(tagOf(l.read(), second))
	if _, err := w.laptop().read().Signed(w.asking(nil)); fault.CodeOf(err) != fault.Gate {
		t.Errorf("a machine that knows nothing: %v", err)
	}
	if got, err := w.laptop().read().Signed(w.asking(s.Newest)); err != nil || got.Newest.Statement != third {
		t.Errorf("a machine that knows: %+v, %v", got, err)
	}
}

// tagOf is where a statement is.
func tagOf(c Chain, statement digest.Digest) string {
	return c.Policies[slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Digest == statement })].Tag
}

func problemsIn(problems []string, word string) bool {
	return slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, word) })
}

func TestPoliciesOfOthersAreNotOurs(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann := w.newOwner("ann")
	canary, elsewhere := w.rules(1, ann), w.rules(1, ann)
	canary.Service.Channel, elsewhere.Service.Prod = "canary", "prod.example.com/other"
	l.approve(ann, canary, 0)
	l.approve(ann, elsewhere, 1)
	s, err := l.read().Signed(w.asking(nil))
	if err != nil || s.Newest != nil || len(s.Problems) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// An owner signs with a newer version what this one cannot read: that is no
// reason to go on with the old policy.
func TestASignedPolicyThatCannotBeReadBlocks(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann, eve := w.newOwner("ann"), w.newOwner("eve")
	first := l.approve(ann, w.rules(1, ann), 0)
	newer := []byte(strings.Replace(string(w.rules(2, ann).Document()), `"version":1`, `"version":2`, 1))
	sign := func(by owner) {
		d, err := l.DraftPolicy(t.Context(), by.signer, evidence.PolicyPredicate{
			Policy: newer, Service: "chat", Decision: evidence.Approved, Previous: []digest.Digest{first}, DecidedOn: minutes(1),
		})
		must(t, err)
		must(t, l.Publish(t.Context(), d))
	}
	sign(eve)
	if _, err := l.read().Signed(w.asking(nil)); err != nil {
		t.Errorf("a stranger's noise blocks: %v", err)
	}
	sign(ann)
	if _, err := l.read().Signed(w.asking(nil)); !errors.Is(err, gates.ErrDocument) {
		t.Errorf("%v", err)
	}
	if _, err := l.read().Signed(w.asking(&Approval{Statement: first, Document: newer})); !errors.Is(err, gates.ErrDocument) {
		t.Errorf("known: %v", err)
	}
}

func TestForgedPolicyEntriesAreNone(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	ann := w.newOwner("ann")
	l.approve(ann, w.rules(1, ann), 0)
	good := l.read().Policies[0]
	w.retag(good.Tag, "policy-0123456789abcdef-"+good.Digest.Encoded()[:8]) // another policy's name
	w.retag(good.Tag, "policy-"+good.Predicate.Digest.Encoded()[:16]+"-01234567")
	record := l.append(w.promotion("a", "", 0))
	w.retag(record.Tag, "policy-"+good.Predicate.Digest.Encoded()[:16]+"-"+record.Digest.Encoded()[:8])
	c := w.laptop().read()
	if len(c.Policies) != 4 {
		t.Fatalf("%+v", c.Policies)
	}
	for _, p := range c.Policies {
		if p.Tag != good.Tag && (p.Problem == "" || p.Document != nil) {
			t.Errorf("%s is believed", p.Tag)
		}
	}
	if s, err := c.Signed(w.asking(nil)); err != nil || s.Newest == nil || len(s.All) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Whatever strangers and former owners write, a machine that saw the newest
// approval keeps to it, and one that did not either finds it or says that it cannot tell.
func TestOnlyOwnersMoveThePolicy(t *testing.T) {
	w := newWorld(t)
	people := []owner{w.newOwner("ann"), w.newOwner("bob"), w.newOwner("eve"), w.newOwner("joe")}
	l := w.laptop()
	rapid.Check(t, func(r *rapid.T) {
		channel := digest.FromString(fmt.Sprint(rapid.Uint64().Draw(r, "channel"))).Encoded()[:12]
		var chain Chain
		var honest, all []digest.Digest
		owners := map[digest.Digest]int{} // which one person owns what a statement approves
		add := func(by, next, n int, previous ...digest.Digest) digest.Digest {
			p := w.rules(n, people[next])
			p.Service.Channel = channel
			d, err := l.DraftPolicy(context.Background(), people[by].signer, evidence.PolicyPredicate{
				Policy: p.Document(), Decision: evidence.Approved, Previous: previous, DecidedOn: minutes(rapid.IntRange(0, 100).Draw(r, "minute")),
			})
			if err != nil {
				r.Fatal(err)
			}
			chain.Policies = append(chain.Policies, court{Ledger: l.Ledger}.policy(entry{
				name: parseTag(d.Tag, "live"), place: place{Manifest: d.Digest}, raw: d.Bundle,
			}))
			owners[d.Digest] = next
			all = append(all, d.Digest)
			return d.Digest
		}
		who := func(what string) int { return rapid.IntRange(0, len(people)-1).Draw(r, what) }
		honest = append(honest, add(0, 0, 0))
		for n := range rapid.IntRange(0, 3).Draw(r, "steps") {
			last := honest[len(honest)-1]
			honest = append(honest, add(owners[last], who("next"), n+1, last))
		}
		newest := honest[len(honest)-1]
		q := Asking{Prod: w.prod.String(), Channel: channel, Now: minutes(1000)}
		s, err := chain.Signed(q)
		if err != nil || s.Newest.Statement != newest {
			r.Fatalf("%+v, %v", s, err)
		}
		known := *s.Newest
		for n := range rapid.IntRange(1, 4).Draw(r, "attacks") {
			by := who("attacker")
			after := all[rapid.IntRange(0, len(all)-1).Draw(r, "after")]
			if by == owners[newest] {
				continue // the present owner is no attacker
			}
			add(by, by, 100+n, after)
		}
		order := rapid.Permutation(chain.Policies).Draw(r, "order")
		chain.Policies = order
		q.Known = &known
		if s, err = chain.Signed(q); err != nil || s.Newest.Statement != newest {
			r.Fatalf("a machine that knew: %+v, %v", s, err)
		}
		q.Known = nil
		if s, err = chain.Signed(q); err == nil && s.Newest.Statement != newest {
			r.Fatalf("a machine that did not know believes %+v", s.Newest)
		}
	})
}

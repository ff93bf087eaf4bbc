package release_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release"
	"plimsoll/store"
)

// owned gives the service's policy owners.
func owned(owners ...person) option {
	return func(w *world) { w.edits = append(w.edits, func(c *config.Config) { own(c, owners...) }) }
}

func own(c *config.Config, owners ...person) {
	g := config.Group{Name: config.PolicyOwners}
	for _, o := range owners {
		g.People = append(g.People, config.Person{ID: o.id, Key: o.key})
	}
	c.Trust[config.PolicyOwners] = g
}

// edit changes the file on this laptop.
func (w *world) edit(change func(c *config.Config)) {
	c := *w.config
	c.Trust, c.Services = maps.Clone(c.Trust), slices.Clone(c.Services)
	change(&c)
	w.config = &c
	w.desk = w.newDesk(w.store)
}

// laptop is another machine with the same file, or after an edit its own.
func (w *world) laptop() {
	w.t.Helper()
	s, err := store.Open(w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	w.store, w.desk = s, w.newDesk(s)
}

// ratify signs the policy of now as a person.
func (w *world) ratify(p person) (release.SignedPolicy, error) {
	w.t.Helper()
	defer func(was person) { w.signer = was }(w.signer)
	w.signer = p
	v := w.policy()
	w.now = w.now.Add(time.Second)
	return w.desk.SignPolicy(w.t.Context(), release.SignPolicyRequest{Service: "chat", Digest: v.Digest})
}

func (w *world) mustRatify(p person) {
	w.t.Helper()
	if out, err := w.ratify(p); err != nil || out.Unchanged || out.By != p.id || out.Warning != "" {
		w.t.Fatalf("%+v, %v", out, err)
	}
}

func (w *world) policy() release.PolicyView {
	w.t.Helper()
	v, err := w.desk.Policy(w.t.Context(), "chat")
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// ready is a candidate against which nobody has anything.
func (w *world) ready(tag string) digest.Digest {
	w.t.Helper()
	dg := w.push(w.staging, tag, image(tag, w.now))
	w.good(dg)
	return dg
}

// try promotes without a word.
func (w *world) try(dg digest.Digest) error {
	_, err := w.desk.Promote(w.t.Context(), release.PromoteRequest{Service: "chat", Digest: dg}, nil)
	return err
}

func (w *world) refusedByPolicy(dg digest.Digest, says ...string) {
	w.t.Helper()
	err := w.try(dg)
	if fault.CodeOf(err) != fault.Gate {
		w.t.Fatalf("code %d: %v", fault.CodeOf(err), err)
	}
	for _, word := range append(says, "policy") {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("%q is not in %v", word, err)
		}
	}
}

func lax(c *config.Config) {
	scan := *c.Services[0].Gates.Scan
	scan.MaxSeverity = config.Critical
	c.Services[0].Gates.Scan = &scan
}

func noSignOff(c *config.Config) { c.Services[0].Gates.SignOff = nil }

func TestOnlyASignedPolicyPromotes(t *testing.T) {
	platform, eve := newPerson(t, "platform@example.com"), newPerson(t, "eve@example.com")
	w := newWorld(t, owned(platform), func(w *world) { w.edits = append(w.edits, noSignOff) })
	one := w.ready("v1")
	w.refusedByPolicy(one)
	if v := w.policy(); !v.Required || v.Signed || v.Newest != nil || len(v.Diff) == 0 || v.Owners[0] != platform.id {
		t.Errorf("%+v", v)
	}
	w.mustRatify(platform)
	if v := w.policy(); !v.Signed || v.By != platform.id || len(v.Diff) != 0 || len(v.Problems) != 0 {
		t.Errorf("%+v", v)
	}
	if err := w.try(one); err != nil {
		t.Fatal(err)
	}
	if c := check(t, candidate(t, w.list(), one).Checks, gates.PolicyGate); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}

	if l := w.list(); len(l.Warnings) != 0 || l.Prod.Unrecorded != "" {
		t.Errorf("%q, %+v", l.Warnings, l.Prod)
	}
	two := w.ready("v2")
	signed := w.config
	for name, change := range map[string]func(c *config.Config){
		"a rule":        lax,
		"no owners":     func(c *config.Config) { delete(c.Trust, config.PolicyOwners); lax(c) },
		"other owners":  func(c *config.Config) { own(c, eve); lax(c) },
		"another name":  func(c *config.Config) { c.Services[0].Name = "chat"; delete(c.Trust, config.PolicyOwners) },
		"other records": func(c *config.Config) { c.Trust["release-owners"] = eve.group("release-owners") },
	} {
		for _, fresh := range []bool{false, true} {
			w.config = signed
			w.signer = w.owner
			if name == "other records" {
				w.signer = eve
			}
			w.edit(change)
			if fresh {
				was := w.store
				w.laptop()
				defer func() { w.store = was }()
			}
			w.refusedByPolicy(two)
			if out, err := w.ratify(eve); fault.CodeOf(err) != fault.Usage {
				t.Errorf("%s, fresh %v: eve signed %+v, %v", name, fresh, out, err)
			}
		}
	}
	w.config, w.signer = signed, w.owner
	w.edit(lax)
	w.refusedByPolicy(two, "max-severity", "critical")
	if l := w.list(); len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "plimsoll policy show chat") {
		t.Errorf("%q", l.Warnings)
	}
	if v := w.policy(); !slices.Contains(v.Diff, `- gates.scan.max-severity: "medium"`) || !slices.Contains(v.Diff, `+ gates.scan.max-severity: "critical"`) || len(v.Diff) != 2 {
		t.Errorf("%q", v.Diff)
	}
	w.mustRatify(platform)
	if err := w.try(two); err != nil {
		t.Fatal(err)
	}
}

// A file that names another, empty ledger is another policy; and this machine
// remembers whose policy it believed.
func TestAnotherLedgerDoesNotForgetTheOwners(t *testing.T) {
	platform := newPerson(t, "platform@example.com")
	w := newWorld(t, owned(platform))
	w.mustRatify(platform)
	dg := w.ready("v1")
	w.edit(func(c *config.Config) {
		c.Services[0].Ledger += "-2"
		delete(c.Trust, config.PolicyOwners)
	})
	w.refusedByPolicy(dg, "ledger")
	v := w.policy()
	if !v.Required || v.By != platform.id || !v.Unowned || !slices.ContainsFunc(v.Problems, func(p string) bool { return strings.Contains(p, "taken out") }) {
		t.Errorf("%+v", v)
	}
}

func TestThePolicyChangesHands(t *testing.T) {
	ann, bob := newPerson(t, "ann@example.com"), newPerson(t, "bob@example.com")
	w := newWorld(t, owned(ann))
	w.mustRatify(ann)
	w.edit(func(c *config.Config) { own(c, bob) })
	if _, err := w.ratify(bob); fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), ann.id) {
		t.Errorf("bob let himself in: %v", err)
	}
	w.mustRatify(ann)
	w.edit(lax)
	if _, err := w.ratify(ann); fault.CodeOf(err) != fault.Usage {
		t.Errorf("ann has left: %v", err)
	}
	w.mustRatify(bob)
	w.laptop()
	if v := w.policy(); !v.Signed || v.By != bob.id {
		t.Errorf("%+v", v)
	}
	if out, err := w.ratify(bob); err != nil || !out.Unchanged || out.Statement != nil {
		t.Errorf("%+v, %v", out, err)
	}
	w.signer = bob
	_, err := w.desk.SignPolicy(t.Context(), release.SignPolicyRequest{Service: "chat", Digest: digest.FromString("what was shown").String()})
	if fault.CodeOf(err) != fault.Usage {
		t.Errorf("another policy than the one that was shown: %v", err)
	}
}

func TestALedgerThatCannotBeReadBlocksAnOwnedPolicy(t *testing.T) {
	platform := newPerson(t, "platform@example.com")
	w := newWorld(t, owned(platform))
	w.mustRatify(platform)
	dg := w.ready("v1")
	w.prodFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "-ledger/") {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	v, err := w.desk.Gates(t.Context(), "chat", dg)
	if err != nil {
		t.Fatal(err)
	}
	if c := check(t, v.Checks, gates.PolicyGate); c.Status != gates.Error || v.Verdict == gates.Ready {
		t.Errorf("%+v", c)
	}
}

func frozen(c *config.Config) {
	c.Services[0].Gates.Freeze = []config.Freeze{{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Reason: "year end"}}
	c.Services[0].Overrides = []config.Override{{Gates: []string{gates.FreezeGate}, By: []string{"release-owners"}}}
}

func TestGoingPastAFreeze(t *testing.T) {
	w := newWorld(t, func(w *world) { w.edits = append(w.edits, noSignOff, frozen) })
	dg := w.ready("v1")
	if err := w.try(dg); fault.CodeOf(err) != fault.Gate || !strings.Contains(err.Error(), "year end") {
		t.Fatalf("%v", err)
	}
	past := release.PromoteRequest{Service: "chat", Digest: dg, Overrides: []string{gates.FreezeGate}, Reason: "it loses messages"}
	for gate, says := range map[string]string{gates.E2E: "nobody may", gates.PolicyGate: "nobody may"} {
		q := past
		q.Overrides = []string{gates.FreezeGate, gate}
		if _, err := w.desk.Promote(t.Context(), q, nil); fault.CodeOf(err) != fault.Gate || !strings.Contains(fault.HintOf(err), says) {
			t.Errorf("%s: %v", gate, err)
		}
	}
	out, err := w.desk.Promote(t.Context(), past, nil)
	if err != nil || !slices.Equal(out.Overrides, past.Overrides) {
		t.Fatalf("%+v, %v", out, err)
	}
	h, err := w.desk.History(t.Context(), "chat")
	if err != nil || !slices.Equal(h[0].Overrides, past.Overrides) || h[0].Reason != past.Reason || h[0].Actor != w.owner.id {
		t.Errorf("%+v, %v", h, err)
	}
	if p := w.list().Prod; !slices.Equal(p.Overrides, past.Overrides) {
		t.Errorf("%+v", p)
	}
	v := w.verify(dg)
	if !v.Promoted || !slices.Equal(v.Overrides, past.Overrides) || v.Reason != past.Reason || check(t, v.Checks, gates.FreezeGate).Status != gates.Waived {
		t.Errorf("%+v", v)
	}
	if levels := w.levels(dg); !slices.Equal(levels, []string{"PLIMSOLL_OVERRIDDEN"}) {
		t.Errorf("the summary says %q", levels)
	}
}

// Somebody who may sign records may still not go past a gate.
func TestOnlyThoseWhomThePolicyNamesGoPastAGate(t *testing.T) {
	boss := newPerson(t, "boss@example.com")
	w := newWorld(t, func(w *world) {
		w.edits = append(w.edits, noSignOff, frozen, func(c *config.Config) {
			c.Trust["bosses"] = boss.group("bosses")
			c.Services[0].Overrides[0].By = []string{"bosses"}
			c.Services[0].Records = append(c.Services[0].Records, "bosses")
		})
	})
	past := release.PromoteRequest{Service: "chat", Digest: w.ready("v1"), Overrides: []string{gates.FreezeGate}, Reason: "it loses messages"}
	if _, err := w.desk.Promote(t.Context(), past, nil); fault.CodeOf(err) != fault.Gate || !strings.Contains(fault.HintOf(err), boss.id) {
		t.Fatalf("%v, %s", err, fault.HintOf(err))
	}
	w.signer = boss
	if _, err := w.desk.Promote(t.Context(), past, nil); err != nil {
		t.Fatal(err)
	}
}

// levels are what the verification summary in prod says that was verified.
func (w *world) levels(dg digest.Digest) []string {
	w.t.Helper()
	found, err := w.writer.Referrers(w.t.Context(), w.prod, dg, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range found.Descriptors {
		if d.Annotations[evidence.AnnotationPredicate] != evidence.VSA {
			continue
		}
		m, err := w.writer.Manifest(w.t.Context(), w.prod, d.Digest.String())
		if err != nil {
			w.t.Fatal(err)
		}
		var parts ocispec.Manifest
		if err := json.Unmarshal(m.Raw, &parts); err != nil {
			w.t.Fatal(err)
		}
		raw, err := w.writer.Blob(w.t.Context(), w.prod, parts.Layers[0], registry.MaxBundle)
		if err != nil {
			w.t.Fatal(err)
		}
		v, err := evidence.Verify(evidence.Item{Form: evidence.Bundle, Raw: raw}, w.owner.group("owner"), w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		var p evidence.VSAPredicate
		if err := json.Unmarshal(v.Statement.Predicate, &p); err != nil {
			w.t.Fatal(err)
		}
		return p.VerifiedLevels
	}
	w.t.Fatal("there is no summary")
	return nil
}

// What was signed once is in every listing and costs no request there.
func TestSignedPoliciesCostAListingNothing(t *testing.T) {
	platform := newPerson(t, "platform@example.com")
	w := newWorld(t, owned(platform))
	w.ready("v1")
	w.mustRatify(platform)
	w.list()
	w.requests()
	w.list()
	if asked := w.requests(); count(asked, "-ledger/") != 1 || count(asked, "-ledger/tags/list") != 1 {
		t.Errorf("%q", asked)
	}
}

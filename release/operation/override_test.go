package operation

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// freezing has a freeze that the owner may go past, and a judge that lets them.
func freezing(w *world) {
	w.config.Services[0].Overrides = []config.Override{{Gates: []string{gates.FreezeGate}, By: []string{"release-owners"}}}
	rules := gates.NewPolicy(w.config, w.config.Services[0])
	w.judge.judgement.Policy, w.judge.judgement.Document = rules.Digest(), rules.Document()
	w.judge.judgement.Checks = []gates.Check{{Gate: gates.FreezeGate, Status: gates.Waived}, {Gate: gates.E2E, Status: gates.Pass}}
}

func (w *world) override(d digest.Digest, overrides ...string) (Outcome, error) {
	return w.runner.Promote(w.t.Context(), PromoteRequest{Service: "chat", Digest: d, Reason: "it burns", Overrides: overrides}, nil)
}

// The machine dies at every write; the same command again, even without the
// overrides, finishes with those that it began with, and writes the policy once.
func TestOverrideCutOffAtAnyWriteKeepsWhatItBeganWith(t *testing.T) {
	atEachWrite(t, 2, func(t *testing.T, at int) (survived bool) {
		w := newWorld(t)
		freezing(w)
		one := w.image("v1")
		w.fate.set(at, at%4 == 1)
		_, err := w.override(one, gates.FreezeGate)
		if !w.fate.gone() {
			if err != nil {
				t.Fatal(err)
			}
			return true
		}
		open := w.stillOpenOnDisk()
		w.journal.revive(t)
		o, err := w.override(one)
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		w.finished(o, 1)
		if p := w.records()[0].Predicate; open && (!slices.Equal(p.Overrides, []string{gates.FreezeGate}) || p.Reason != "it burns") {
			t.Errorf("overrides %q, reason %q", p.Overrides, p.Reason)
		}
		w.policies(1)
		return false
	})
}

// stillOpenOnDisk tells whether the dead machine left an operation in its journal.
func (w *world) stillOpenOnDisk() bool {
	w.t.Helper()
	ops, err := w.journal.Operations(true)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(ops) > 0
}

// policies sees to it that the policy that judges is in the ledger, so often.
func (w *world) policies(want int) {
	w.t.Helper()
	c := w.chain()
	if got := c.Document(digest.Digest(w.judge.judgement.Policy)); string(got) != string(w.judge.judgement.Document) {
		w.t.Errorf("the ledger does not hold the policy: %s", got)
	}
	if len(c.Policies) != want {
		w.t.Errorf("%d policies are written down, not %d", len(c.Policies), want)
	}
	for _, p := range c.Policies {
		if p.Problem != "" || p.Predicate.Decision != evidence.Used {
			w.t.Errorf("%+v", p)
		}
	}
}

func TestAPolicyIsWrittenDownOnceAndARollbackWritesNone(t *testing.T) {
	w, _, _ := twoReleases(t)
	w.policies(1)
	freezing(w)
	w.judge.judgement.Checks = nil
	w.mustPromote(w.image("v3"))
	w.policies(2)
	w.fate.set(0, false)
	if _, err := w.rollback(); err != nil {
		t.Fatal(err)
	}
	w.policies(2)
	for _, r := range w.records() {
		if w.chain().Document(r.Predicate.Policy.Digest) == nil {
			t.Errorf("record %d names a policy that nobody can read", r.Number)
		}
	}
}

// A promotion of an earlier version goes on after the file has changed: what it
// was judged by is not known, and what is known now is not put in its place.
func TestAPolicyThatIsNotKnownAnyMoreIsNotMadeUp(t *testing.T) {
	w := newWorld(t)
	w.judge.judgement.Policy, w.judge.judgement.Document = digest.FromString("forgotten").String(), nil
	o := w.mustPromote(w.image("v1"))
	if !slices.ContainsFunc(o.Warnings, func(s string) bool { return strings.Contains(s, "not known any more") }) || len(w.chain().Policies) != 0 {
		t.Errorf("%q, %+v", o.Warnings, w.chain().Policies)
	}
}

func TestAnOverrideThatWasNotNeededIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	freezing(w)
	w.judge.judgement.Checks[0].Status = gates.Pass
	o, err := w.override(w.image("v1"), gates.FreezeGate)
	if err != nil || len(o.Overrides) != 0 || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "freeze needed no override") {
		t.Errorf("%+v, %v", o, err)
	}
	if p := w.records()[0].Predicate; len(p.Overrides) != 0 {
		t.Errorf("%q", p.Overrides)
	}
}

// Who is named owner@example.com by the login of a laptop only is nobody.
func TestALoginNameIsNoPersonOfThePolicy(t *testing.T) {
	w := newWorld(t)
	freezing(w)
	stranger := newSigner(t)
	plain := config.Group{Name: "robots", Keys: []config.Key{{Public: stranger.Public()}}}
	w.config.Trust["robots"] = plain
	w.config.Services[0].Records = append(w.config.Services[0].Records, "robots")
	w.owner = stranger // the runner still calls it owner@example.com
	if _, err := w.override(w.image("v1"), gates.FreezeGate); fault.CodeOf(err) != fault.Gate {
		t.Errorf("%v", err)
	}
	if w.live() != "" {
		t.Error("prod has changed")
	}
}

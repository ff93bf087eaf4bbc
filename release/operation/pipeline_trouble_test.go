package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/via/viatest"
)

// mortally lets the machine die at an order, too, before or after it arrived.
func (r *relay) mortally(t *testing.T) {
	t.Helper()
	github := r.forge
	github.On(func(w http.ResponseWriter, q *http.Request) bool {
		if r.fate.gone() {
			w.WriteHeader(http.StatusTeapot)
			return true
		}
		if q.Method != http.MethodPost {
			return false
		}
		effect, answer := r.fate.strike()
		switch {
		case answer:
			return false
		case effect:
			github.Serve(httptest.NewRecorder(), q)
		}
		w.WriteHeader(http.StatusTeapot)
		return true
	})
}

// TestAnOrderCutOffAtAnyWriteRunsOnce kills the machine at every write of a
// promotion by a pipeline, to its journal or to the pipeline, before and after
// it took effect. The same command again takes it up: no second run, one record.
func TestAnOrderCutOffAtAnyWriteRunsOnce(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			atEachWrite(t, 1, func(t *testing.T, at int) (survived bool) {
				r := newRelay(t)
				r.mortally(t)
				one := r.image("v1")
				r.fate.set(at, after)
				_, err := r.ask(t.Context(), one)
				if !r.fate.gone() {
					if err != nil {
						t.Fatal(err)
					}
					return true
				}
				r.journal.revive(t)
				o, err := r.ask(t.Context(), one)
				if len(r.forge.Runs()) == 0 { // it died before it asked: only time tells
					if fault.CodeOf(err) != fault.Unfinished {
						t.Fatalf("%v", err)
					}
					r.runner.Now = func() time.Time { return time.Now().Add(lostAfter + time.Minute) }
					if _, err = r.ask(t.Context(), one); err == nil {
						t.Fatal("the lost order was not noticed")
					}
					r.runner.Now = nil
					o, err = r.ask(t.Context(), one)
				}
				if err != nil {
					t.Fatalf("again: %v", err)
				}
				if n := len(r.forge.Runs()); n != 1 {
					t.Errorf("%d runs", n)
				}
				r.finished(o, 1)
				r.onlyRead()
				return false
			})
		})
	}
}

func TestAPipelineThatCannotBeAskedForAWhileIsFollowedByTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		asked  int // how often it is asked while it answers so
	}{
		"rate limit": {func(w http.ResponseWriter) {
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
			w.WriteHeader(http.StatusForbidden)
		}, 1},
		"retry-after": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 1},
		"trouble": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, 5},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			asked := 0
			r.forge.On(func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method != http.MethodGet || name == "trouble" && asked == c.asked {
					return false
				}
				asked++
				c.answer(w)
				return true
			})
			r.finished(r.mustAsk(r.image("v1")), 1)
			if asked != c.asked {
				t.Errorf("it was asked %d times, not %d", asked, c.asked)
			}
		})
	}
}

// A token that ended shows the sign-in page of Azure DevOps: nothing was started.
func TestASignInPageIsNoRun(t *testing.T) {
	r := newRelay(t, byAzure)
	r.runner.Environ = []string{viatest.Variable + "=another"}
	_, err := r.ask(t.Context(), r.image("v1"))
	r.refusedWith(err, fault.Refused, "Azure DevOps does not")
	if len(r.forge.Runs()) != 0 {
		t.Error("it ran")
	}
}

func TestARunThatDoesNotPromoteIsNoSuccess(t *testing.T) {
	r := newRelay(t)
	r.before = func(context.Context, map[string]string) (int, bool) { return 0, true }
	_, err := r.ask(t.Context(), r.image("v1"))
	r.refusedWith(err, fault.Failed, "succeeded and did not promote", "prod has not changed")
}

// A step of the workflow before plimsoll failed: its exit code means nothing of ours.
func TestARunThatFailsForAnotherReasonSaysWhich(t *testing.T) {
	r := newRelay(t)
	r.before = func(context.Context, map[string]string) (int, bool) { return 127, true }
	_, err := r.ask(t.Context(), r.image("v1"))
	r.refusedWith(err, fault.Failed, `failed at "Promote" with exit code 127;`, "prod has not changed")
}

func TestARunThatFailsAfterTheMoveIsExit6AndDoesNotHoldUpTheNext(t *testing.T) {
	r := newRelay(t)
	r.config.Services[0].Deliver = config.Deliver{Command: []string{"false"}}
	one, two := r.image("v1"), r.image("v2")
	_, err := r.ask(t.Context(), one)
	if fault.CodeOf(err) != fault.Unfinished || !strings.Contains(err.Error(), "exit code 6") || r.live() != one || len(r.stillOpen()) != 1 {
		t.Fatalf("prod %s: %v", short(r.live()), err)
	}
	r.config.Services[0].Deliver = config.Deliver{Tag: true}
	o, err := r.ask(t.Context(), one)
	if err != nil || len(o.Warnings) == 0 || len(r.stillOpen()) != 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	r.mustAsk(two)
	r.onlyRead()
}

// Somebody else promotes the same digest at the same time: it is in prod, and
// their record says so.
func TestSomebodyElseWhoIsFasterAccountsForIt(t *testing.T) {
	r := newRelay(t)
	one := r.image("v1")
	r.before = func(ctx context.Context, in map[string]string) (int, bool) {
		r.before = nil
		theirs := map[string]string{"operation": "20200101T000000.000000Z-OTHERS"}
		for k, v := range in {
			if k != "operation" {
				theirs[k] = v
			}
		}
		return r.job(ctx, theirs), false
	}
	o := r.mustAsk(one)
	if o.Record == nil || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "somebody else did the same") {
		t.Errorf("%+v", o)
	}
	r.finished(o, 1)
}

func TestARollbackGoesThroughThePipelineOnlyWithoutAPromoteIdentity(t *testing.T) {
	r := newRelay(t)
	one, two := r.image("v1"), r.image("v2")
	r.mustAsk(one)
	r.mustAsk(two)
	back := RollbackRequest{Service: "chat", Reason: "it broke"}
	o, err := r.runner.Rollback(t.Context(), back, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Via == nil || o.Record == nil || r.live() != one || o.Quarantined == nil || r.chain().QuarantinedBy(two) == "" {
		t.Errorf("%+v", o)
	}
	p := r.records()[2].Predicate
	if p.Action != ActionRollback || p.Actor.ID != robot || p.RequestedBy[0].ID != "owner@example.com" || len(r.stillOpen()) != 0 {
		t.Errorf("%+v", p)
	}
	r.onlyRead()
	// With a promote identity of one's own nobody waits for a pipeline at night.
	entry := r.config.Registries[r.prod.Host]
	entry.Promote = &config.Identity{Username: robot, PasswordEnv: "RELEASE_PIPELINE_SECRET"}
	r.config.Registries[r.prod.Host] = entry
	r.runner.Client = func(p registry.Purpose) *registry.Client { return r.clientOf(runnerAgent, p) }
	r.runner.Signer = func(context.Context) (evidence.Signer, string, error) { return r.owner, "owner@example.com", nil }
	o, err = r.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Digest: two, Reason: "it was not that"}, nil)
	if err != nil || o.Via != nil || r.live() != two || r.forge.Dispatches() != 3 {
		t.Errorf("%+v, %v", o, err)
	}
}

// A rollback does not wait for a promotion that a pipeline is at: it is told to
// cancel, and could not move the channel any more, since prod is not as it expects.
func TestARollbackCallsBackThePromotionThatAPipelineIsAt(t *testing.T) {
	r := newRelay(t)
	one, two, three := r.image("v1"), r.image("v2"), r.image("v3")
	r.mustAsk(one)
	r.mustAsk(two)
	r.mortally(t)
	r.before = func(ctx context.Context, in map[string]string) (int, bool) {
		if in["action"] == ActionPromote {
			<-ctx.Done()
			return 1, true
		}
		return 0, false
	}
	r.fate.set(4, false) // the order was sent, the laptop dies before it notes the run
	_, err := r.ask(t.Context(), three)
	if err == nil || !r.fate.gone() {
		t.Fatalf("it did not die: %v", err)
	}
	r.journal.revive(t)
	o, err := r.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Reason: "it broke"}, nil)
	if err != nil || r.live() != one {
		t.Fatalf("%+v, %v", o, err)
	}
	if open := r.stillOpen(); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	r.forge.Runs()[2].Wait()
}

// A pipeline that cannot be asked does not keep anybody from rolling back; what is
// to be called back is called back later.
func TestWhatCouldNotBeCalledBackIsCalledBackLater(t *testing.T) {
	r := newRelay(t)
	one, two, three := r.image("v1"), r.image("v2"), r.image("v3")
	r.mustAsk(one)
	r.mustAsk(two)
	r.mortally(t)
	r.before = func(ctx context.Context, _ map[string]string) (int, bool) {
		<-ctx.Done()
		return 1, true
	}
	r.fate.set(4, false)
	if _, err := r.ask(t.Context(), three); err == nil || !r.fate.gone() {
		t.Fatalf("it did not die: %v", err)
	}
	r.journal.revive(t)
	entry := r.config.Registries[r.prod.Host]
	entry.Promote = &config.Identity{Username: robot, PasswordEnv: "RELEASE_PIPELINE_SECRET"}
	r.config.Registries[r.prod.Host] = entry
	r.runner.Client = func(p registry.Purpose) *registry.Client { return r.clientOf(runnerAgent, p) }
	r.runner.Signer = func(context.Context) (evidence.Signer, string, error) { return r.owner, "owner@example.com", nil }
	r.forge.On(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	o, err := r.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Reason: "it broke"}, nil)
	if err != nil || r.live() != one || len(o.Warnings) == 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	open := r.stillOpen()
	if len(open) != 1 || open[0].Command != "plimsoll audit sync" || !strings.Contains(open[0].Owed[0], "cancel its run") {
		t.Fatalf("%+v", open)
	}
	r.forge.On(nil)
	if _, err := r.runner.SettleDebts(t.Context()); err != nil || len(r.stillOpen()) != 0 {
		t.Errorf("%v, open %+v", err, r.stillOpen())
	}
	r.forge.Runs()[2].Wait()
}

// Another promotion calls back the run that an earlier start left at work.
func TestAnotherPromotionCallsBackTheRunThatIsStillAtWork(t *testing.T) {
	r := newRelay(t)
	one, two := r.image("v1"), r.image("v2")
	r.mortally(t)
	r.before = func(ctx context.Context, in map[string]string) (int, bool) {
		if in["digest"] == one.String() {
			<-ctx.Done()
			return 1, true
		}
		return 0, false
	}
	r.fate.set(4, false)
	if _, err := r.ask(t.Context(), one); err == nil || !r.fate.gone() {
		t.Fatalf("it did not die: %v", err)
	}
	r.journal.revive(t)
	r.finished(r.mustAsk(two), 1)
	ops, err := r.journal.Operations(false)
	if err != nil || len(ops) != 2 || ops[0].State == ops[1].State {
		t.Errorf("%+v, %v", ops, err)
	}
}

// Going past a gate takes the right of who asks, and of the pipeline.
func TestWhoMayNotGoPastAGateDoesNotAskAPipelineTo(t *testing.T) {
	r := newRelay(t)
	freezing(r.world)
	r.theirs.judgement = r.judge.judgement
	one := r.image("v1")
	r.runner.Person = func() string { return "" }
	_, err := r.override(one, gates.FreezeGate)
	r.refusedWith(err, fault.Gate, "does not let laptop go past freeze")
	r.runner.Person = func() string { return "owner@example.com" }
	o, err := r.override(one, gates.FreezeGate)
	if err != nil || len(o.Overrides) != 1 {
		t.Fatalf("%+v, %v (%v)", o, err, r.said)
	}
	if p := r.records()[0].Predicate; len(p.Overrides) != 1 || p.Reason != "it burns" {
		t.Errorf("%+v", p)
	}
}

// The token for the forge is found nowhere afterwards.
func TestTheTokenForThePipelineIsKeptNowhere(t *testing.T) {
	r := newRelay(t)
	r.forge.On(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/jobs") {
			return false
		}
		w.WriteHeader(http.StatusForbidden) // a server that repeats what it was sent
		_, _ = w.Write([]byte(`{"message":"` + q.Header.Get("Authorization") + `"}`))
		return true
	})
	r.before = func(context.Context, map[string]string) (int, bool) { return 1, true }
	_, err := r.ask(t.Context(), r.image("v1"))
	ops, journal := r.journal.Operations(false)
	if journal != nil {
		t.Fatal(journal)
	}
	raw, _ := json.Marshal([]any{ops, r.reports})
	if err == nil || strings.Contains(err.Error(), viatest.Token) || strings.Contains(string(raw), viatest.Token) {
		t.Errorf("it is in %v, or in %s", err, raw)
	}
}

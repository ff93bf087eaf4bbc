package operation

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/store"
)

func (w *world) rollbackTo(d digest.Digest, reason string) (Outcome, error) {
	return w.runner.Rollback(w.t.Context(), RollbackRequest{Service: "chat", Digest: d, Reason: reason}, nil)
}

// TestRollbackMovesTheChannelFirstWithinItsBudget holds the promise of the
// design: at most 12 requests with the referrers API, 15 without, and the
// channel verified by the 6th.
func TestRollbackMovesTheChannelFirstWithinItsBudget(t *testing.T) {
	for name, c := range map[string]struct {
		settings []setting
		most     int
	}{"referrers API": {nil, 12}, "fallback tags": {[]setting{noReferrers}, 15}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.settings...)
			one, two := w.index("v1"), w.index("v2")
			w.mustPromote(one)
			w.mustPromote(two)
			w.runner = w.newRunner()
			w.fate.set(0, false)
			o, err := w.rollback()
			if err != nil {
				t.Fatal(err)
			}
			asked := w.fate.requests()
			t.Log(strings.Join(asked, "\n"))
			if len(asked) > c.most {
				t.Errorf("%d requests, at most %d are allowed", len(asked), c.most)
			}
			put := indexOf(asked, "PUT /v2/chat/manifests/live")
			if put < 0 || put+1 >= 6 || asked[put+1] != "HEAD /v2/chat/manifests/live" {
				t.Errorf("the channel is verified by request %d", put+2)
			}
			w.finished(o, 3)
			if w.live() != one || *o.Previous != two || !strings.HasPrefix(w.chain().QuarantinedBy(two), "it broke (by ") {
				t.Errorf("%+v, quarantined %q", o, w.chain().QuarantinedBy(two))
			}
		})
	}
}

func indexOf(list []string, what string) int {
	for i, s := range list {
		if s == what {
			return i
		}
	}
	return -1
}

func TestPromoteAndRollbackOnDistribution(t *testing.T) {
	w := newWorld(t, distribution)
	one, two := w.index("v1"), w.index("v2")
	w.mustPromote(one)
	o := w.mustPromote(two)
	if o.Referrers.Arrived != 1 {
		t.Errorf("%+v", o.Referrers)
	}
	w.finished(o, 2)
	w.summaryVerifies(two)
	w.sent.Store(0)
	o, err := w.rollback()
	if err != nil {
		t.Fatal(err)
	}
	if n := w.sent.Load(); n > 15 {
		t.Errorf("%d requests, at most 15 are allowed", n)
	}
	w.finished(o, 3)
}

// TestRollbackWorksWithEverythingElseDown takes staging, the ledger and the
// key away. Prod is back; what could not be written is owed and written later.
func TestRollbackWorksWithEverythingElseDown(t *testing.T) {
	for name, named := range map[string]bool{"last good": false, "by name": true} {
		t.Run(name, func(t *testing.T) {
			w, one, two := twoReleases(t)
			w.onlyProd()
			target := digest.Digest("")
			if named {
				target = one
			}
			o, err := w.rollbackTo(target, "it broke")
			if err != nil {
				t.Fatal(err)
			}
			if w.live() != one || o.Record != nil || len(o.Warnings) == 0 {
				t.Errorf("prod %s, %+v", short(w.live()), o)
			}
			if p := w.stillOpen(); len(p) != 1 || p[0].Prod != After || len(p[0].Owed) != 2 || p[0].Command != "plimsoll audit sync" {
				t.Errorf("open %+v", p)
			}
			if written, err := w.runner.SettleDebts(t.Context()); err == nil || len(written) != 0 {
				t.Errorf("settled %v while everything is down", written)
			}
			w.everythingUp()
			written, err := w.runner.SettleDebts(t.Context())
			if err != nil || len(written) != 1 {
				t.Fatalf("%v, %v", written, err)
			}
			w.finished(o, 3)
			if w.chain().QuarantinedBy(two) == "" {
				t.Error("the quarantine was forgotten")
			}
		})
	}
}

func (w *world) onlyProd() {
	w.fate.on(func(q *http.Request) int {
		if strings.Contains(q.URL.Path, "/"+w.books.Path+"/") || strings.Contains(q.URL.Path, "/"+w.staging.Path+"/") {
			return http.StatusNotImplemented
		}
		return 0
	})
	w.runner.Signer = func(context.Context) (evidence.Signer, string, error) { return nil, "", errors.New("no agent answers") }
}

func (w *world) everythingUp() {
	w.fate.on(nil)
	w.runner = w.newRunner()
}

// TestRollbackTwiceWhileTheLedgerIsDownDoesNotGoBackToTheBadOne: the
// quarantine that is owed counts already.
func TestRollbackTwiceWhileTheLedgerIsDownDoesNotGoBackToTheBadOne(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.image("v1"), w.image("v2"), w.image("v3")
	for _, d := range []digest.Digest{one, two, three} {
		w.mustPromote(d)
	}
	w.onlyProd()
	for _, want := range []digest.Digest{two, one} {
		if _, err := w.rollback(); err != nil || w.live() != want {
			t.Fatalf("prod %s, %v", short(w.live()), err)
		}
	}
	if _, err := w.rollback(); fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "nothing to roll back to") {
		t.Errorf("got %v", err)
	}
	w.everythingUp()
	four := w.image("v4")
	w.finished(w.mustPromote(four), 6) // a promotion writes what is owed first
}

func TestRollbackRefusesWhatWasNotInProd(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	if _, err := w.rollback(); fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "nothing to roll back to") {
		t.Errorf("got %v", err)
	}
	if _, err := w.rollbackTo(two, ""); fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "no verified record") {
		t.Errorf("got %v", err)
	}
	if o, err := w.rollbackTo(one, ""); err != nil || !o.Unchanged {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err := w.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Digest: two, Expect: None}, nil)
	if fault.CodeOf(err) != fault.Moved {
		t.Errorf("got %+v, %v", o, err)
	}
	if len(w.stillOpen()) != 0 || len(w.records()) != 1 {
		t.Error("a refusal left something")
	}
}

func TestRollbackToAQuarantinedDigestAsksForAReason(t *testing.T) {
	w, one, _ := twoReleases(t)
	w.quarantine(one, "it leaks")
	if _, err := w.rollback(); fault.CodeOf(err) != fault.Failed {
		t.Errorf("last good: %v", err)
	}
	if _, err := w.rollbackTo(one, ""); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "it leaks") {
		t.Errorf("without reason: %v", err)
	}
	if _, err := w.rollbackTo(one, "two is worse"); err != nil || w.live() != one {
		t.Errorf("with reason: %v", err)
	}
}

func TestRollbackCanLeaveTheDigestPromotable(t *testing.T) {
	w, _, two := twoReleases(t)
	if _, err := w.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", NoQuarantine: true}, nil); err != nil {
		t.Fatal(err)
	}
	w.finished(w.mustPromote(two), 4)
}

// TestEmptyLaptopRollsBackByTheSummaryInProd: no cache, no ledger, a digest.
func TestEmptyLaptopRollsBackByTheSummaryInProd(t *testing.T) {
	w, one, two := twoReleases(t)
	db, err := store.Open(memoryDir(t))
	if err != nil {
		t.Fatal(err)
	}
	w.journal = &mortal{Store: db, fate: w.fate}
	w.runner = w.newRunner()
	w.onlyProd()
	if _, err := w.rollback(); fault.CodeOf(err) != fault.Failed {
		t.Errorf("without a name: %v", err)
	}
	three := digest.FromString("never promoted")
	if _, err := w.rollbackTo(three, ""); fault.CodeOf(err) != fault.Failed || w.live() != two {
		t.Errorf("a digest that nobody promoted: %v", err)
	}
	if _, err := w.rollbackTo(one, "it broke"); err != nil || w.live() != one {
		t.Errorf("got %v", err)
	}
}

func TestRollbackOfATargetThatProdLostChangesNothing(t *testing.T) {
	w, one, two := twoReleases(t)
	w.fate.on(func(q *http.Request) int {
		if strings.HasSuffix(q.URL.Path, "/manifests/"+one.String()) {
			return http.StatusNotFound
		}
		return 0
	})
	_, err := w.rollback()
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "no longer has") || w.live() != two || len(w.stillOpen()) != 0 {
		t.Errorf("got %v, open %+v", err, w.stillOpen())
	}
}

func TestRollbackWarnsAboutAWrongClockAndGoesOn(t *testing.T) {
	w, one, _ := twoReleases(t)
	w.fate.skew = -time.Hour
	o, err := w.rollback()
	if err != nil || w.live() != one || !strings.Contains(words(o.Warnings), "clock") {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestRollbackDoesNotWaitForAnUnfinishedPromotion: the broken delivery of the
// promotion that it undoes is nobody's business any more.
func TestRollbackDoesNotWaitForAnUnfinishedPromotion(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.config.Services[0].Deliver = config.Deliver{Command: []string{"no-such-program-here"}}
	if _, err := w.promote(two); fault.CodeOf(err) != fault.Unfinished {
		t.Fatal(err)
	}
	w.config.Services[0].Deliver = config.Deliver{Tag: true}
	o, err := w.rollback()
	if err != nil || w.live() != one {
		t.Fatal(err)
	}
	w.finished(o, 3)
	if c := w.records()[1].Completion; c == nil || !strings.Contains(c.Predicate.Delivery, "rolled back") {
		t.Errorf("completion %+v", c)
	}
}

func TestFailedDeliveryOfARollbackIsExitSixWithItsRecordWritten(t *testing.T) {
	w, one, _ := twoReleases(t)
	w.config.Services[0].Deliver = config.Deliver{Command: []string{"no-such-program-here"}}
	if _, err := w.rollback(); fault.CodeOf(err) != fault.Unfinished || w.live() != one {
		t.Fatal(err)
	}
	if len(w.records()) != 3 {
		t.Errorf("%d records", len(w.records()))
	}
	w.config.Services[0].Deliver = config.Deliver{Tag: true}
	o, err := w.rollback() // the same command again
	if err != nil {
		t.Fatal(err)
	}
	w.finished(o, 3)
}

// TestRollbackCancelledBeforeTheMoveChangesNothing cancels when each step begins.
func TestRollbackCancelledBeforeTheMoveChangesNothing(t *testing.T) {
	for i, st := range rollback() {
		t.Run(st.name, func(t *testing.T) {
			w, one, _ := twoReleases(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := w.runner.Rollback(ctx, RollbackRequest{Service: "chat", Reason: "it broke"}, func(p Progress) {
				if p.Index == i {
					cancel()
				}
			})
			if moved := w.live() == one; moved != (st.phase >= finishing) || moved != (err == nil) || len(w.stillOpen()) != 0 {
				t.Errorf("moved %v, %v, open %+v", moved, err, w.stillOpen())
			}
		})
	}
}

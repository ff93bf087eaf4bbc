package operation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

func TestPromoteCopiesImageAndEvidenceAndWritesOneRecord(t *testing.T) {
	for name, settings := range map[string][]setting{"referrers API": nil, "fallback tags": {noReferrers}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settings...)
			one, two := w.image("v1"), w.index("v2")
			first := w.mustPromote(one)
			if first.Previous != nil || first.Unchanged {
				t.Errorf("first promotion: %+v", first)
			}
			var last Progress
			o, err := w.runner.Promote(t.Context(), PromoteRequest{Service: "chat", Digest: two, Expect: one.String(), Reason: "better"},
				func(p Progress) { last = p })
			if err != nil {
				t.Fatal(err)
			}
			if *o.Previous != one || o.Digest != two || o.Record == nil || o.Referrers.Expected != 1 || o.Referrers.Arrived != 1 || o.Copied.Blobs == 0 {
				t.Errorf("outcome %+v", o)
			}
			if diff := cmp.Diff([]string{ReleaseTag(two), "live"}, o.Tags); diff != "" {
				t.Error(diff)
			}
			if !last.Moved || len(last.Steps) != len(promotion()) {
				t.Errorf("last progress %+v", last)
			}
			w.finished(o, 2)
			w.summaryVerifies(two)
			if w.promoted != 2 {
				t.Errorf("the promote identity was asked for %d times by two promotions", w.promoted)
			}
			r := w.records()[1]
			if r.Digest != *o.Record || r.Predicate.Reason != "better" || r.Predicate.Actor.ID != "owner@example.com" ||
				r.Predicate.Previous.Digest != one || r.Completion == nil || !strings.HasPrefix(r.Completion.Predicate.Delivery, "tag") ||
				r.Predicate.AuditHead == "" {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// summaryVerifies finds the SLSA summary in prod as another tool would.
func (w *world) summaryVerifies(d digest.Digest) {
	w.t.Helper()
	s, err := w.runner.prepare(request{Action: ActionRollback, Service: "chat", Digest: d}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.vouched(w.t.Context(), errors.New("the ledger is down")); err != nil {
		w.t.Error(err)
	}
}

func TestPromoteOfWhatIsInProdChangesNothing(t *testing.T) {
	w := newWorld(t)
	one := w.image("v1")
	w.mustPromote(one)
	w.fate.set(0, false)
	o := w.mustPromote(one)
	if !o.Unchanged || o.Record == nil {
		t.Errorf("outcome %+v", o)
	}
	w.finished(o, 1)
	for _, r := range w.fate.requests() {
		if !strings.HasPrefix(r, "GET") && !strings.HasPrefix(r, "HEAD") {
			t.Errorf("it wrote: %s", r)
		}
	}
}

func TestPromoteRefusesBeforeAnythingIsWritten(t *testing.T) {
	cases := map[string]struct {
		code  fault.Code
		says  string
		setup func(w *world, req *PromoteRequest)
	}{
		"prod moved since it was shown": {fault.Moved, "prod moved since", func(_ *world, q *PromoteRequest) { q.Expect = None }},
		"an expectation that is none":   {fault.Usage, "--expect", func(_ *world, q *PromoteRequest) { q.Expect = "v1" }},
		"an override without a reason":  {fault.Usage, "needs a reason", func(_ *world, q *PromoteRequest) { q.Overrides, q.Reason = []string{"e2e"}, " " }},
		"an override nobody may": {fault.Gate, "does not let owner@example.com go past e2e", func(_ *world, q *PromoteRequest) {
			q.Overrides, q.Reason = []string{"e2e"}, "it burns"
		}},
		"a tag":              {fault.Usage, "is no digest", func(_ *world, q *PromoteRequest) { q.Digest = "v2" }},
		"an unknown service": {fault.Usage, "no service", func(_ *world, q *PromoteRequest) { q.Service = "chta" }},
		"a read-only run":    {fault.Usage, "read-only", func(w *world, _ *PromoteRequest) { w.runner.ReadOnly = true }},
		"a gate": {fault.Gate, "e2e fail (2 tests failed)", func(w *world, _ *PromoteRequest) {
			w.judge.judgement.Verdict = gates.Blocked
			w.judge.judgement.Checks = []gates.Check{{Gate: "scan", Status: gates.Pass}, {Gate: "e2e", Status: gates.Fail, Reasons: []string{"2 tests failed"}}}
		}},
		"no candidate tag":         {fault.Gate, "only a candidate", func(w *world, _ *PromoteRequest) { w.judge.judgement.Tags = nil }},
		"a candidate that is gone": {fault.Failed, "not found", func(w *world, _ *PromoteRequest) { w.judge.err = registry.ErrNotFound }},
		"no key":                   {fault.Usage, "no key", func(w *world, _ *PromoteRequest) { w.runner.Signer = nil }},
		"a key that may not sign records": {fault.Usage, "would count for nothing", func(w *world, _ *PromoteRequest) {
			w.runner.Signer = func(context.Context) (evidence.Signer, string, error) { return w.ci, "ci", nil }
		}},
		"git delivery": {fault.Usage, "git delivery comes in a later version", func(w *world, _ *PromoteRequest) {
			w.config.Services[0].Deliver = config.Deliver{Git: &config.GitDelivery{}}
		}},
		"a command of a configuration that nobody accepted": {fault.Usage, "found, not named", func(w *world, _ *PromoteRequest) {
			w.config.Services[0].Deliver = config.Deliver{Command: []string{"true"}}
			w.runner.Commands = false
		}},
		"a clock that is wrong": {fault.Failed, "clock", func(w *world, _ *PromoteRequest) { w.fate.skew = time.Hour }},
		"a ledger that is down": {fault.Failed, "ledger", func(w *world, _ *PromoteRequest) { w.ledgerDown(http.StatusNotImplemented) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			one, two := w.image("v1"), w.image("v2")
			w.mustPromote(one)
			w.promoted = 0
			w.fate.set(0, false)
			req := PromoteRequest{Service: "chat", Digest: two}
			c.setup(w, &req)
			_, err := w.runner.Promote(t.Context(), req, nil)
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("code %d: %v", fault.CodeOf(err), err)
			}
			if w.promoted != 0 || w.fate.writes != 0 || len(w.stillOpen()) != 0 || w.live() != one {
				t.Errorf("identity %d, writes %d, open %v", w.promoted, w.fate.writes, w.stillOpen())
			}
		})
	}
}

// ledgerDown makes the registry answer everything about the ledger so.
func (w *world) ledgerDown(status int) {
	w.fate.on(func(q *http.Request) int {
		if strings.Contains(q.URL.Path, "/"+w.books.Path+"/") {
			return status
		}
		return 0
	})
}

func TestPromoteStopsWhenTheWorldChangesBeforeTheMove(t *testing.T) {
	cases := map[string]struct {
		code   fault.Code
		says   string
		change func(w *world)
	}{
		"prod moved":   {fault.Moved, "prod moved meanwhile", func(w *world) { w.point(w.images["v0"]) }},
		"a rejection":  {fault.Gate, "rejected by qa", func(w *world) { w.judge.objections = []string{"rejected by qa"} }},
		"a quarantine": {fault.Gate, "it is quarantined: it leaks", func(w *world) { w.quarantine(w.images["v2"], "it leaks") }},
		"a rival":      {fault.Moved, "took number 3", func(w *world) { w.rival() }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			zero, one, two := w.image("v0"), w.image("v1"), w.image("v2")
			w.mustPromote(zero)
			w.mustPromote(one)
			once := false
			w.judge.onObject = func() {
				if !once {
					once = true
					c.change(w)
				}
			}
			_, err := w.promote(two)
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("code %d: %v", fault.CodeOf(err), err)
			}
			if live := w.live(); live == two {
				t.Error("the channel moved")
			}
			if len(w.stillOpen()) != 0 {
				t.Errorf("still open: %+v", w.stillOpen())
			}
			for _, r := range w.chain().Records {
				if r.Predicate.To.Digest == two && r.Predicate.Actor.ID == "owner@example.com" && r.State() != ledger.Abandoned {
					t.Errorf("its record is %s", r.State())
				}
			}
		})
	}
}

// rival is another laptop that takes the next number without moving yet.
func (w *world) rival() {
	w.t.Helper()
	p := evidence.PromotionPredicate{
		Action: "promote", Service: "chat", Channel: "live", StartedOn: time.Now(),
		To: evidence.Place{URI: w.prod.String(), Digest: w.images["v0"]}, Actor: evidence.Identity{ID: "colleague"},
	}
	book := ledger.New(w.hands, w.books, nil)
	// Its list was read before our record was there.
	chain := w.chain()
	p.PreviousRecord.Digest = chain.Records[len(chain.Records)-2].Digest
	d, _, err := ledger.New(stale{w.hands, chain.Records[len(chain.Records)-1].Tag}, w.books, nil).Draft(w.t.Context(), w.owner, p)
	if err == nil {
		err = book.Publish(w.t.Context(), d)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// stale is a registry whose tag list is from before one tag.
type stale struct {
	*registry.Client
	without string
}

func (s stale) Tags(ctx context.Context, repo registry.Repository) ([]string, error) {
	tags, err := s.Client.Tags(ctx, repo)
	var out []string
	for _, t := range tags {
		if t != s.without {
			out = append(out, t)
		}
	}
	return out, err
}

// quarantine is written by another laptop.
func (w *world) quarantine(d digest.Digest, reason string) {
	w.t.Helper()
	_, err := ledger.New(w.hands, w.books, nil).Quarantine(w.t.Context(), w.owner, evidence.QuarantinePredicate{
		Digest: d, Prod: w.prod.String(), Reason: reason, DecidedOn: time.Now(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestPromoteCanBeCancelledAtEveryStepBeforeTheMove cancels when each step
// begins. Before the move nothing has happened; after it everything happens.
func TestPromoteCanBeCancelledAtEveryStepBeforeTheMove(t *testing.T) {
	for i, st := range promotion() {
		t.Run(st.name, func(t *testing.T) {
			w := newWorld(t)
			one, two := w.image("v1"), w.image("v2")
			w.mustPromote(one)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o, err := w.runner.Promote(ctx, PromoteRequest{Service: "chat", Digest: two}, func(p Progress) {
				if p.Index == i && p.Copy == nil {
					cancel()
				}
			})
			if st.phase >= finishing {
				if err != nil {
					t.Fatal(err)
				}
				w.finished(o, 2)
				return
			}
			if !errors.Is(err, context.Canceled) || fault.CodeOf(err) != fault.Failed {
				t.Errorf("code %d: %v", fault.CodeOf(err), err)
			}
			if w.live() != one || len(w.stillOpen()) != 0 || len(w.records()) != 1 {
				t.Errorf("prod %s, open %+v, records %d", short(w.live()), w.stillOpen(), len(w.records()))
			}
			w.mustPromote(two)
		})
	}
}

func TestCandidateThatVanishesDuringTheCopyLeavesProdAsItWas(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.fate.on(func(q *http.Request) int {
		if strings.HasPrefix(q.URL.Path, "/v2/"+w.staging.Path+"/manifests/") {
			return http.StatusNotFound
		}
		return 0
	})
	_, err := w.promote(two)
	if fault.CodeOf(err) != fault.Failed || !errors.Is(err, registry.ErrNotFound) || w.live() != one || len(w.stillOpen()) != 0 {
		t.Errorf("code %d: %v, open %v", fault.CodeOf(err), err, w.stillOpen())
	}
}

func TestSecondOperationAtOnceIsToldWhoIsAtWork(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	var second error
	w.judge.onObject = func() {
		other := w.newRunner()
		_, second = other.Promote(t.Context(), PromoteRequest{Service: "chat", Digest: two}, nil)
	}
	w.mustPromote(one)
	var held *store.LeaseHeld
	if !errors.As(second, &held) || held.Owner != "laptop" || fault.CodeOf(second) != fault.Failed {
		t.Errorf("got %v", second)
	}
}

// channelWrite answers writes of the channel.
func (w *world) channelWrite(answer func() int) {
	w.fate.on(func(q *http.Request) int {
		if q.Method == http.MethodPut && strings.HasSuffix(q.URL.Path, "/manifests/live") {
			return answer()
		}
		return 0
	})
}

func TestMoveWhoseAnswerIsLostIsReadBackAndGoesOn(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.channelWrite(func() int { w.arrives(two); return http.StatusBadGateway })
	o := w.mustPromote(two)
	w.finished(o, 2)
}

// arrives lets a write of the channel take effect although its answer is lost.
func (w *world) arrives(d digest.Digest) { w.point(d) }

func TestRefusedMoveLeavesProdAndGoesOnLaterWithTheSameRecord(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.channelWrite(func() int { return http.StatusForbidden })
	_, err := w.promote(two)
	if fault.CodeOf(err) != fault.Refused || w.live() != one {
		t.Fatalf("code %d: %v", fault.CodeOf(err), err)
	}
	if p := w.stillOpen(); len(p) != 1 || !strings.Contains(p[0].Command, two.String()) {
		t.Fatalf("open %+v", p)
	}
	w.fate.on(nil)
	judged := w.judge.judged
	w.finished(w.mustPromote(two), 2)
	if w.judge.judged != judged {
		t.Error("it was judged again; a resumed promotion keeps its verdict")
	}
}

func TestMoveThatCannotBeReadBackSaysThatItIsNotKnown(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	down := false
	w.fate.on(func(q *http.Request) int {
		if !strings.HasSuffix(q.URL.Path, "/manifests/live") {
			return 0
		}
		if q.Method == http.MethodPut {
			w.arrives(two)
			down = true
		}
		if down {
			return http.StatusTeapot
		}
		return 0
	})
	_, err := w.promote(two)
	if fault.CodeOf(err) != fault.Unfinished || !strings.Contains(err.Error(), "may have moved") {
		t.Fatalf("code %d: %v", fault.CodeOf(err), err)
	}
	if p := w.stillOpen(); len(p) != 1 || p[0].Prod != Unknown {
		t.Fatalf("open %+v", p)
	}
	w.fate.on(nil)
	w.finished(w.mustPromote(two), 2)
}

func TestFailedDeliveryIsExitSixAndTheSameCommandFinishes(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.config.Services[0].Deliver = config.Deliver{Command: []string{"no-such-program-here", "{{.Digest}}"}}
	_, err := w.promote(two)
	if fault.CodeOf(err) != fault.Unfinished || w.live() != two || !strings.Contains(fault.HintOf(err), "plimsoll promote chat "+two.String()) {
		t.Fatalf("code %d: %v (%s)", fault.CodeOf(err), err, fault.HintOf(err))
	}
	if p := w.stillOpen(); len(p) != 1 || p[0].Prod != After || p[0].Step != "deliver" {
		t.Fatalf("open %+v", p)
	}
	if _, err := w.promote(one); fault.CodeOf(err) != fault.Unfinished { // another command has to finish it first
		t.Fatalf("code %d: %v", fault.CodeOf(err), err)
	}
	w.config.Services[0].Deliver = config.Deliver{Tag: true}
	w.finished(w.mustPromote(two), 2)
}

func TestOperationOvertakenAfterItsMoveDeliversNothing(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.config.Services[0].Deliver = config.Deliver{Command: []string{"no-such-program-here"}}
	if _, err := w.promote(two); fault.CodeOf(err) != fault.Unfinished {
		t.Fatal(err)
	}
	w.point(one) // another laptop went back
	if _, err := w.promote(two); err != nil {
		t.Fatal(err)
	}
	if w.live() != one {
		t.Error("finishing an old operation moved the channel again")
	}
	if r := w.records()[1]; r.Completion == nil || !strings.Contains(r.Completion.Predicate.Delivery, "not delivered") {
		t.Errorf("completion %+v", r.Completion)
	}
}

func TestJournalHoldsNoMoreThanItNeeds(t *testing.T) {
	w := newWorld(t)
	w.mustPromote(w.image("v1"))
	ops, err := w.journal.Operations(false)
	if err != nil || len(ops) != 1 || ops[0].State != store.Done || !ops[0].Moved {
		t.Fatalf("%+v, %v", ops, err)
	}
	var d journaled
	if err := json.Unmarshal(ops[0].Data, &d); err != nil || d.Request.Reason != "it is ready" || d.Draft == nil {
		t.Errorf("%+v, %v", d, err)
	}
}

package operation

import (
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

// pushed puts an image into prod past the gate, as a person with any tool can.
func (w *world) pushed(name string) digest.Digest {
	w.t.Helper()
	d := w.image(name)
	s, err := w.runner.prepare(request{Action: ActionPromote, Service: "chat", Digest: d}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.drop()
	if err := copyImage(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
	w.point(d)
	return d
}

func TestAdoptSignsAFirstRecordOnce(t *testing.T) {
	w := newWorld(t)
	if _, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat"}, nil); fault.CodeOf(err) != fault.Failed {
		t.Errorf("nothing to adopt: %v", err)
	}
	one := w.pushed("v1")
	if _, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat", Expect: None}, nil); fault.CodeOf(err) != fault.Moved {
		t.Errorf("another digest than expected: %v", err)
	}
	o, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat", Expect: one.String(), Reason: "it runs since June"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.finished(o, 1)
	again, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat"}, nil)
	if err != nil || !again.Unchanged || *again.Record != *o.Record {
		t.Errorf("%+v, %v", again, err)
	}
	w.finished(w.mustPromote(w.image("v2")), 2)
	if _, err := w.rollback(); err != nil || w.live() != one {
		t.Errorf("an adopted digest is no target: %v", err)
	}
}

func TestPromoteOverWhatWasPushedPastTheGateWarnsAndNamesIt(t *testing.T) {
	w := newWorld(t)
	one := w.pushed("v1")
	o := w.mustPromote(w.image("v2"))
	if !strings.Contains(words(o.Warnings), "no record") || w.records()[0].Predicate.Previous.Digest != one {
		t.Errorf("%+v", o)
	}
	w.point(one)
	if o := w.mustPromote(one); !o.Unchanged || !strings.Contains(words(o.Warnings), "plimsoll adopt") {
		t.Errorf("%+v", o)
	}
}

func TestAdoptionCutOffAtAnyWriteFinishesAgain(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t)
		w.pushed("v1")
		w.fate.set(at, at%2 == 0)
		_, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat"}, nil)
		if !w.fate.gone() {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		w.journal.revive(t)
		o, err := w.runner.Adopt(t.Context(), AdoptRequest{Service: "chat"}, nil)
		if err != nil {
			t.Fatalf("write %d: %v", at, err)
		}
		if o.Unchanged { // only a later step was missing
			t.Errorf("write %d: the open operation was not gone on with", at)
		}
		w.finished(o, 1)
		if t.Failed() {
			t.Fatalf("write %d", at)
		}
	}
}

func TestQuarantineHoldsUntilItIsLifted(t *testing.T) {
	w := newWorld(t)
	one := w.index("v1")
	ask := func(lift bool, reason string) (Quarantined, error) {
		return w.runner.Quarantine(t.Context(), QuarantineRequest{Service: "chat", Digest: one, Reason: reason, Lift: lift})
	}
	if _, err := ask(false, ""); fault.CodeOf(err) != fault.Usage {
		t.Errorf("without reason: %v", err)
	}
	q, err := ask(false, "it leaks")
	if err != nil || q.Evidence == "" || q.Unchanged {
		t.Fatalf("%+v, %v", q, err)
	}
	if again, err := ask(false, "it leaks"); err != nil || !again.Unchanged {
		t.Errorf("twice: %+v, %v", again, err)
	}
	if _, err := w.promote(one); fault.CodeOf(err) != fault.Gate || w.live() != "" {
		t.Errorf("promoted: %v", err)
	}
	if l, err := ask(true, "it does not"); err != nil || !l.Lifted || l.Unchanged {
		t.Fatalf("%+v, %v", l, err)
	}
	if l, err := ask(true, "it does not"); err != nil || !l.Unchanged {
		t.Errorf("lifted twice: %+v, %v", l, err)
	}
	w.mustPromote(one)
}

func TestResumeFinishesByID(t *testing.T) {
	w := newWorld(t)
	one := w.image("v1")
	w.fate.set(12, false)
	if _, err := w.promote(one); err == nil {
		t.Fatal("it survived")
	}
	w.journal.revive(t)
	if _, err := w.runner.Resume(t.Context(), "no-such-id", nil); err == nil {
		t.Error("resumed nothing")
	}
	open := w.stillOpen()
	if len(open) != 1 || open[0].Prod != Before || open[0].Digest != one || open[0].Step == "" {
		t.Fatalf("%+v", open)
	}
	o, err := w.runner.Resume(t.Context(), open[0].ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.finished(o, 1)
}

// TestAnotherLaptopClosesWhatACrashedOneLeft: the crashed machine never comes back.
func TestAnotherLaptopClosesWhatACrashedOneLeft(t *testing.T) {
	for _, moved := range []bool{false, true} {
		w := newWorld(t)
		one, two, three := w.image("v1"), w.image("v2"), w.image("v3")
		w.mustPromote(one)
		w.runner.Now = func() time.Time { return time.Now().Add(-time.Hour) } // the crash is an hour old
		w.judge.onObject = func() {
			if moved {
				w.point(two)
			}
			w.fate.set(1, false)
		}
		if _, err := w.promote(two); err == nil || !w.fate.gone() {
			t.Fatalf("it survived: %v", err)
		}
		w.judge.onObject = nil
		w.fate.set(0, false)
		db, err := store.Open(memoryDir(t))
		if err != nil {
			t.Fatal(err)
		}
		w.journal = &mortal{Store: db, fate: w.fate}
		w.runner = w.newRunner()
		w.mustPromote(three)
		want := ledger.Abandoned
		if moved {
			want = ledger.Complete
		}
		for _, r := range w.chain().Records {
			if r.Predicate.To.Digest == two && r.State() != want {
				t.Errorf("moved %v: its record is %s", moved, r.State())
			}
		}
	}
}

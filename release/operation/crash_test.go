package operation

import (
	"fmt"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/release/ledger"
)

// TestPromoteCutOffAtAnyWriteFinishesAgain kills the machine at every single
// write of a promotion, to a registry or to its journal, before and after the
// write took effect. Prod is wholly before or wholly after; the same command
// again finishes, and leaves exactly one record.
func TestPromoteCutOffAtAnyWriteFinishesAgain(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			atEachWrite(t, 1, func(t *testing.T, at int) (survived bool) {
				w := newWorld(t)
				one, records := digest.Digest(""), 1 // the first promotion of all
				if after {
					one, records = w.image("v1"), 2
					w.mustPromote(one)
				}
				two := w.image("v2")
				w.fate.set(at, after)
				_, err := w.promote(two)
				if !w.fate.gone() {
					if err != nil {
						t.Fatal(err)
					}
					return true
				}
				live := w.live()
				if live != one && live != two {
					t.Fatalf("prod points at %s", short(live))
				}
				w.whole()
				w.journal.revive(t)
				o, err := w.promote(two)
				if err != nil {
					t.Fatalf("again: %v", err)
				}
				w.finished(o, records)
				return false
			})
		})
	}
}

// atEachWrite tells a story that is cut off at one write after another, step
// apart, until there is no such write left.
func atEachWrite(t *testing.T, step int, story func(t *testing.T, at int) (survived bool)) {
	t.Helper()
	survived := false
	for at := 1; !survived && !t.Failed(); at += step {
		t.Run(fmt.Sprintf("write %d", at), func(t *testing.T) { survived = story(t, at) })
	}
}

// finished sees to it that everything of the last operation is done, once.
func (w *world) finished(o Outcome, records int) {
	w.t.Helper()
	if w.live() != o.Digest {
		w.t.Errorf("prod points at %s, not at %s", short(w.live()), short(o.Digest))
	}
	w.whole()
	all := w.records()
	if len(all) != records {
		w.t.Errorf("the ledger has %d records, not %d", len(all), records)
	}
	for _, r := range all {
		if r.State() != ledger.Complete {
			w.t.Errorf("record %d is %s", r.Number, r.State())
		}
	}
	if n := len(w.chain().Records); n != records {
		w.t.Errorf("with the abandoned there are %d records, not %d", n, records)
	}
	if open := w.stillOpen(); len(open) != 0 {
		w.t.Errorf("still open: %+v", open)
	}
	if audits := w.auditActions(); len(audits) != records && !o.Unchanged {
		w.t.Errorf("the audit chain has %v", audits)
	}
}

// TestAnotherCommandEndsWhatACrashLeft kills a promotion at every write; then a
// promotion of something else closes it, or finishes it if prod had moved.
func TestAnotherCommandEndsWhatACrashLeft(t *testing.T) {
	atEachWrite(t, 3, func(t *testing.T, at int) (survived bool) {
		w := newWorld(t)
		one := w.image("v1")
		two, three := w.image("v2"), w.image("v3")
		w.mustPromote(one)
		w.fate.set(at, at%2 == 0)
		_, _ = w.promote(two)
		if !w.fate.gone() {
			return true
		}
		moved := w.live() == two
		w.journal.revive(t)
		w.mustPromote(three)
		want := 2
		if moved {
			want = 3
		}
		if got := len(w.records()); got != want {
			t.Errorf("%d records, not %d (moved %v)", got, want, moved)
		}
		for _, r := range w.records() {
			if r.State() != ledger.Complete {
				t.Errorf("record %d is %s", r.Number, r.State())
			}
		}
		if open := w.stillOpen(); len(open) != 0 {
			t.Errorf("still open: %+v", open)
		}
		w.whole()
		return false
	})
}

// TestRollbackCutOffAtAnyWriteFinishesAgain is the same for a rollback.
func TestRollbackCutOffAtAnyWriteFinishesAgain(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			atEachWrite(t, 1, func(t *testing.T, at int) (survived bool) {
				w, one, two := twoReleases(t)
				w.fate.set(at, after)
				_, err := w.rollback()
				if !w.fate.gone() {
					if err != nil {
						t.Fatal(err)
					}
					return true
				}
				live := w.live()
				if live != one && live != two {
					t.Fatalf("prod points at %s", short(live))
				}
				w.journal.revive(t)
				o, err := w.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Digest: one, Reason: "it broke"}, nil)
				if err != nil {
					t.Fatalf("again: %v", err)
				}
				if o.Unchanged {
					if _, err := w.runner.SettleDebts(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				w.finished(o, 3)
				if w.chain().QuarantinedBy(two) == "" {
					t.Error("what the rollback left is not quarantined")
				}
				return false
			})
		})
	}
}

// TestRegistryThatRefusesAWriteLeavesProdAsItWas answers one write of a
// promotion with 403, each in turn: the identity is refused, not the machine dead.
func TestRegistryThatRefusesAWriteLeavesProdAsItWas(t *testing.T) {
	atEachWrite(t, 2, func(t *testing.T, at int) (survived bool) {
		w := newWorld(t)
		one, two := w.image("v1"), w.image("v2")
		w.mustPromote(one)
		refused := w.refuse(at)
		_, err := w.promote(two)
		w.fate.on(nil)
		if !refused() {
			return true
		}
		live := w.live()
		switch code := fault.CodeOf(err); {
		case err == nil && live == two: // a write that was not needed, such as a cancelled upload
		case live == one && (code == fault.Refused || code == fault.Failed):
		case live == two && code == fault.Unfinished:
		default:
			t.Errorf("prod %s, code %d, %v", short(live), code, err)
		}
		o, err := w.promote(two)
		if err != nil {
			t.Fatal(err)
		}
		w.whole()
		if got := len(w.records()); got != 2 || w.live() != o.Digest {
			t.Errorf("%d records", got)
		}
		return false
	})
}

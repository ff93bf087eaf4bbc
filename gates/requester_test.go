package gates_test

import (
	"testing"
	"time"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// A pipeline promotes under its own name; who asked it promotes, too.
func TestWhoAskedThePipelineDoesNotSignOff(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.in.Promoter, w.in.Requesters = "release-pipeline", []string{bob, "ANN@example.com"}
	w.expect(gates.SignOff, gates.Needed, ann+" asked for the promotion, and may not sign off too")
	w.in.Requesters = []string{bob}
	w.expect(gates.SignOff, gates.Pass, ann)
}

// The pipeline may go past a gate; that lends nobody its right.
func TestWhoAskedThePipelineNeedsTheRightToGoPastAGate(t *testing.T) {
	w := breakGlass(t).past("prod is down", gates.FreezeGate)
	w.in.Requesters = []string{ann}
	w.expect(gates.FreezeGate, gates.Waived, "waived by "+ann)
	w.in.Requesters = []string{ann, bob}
	w.expect(gates.FreezeGate, gates.Waiting, "the policy lets "+bob+", who asked for it, not go past freeze")
}

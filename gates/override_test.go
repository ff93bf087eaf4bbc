package gates_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// breakGlass lets ann go past the freeze, e2e and the sign-off.
func breakGlass(t testing.TB) *world {
	w := newWorld(t).gates(config.Gates{
		E2E:     &config.E2EGate{Signers: []string{ci}, Suites: []string{"smoke"}},
		SignOff: &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always},
		Soak:    &config.Soak{Min: time.Hour},
		Freeze:  []config.Freeze{{From: now.Add(-time.Hour), To: now.Add(time.Hour), Reason: "year end"}},
	})
	owners := config.Group{Name: "owners", People: w.policy.Trust["qa-leads"].People[:1]}
	w.policy.Trust["owners"] = owners
	w.policy.Service.Overrides = []config.Override{{Gates: []string{gates.FreezeGate, gates.E2E, gates.SignOff, gates.PolicyGate}, By: []string{"owners"}}}
	w.in.Promoter = ann
	return w
}

// past asks to go past gates.
func (w *world) past(reason string, names ...string) *world {
	w.in.Overrides = nil
	for _, n := range names {
		w.in.Overrides = append(w.in.Overrides, gates.Override{Gate: n, Reason: reason})
	}
	return w
}

func TestWhoMayGoesPastAGateWithAReason(t *testing.T) {
	w := breakGlass(t).past("prod is down", gates.FreezeGate, gates.E2E)
	c := w.expect(gates.FreezeGate, gates.Waived, "waived by "+ann)
	if c.Reasons[0] != "waived by "+ann+": prod is down; it says: until 2026-11-24 13:00 UTC" || !strings.Contains(c.Reasons[1], "year end") {
		t.Errorf("reasons %q", c.Reasons)
	}
	w.add(w.tests(ci, "smoke", time.Hour, "login")).expect(gates.E2E, gates.Waived, "it says: 47/48", "failed: login")
	if len(w.judge().Negatives) != 1 {
		t.Error("what is waived is remembered all the same")
	}
	w.expect(gates.Soak, gates.Missing)
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.in.Staged = gates.Staged{Since: now.Add(-2 * time.Hour)}
	if w.judge().State != gates.Ready {
		t.Error("it must be ready")
	}
}

func TestWhoMayNotDoesNot(t *testing.T) {
	w := breakGlass(t)
	w.past("hurry", gates.Soak).expect(gates.Soak, gates.Missing, "the override is not allowed: the policy lets "+ann+" not go past soak")
	w.past("", gates.FreezeGate).expect(gates.FreezeGate, gates.Waiting, "it needs a reason")
	w.past("hurry", gates.FreezeGate)
	w.in.Promoter = bob
	w.expect(gates.FreezeGate, gates.Waiting, "lets "+bob+" not go past freeze")
	w.in.Promoter = ""
	w.expect(gates.FreezeGate, gates.Waiting, "nobody knows who promotes")

	if w.policy.MayOverride(gates.FreezeGate, bob) || !w.policy.MayOverride(gates.FreezeGate, ann) || w.policy.MayOverride(gates.PolicyGate, ann) ||
		w.policy.MayOverride(gates.QuarantineOut, ann) || w.policy.MayOverride(gates.FreezeGate, "") {
		t.Error("MayOverride")
	}
	w.policy.Service.Overrides[0].By = []string{ci}
	if w.policy.MayOverride(gates.FreezeGate, "") {
		t.Error("a key without a person may go past nothing")
	}
}

func TestNobodyGoesPastARejectionAPolicyOrAQuarantine(t *testing.T) {
	w := breakGlass(t).past("hurry", gates.SignOff, gates.PolicyGate, gates.QuarantineOut)
	w.expect(gates.SignOff, gates.Waived)
	w.in.Standing = gates.Standing{Required: true}
	w.expect(gates.PolicyGate, gates.Fail, "nobody may go past policy")
	w.in.Quarantined = "it eats requests"
	w.expect(gates.QuarantineOut, gates.Fail, "nobody may go past quarantine")
	w.in.Quarantined = ""

	rejection := w.decide(bob, evidence.Rejected, time.Hour)
	w.add(rejection).expect(gates.SignOff, gates.Fail, "a rejection stands")
	w.add(w.sign(bob, evidence.SignOff, map[string]any{"decision": 7}, candidate)).expect(gates.SignOff, gates.Error, "a rejection stands")
	w.in.Evidence = w.in.Evidence[:1]
	w.in.Negatives = w.judge().Negatives
	w.remove(rejection)
	w.expect(gates.SignOff, gates.Error, "evidence disappeared", "a rejection stands")
	w.in.Negatives, w.in.Listing = nil, errors.New("timed out")
	w.expect(gates.SignOff, gates.Error, "may be a rejection")
}

func TestOnlyASignedPolicyCounts(t *testing.T) {
	w := newWorld(t)
	if slices.Contains(names(w.judge()), gates.PolicyGate) {
		t.Error("without policy-owners there is nothing to sign")
	}
	w.in.Standing = gates.Standing{Required: true, Signed: true, By: ann}
	w.expect(gates.PolicyGate, gates.Pass, "signed by "+ann, w.policy.Digest())
	w.in.Standing = gates.Standing{Required: true, Difference: []string{"- quorum: 2", "+ quorum: 1"}}
	w.expect(gates.PolicyGate, gates.Fail, "not signed", "+ quorum: 1", "plimsoll policy sign chat-api")
	if w.judge().State != gates.Blocked {
		t.Error("it must block")
	}
	w.in.Standing = gates.Standing{Required: true, Signed: true, Err: errors.New("the ledger cannot be read")}
	w.expect(gates.PolicyGate, gates.Error, "the ledger cannot be read")
}

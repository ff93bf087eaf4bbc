package ui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/release"
)

// gatedView is the service with every gate: what passes, what says no, what waits, what was gone past.
func gatedView() release.ServiceView {
	v := sampleView()
	more := func(c *release.Candidate, freeze, custom gates.Check) {
		c.Checks = append(c.Checks[:min(4, len(c.Checks))],
			check(gates.Provenance, gates.Pass, "main", "linux/amd64: the provenance, signed by ci, says: https://git.example.com/acme/chat (refs/heads/main), built by https://github.com/actions/runner"),
			check(gates.Soak, gates.Pass, "2 h of 1 h", "in staging for 2 h, since 2026-11-24 10:00 UTC (seen by this machine); 1 h is asked for"), freeze, custom,
			check(gates.PolicyGate, gates.Pass, "signed by platform@example.com", "platform@example.com signed this policy (sha256:f0)"))
	}
	open, root := check(gates.FreezeGate, gates.Pass, "open", "no freeze covers this moment"), check("no-root", gates.Pass, "holds")
	frozen := check(gates.FreezeGate, gates.Waiting, "until 2027-01-02", "nothing is promoted from 2026-11-20 00:00 UTC to 2027-01-02 23:59 UTC: year end (it ends in 39 d 11 h; a rollback is always possible)")
	more(&v.Candidates[0], frozen, root)
	v.Candidates[0].Verdict = gates.Blocked
	more(&v.Candidates[1], frozen, check("no-root", gates.Fail, "does not hold", "run the image as somebody: USER in the Dockerfile", "linux/amd64: image.config.user is \"\""))
	more(&v.Candidates[2], open, root)
	more(&v.Candidates[4], frozen, root)
	v.Prod.Overrides = []string{gates.FreezeGate}
	return v
}

func ownerMay(known bool) release.Allowance {
	a := release.Allowance{Service: "chat-api", Known: known, By: map[string][]string{gates.FreezeGate: {"owner@example.com"}, gates.Soak: {"oncall@example.com"}}}
	if known {
		a.Person = "owner@example.com"
	}
	return a
}

func gatedDesk(t testing.TB) *fake {
	desk := newFake(t)
	desk.lists["chat-api"], desk.allowed = gatedView(), ownerMay(true)
	return desk
}

// breachedView is a service whose prod somebody pushed past the gate, and whose policy nobody signed.
func breachedView(unsigned bool) release.ServiceView {
	v := sampleView()
	v.Prod.Record, v.Prod.Since, v.Prod.By = nil, nil, ""
	v.Prod.Unrecorded = "prod.example.com/chat-api:live points at sha256:3f9a1c2b44d0, which has no valid record: it was pushed past Plimsoll, or needs plimsoll adopt chat-api"
	v.Warnings = []string{v.Prod.Unrecorded, "the clock of this machine is 6m0s off the clock of staging.example.com; promotions will be refused"}
	if unsigned {
		v.Unsigned = "none of its owners signed the policy of this configuration, so nothing can be promoted; plimsoll policy show chat-api says what differs"
		v.Warnings = append(v.Warnings, v.Unsigned)
	}
	return v
}

func overriddenEntries() []release.Entry {
	entries := sampleEntries()
	entries[0].Overrides, entries[0].Reason = []string{gates.FreezeGate}, "stops the data loss of incident 4711"
	return entries
}

func sampleVerification() release.Verification {
	record := hex("aaaa")
	return release.Verification{
		Reference: "prod.example.com/chat-api@" + string(running0), Service: "chat-api", Promoted: true, Action: "promote", By: "owner@example.com", At: at(6 * day),
		From: "staging.example.com/chat-api", Record: &record, InProd: true, Policy: string(hex("f0")), PolicyFound: true, PolicySigned: true, PolicyBy: "platform@example.com",
		Overrides: []string{gates.FreezeGate}, Reason: "stops the data loss of incident 4711",
		Checks: []gates.Check{check(gates.E2E, gates.Pass, "48/48"), check(gates.Scan, gates.Pass, "0C 0H 3M"), check(gates.FreezeGate, gates.Waived, "waived by owner@example.com", "waived by owner@example.com: stops the data loss of incident 4711; it says: until 2027-01-02")},
	}
}

func TestAnOverrideNeedsAReasonTheNameAndTwoDeliberateSteps(t *testing.T) {
	desk := gatedDesk(t)
	d := start(t, desk).sees("p override").press("p")
	d.sees("OVERRIDE freeze: promote to PROD past the gate", "this gate says no", "until 2027-01-02", "year end", "will say OVERRIDE, owner@example.com", "enter cancel")
	d.press("enter").seesNot("OVERRIDE freeze: promote")
	d.press("p", "chat").sees("enter cancels; tab leads to the reason")
	d.press("tab", "enter").sees("a reason is needed: say why this cannot wait")
	d.press("data loss", "enter", "enter").sees("type chat-api first")
	d.press("chat-ap", "enter").sees("that is not the name of the service").press("i", "enter-held")
	if len(desk.promotions) != 0 {
		t.Fatal("a held key went past the gate")
	}
	d.press("enter").sees("promoted chat-api to 7be144c09a1f", "» OVERRIDE freeze", "data loss")
	if p := desk.promotions[0]; len(p.Overrides) != 1 || p.Overrides[0] != gates.FreezeGate || p.Reason != "data loss" || p.Expect != string(running0) || p.Digest != ready0 {
		t.Fatalf("%+v", p)
	}
}

func TestAnOverrideIsRefusedWithWhoMay(t *testing.T) {
	desk := gatedDesk(t)
	d := start(t, desk).press("j").sees("> ✗ c0ffee12ab34", "(p promote)").press("p")
	d.sees("promote is not possible now: blocked: ", "No override: the policy lets nobody go past sign-off, no-root").seesNot("╭", "┏")
	desk.allowed.Person = "somebody@example.com"
	start(t, desk).press("p").sees("No override: only owner@example.com may go past freeze").seesNot("┏")
	desk.allowed = ownerMay(false)
	start(t, desk).press("p").sees("owner@example.com may do this; your key tells whether you are one of them").press("esc")
	desk.allowed = release.Allowance{}
	start(t, desk).press("p").sees("promote is not possible now: blocked: freeze waiting").seesNot("override")
}

func TestReadOnlyOverridesNothing(t *testing.T) {
	start(t, gatedDesk(t), func(o *Options) { o.ReadOnly = true }).press("p").sees("read-only").seesNot("┏")
}

func TestAnOpenPromotionIsFinishedNotOverridden(t *testing.T) {
	desk := gatedDesk(t)
	desk.pending = samplePending()
	start(t, desk).press("p").sees("this finishes what an earlier start left open").seesNot("┏")
}

func TestTheGatesWithoutAColumnAreInOneAndInTheStatusLine(t *testing.T) {
	d := startAt(t, gatedDesk(t), 200, 60)
	d.sees("OTHER", "✗ no-ro… +1", "+5 ✓", "… freeze")
	d = start(t, gatedDesk(t)).sees("OTHER", "✗ no-ro… +1").seesNot("SIZE")
	d.sees("blocked: freeze waiting: until 2027-01-02 (✓ provenance, soak, no-root")
	desk := newFake(t)
	v := sampleView()
	for i := range v.Candidates {
		v.Candidates[i].Checks = v.Candidates[i].Checks[:3]
	}
	desk.lists["chat-api"] = v
	startAt(t, desk, 200, 60).seesNot("OTHER")
}

func TestWhatWentPastAGateIsLoudInEveryPlace(t *testing.T) {
	desk := gatedDesk(t)
	desk.entries, desk.verified = overriddenEntries(), sampleVerification()
	d := start(t, desk).sees("» OVERRIDE freeze  since 6 d by owner")
	d.press("G").sees("» OVERRIDE freeze", "in prod").press("enter").sees("» OVERRIDE freeze").press("esc")
	d.press("h").sees("» 2026-11-18", "OVERRIDE freeze: ", "» OVERRIDE freeze by owner@example.com: stops the data loss")
	d.press("enter").sees("» OVERRIDE freeze  by owner@example.com: stops the data loss of incident 4711").press("G")
	d.sees("verified again", "platform@example.com signed", "» freeze", "WAIVED by owner@example.com")
	if desk.count("verify prod.example.com/chat-api@"+string(running0)) != 1 {
		t.Fatalf("calls: %v", desk.calls)
	}
}

func TestProdPastTheGateIsShoutedOnEveryScreen(t *testing.T) {
	desk := newFake(t)
	desk.lists["chat-api"] = breachedView(true)
	d := start(t, desk)
	loud := func(what string) {
		t.Helper()
		d.sees("SOMEBODY PUSHED PAST THE GATE: prod.example.com/chat-api:live points at 3f9a1c2b44d0", "Find out who; b rolls back; plimsoll adopt chat-api", "POLICY NOT SIGNED by its owners", "plimsoll policy show chat-api")
		if n := strings.Count(flowing(d.screen()), "which has no valid record"); n != 1 {
			t.Fatalf("%s says it %d times:\n%s", what, n, d.screen())
		}
		fits(t, d, extent{80, 24})
	}
	loud("candidates")
	d.sees("NO RECORD: pushed past the gate", "! the clock of this machine is")
	for _, keys := range [][]string{{"enter"}, {"d"}, {"h"}, {"enter"}, {"esc"}, {"b"}, {"esc"}, {"D"}, {"?"}, {"G"}, {"esc"}, {"esc"}, {"p"}} {
		d.press(keys...)
		loud(strings.Join(keys, " "))
	}
	d.press("esc")
	d.press("s").sees("SOMEBODY PUSHED PAST THE GATE: chat-api; open it for what to do")
}

func TestAnotherServicePastTheGateIsNamed(t *testing.T) {
	desk := newFake(t)
	desk.services = append(desk.services, sampleService("web"))
	v := breachedView(true)
	v.Service = "web"
	desk.lists["web"] = v
	d := start(t, desk).sees("SOMEBODY PUSHED PAST THE GATE: web; open it for what to do", "POLICY NOT SIGNED by its owners: web")
	d.press("enter").sees("plimsoll  chat-api", "SOMEBODY PUSHED PAST THE GATE: web").press("h").sees("PAST THE GATE: web")
}

func TestARecordThatCouldNotBeReadIsNoBreach(t *testing.T) {
	desk := newFake(t)
	v := sampleView()
	v.Prod.Record, v.Prod.Since = nil, nil
	v.Warnings = []string{"the ledger prod.example.com/chat-api-ledger could not be read: connection refused"}
	desk.lists["chat-api"] = v
	start(t, desk).sees("its record could not be read", "! the ledger prod.example.com").seesNot("PUSHED PAST")
}

func TestTheDetailIsReadAgainByItselfAndStaysWhereItWas(t *testing.T) {
	desk := gatedDesk(t)
	frozen := "until 2027-01-02"
	desk.verdict = func(dg digest.Digest) (release.Verdict, error) {
		c := gatedView().Candidates[0]
		c.Checks[6].Summary = frozen
		prod := running0
		return release.Verdict{Service: "chat-api", Digest: dg, Verdict: c.Verdict, Checks: c.Checks, Policy: string(hex("f0")), Prod: &prod}, nil
	}
	d := start(t, desk).press("enter", "pgdown").sees("freeze     waiting: until 2027-01-02")
	first := strings.Split(d.screen(), "\n")[3]
	frozen = "until 2027-01-09"
	d.wait(29*time.Second).sees("20 s ago", "until 2027-01-02")
	d.wait(2*time.Second).sees("just now", "until 2027-01-09").seesNot("until 2027-01-02")
	if now := strings.Split(d.screen(), "\n")[3]; now != first {
		t.Errorf("it scrolled from %q to %q", first, now)
	}
	if n := desk.count("gates"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	desk.verdict = func(digest.Digest) (release.Verdict, error) {
		return release.Verdict{}, errors.New("connection refused")
	}
	d.wait(31*time.Second).wait(time.Second).sees("may be old", "until 2027-01-09")
}

func TestEveryCheckCanBeCopiedAsText(t *testing.T) {
	desk := gatedDesk(t)
	d := start(t, desk).press("enter", "c").sees("copy sent: every check of 7be144c09a1f")
	if len(d.copied) != 1 {
		t.Fatalf("copied %q", d.copied)
	}
	for _, want := range []string{
		"chat-api: staging.example.com/chat-api@" + string(ready0), "blocked: freeze waiting: until 2027-01-02", "a bigger change: the base image changed",
		"… freeze     waiting: until 2027-01-02\n    nothing is promoted from 2026-11-20 00:00 UTC to 2027-01-02 23:59 UTC: year end (it ends in 39 d 11 h; a rollback is always possible)\n",
		"https://git.example.com/acme/chat (refs/heads/main)",
	} {
		if !strings.Contains(d.copied[0], want) {
			t.Errorf("%q is not in the copy:\n%s", want, d.copied[0])
		}
	}
	if strings.ContainsAny(d.copied[0], "\x1b\t\r") {
		t.Errorf("the copy is not plain: %q", d.copied[0])
	}
	start(t, desk).press("j", "c").sees("copy sent: every check of c0ffee12ab34")
}

func TestNotesFromTheStartAreShown(t *testing.T) {
	notes := func(o *Options) {
		o.Notes = []string{"the trusted root of https://tuf.example.com could not be renewed since 2026-10-01"}
	}
	d := start(t, newFake(t), notes).sees("! the trusted root of https://tuf.example.com could not be renewed", "esc dismisses")
	d.press("esc").seesNot("trusted root")
}

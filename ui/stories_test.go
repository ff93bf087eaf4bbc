package ui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release"
)

func TestCandidatesAreShownWithProdOnTop(t *testing.T) {
	d := start(t, newFake(t))
	d.sees("plimsoll  chat-api", "staging → PROD   10 s ago", "in prod   v1.41.0  sha256:3f9a1c2b44d0   since 6 d by owner@example.com")
	d.sees("> ✓ 7be144c09a1f", "✗ 46/48", "in prod")
	d.sees("ready (✓ soak), a bigger change: the base image changed")
	d.press("j").sees("> ✗ c0ffee12ab34", "blocked: sign-off needed by 1 of qa-leads")
}

func TestFirstFrameComesFromTheStoreWithItsAge(t *testing.T) {
	desk := newFake(t)
	old := sampleView()
	old.At = noon.Add(-3 * hour)
	desk.stored["chat-api"] = old
	d := boot(t, desk, 80, 24)
	d.sees("7be144c09a1f", "3 h ago")
	if len(desk.calls) != 0 {
		t.Fatalf("the first frame asked the backend: %v", desk.calls)
	}
	d.cmds = append(d.cmds, d.m.Init())
	d.stop = func() bool { return true }
	d.sees("3 h ago, refreshing", "7be144c09a1f")
	d.stop = nil
	d.drain()
	d.sees("10 s ago")
}

func TestWithoutAStoreTheFirstFrameSaysWhatIsBeingRead(t *testing.T) {
	d := boot(t, newFake(t), 80, 24)
	d.cmds = append(d.cmds, d.m.Init())
	d.sees("in prod   unknown", "it was not read yet", "reading staging.example.com/chat-api … 0.0 s")
}

func TestPromoteNeedsTheTypedNameAndADeliberateEnter(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("p")
	d.sees("promote to PROD", string(running0), string(ready0), "qa.lead@example.com approved it", "type chat-api to go on")
	d.press("enter").sees("type chat-api first")
	d.press("prod", "enter").sees("that is not the name of the service: it is chat-api")
	d.press("backspace", "backspace", "backspace", "backspace", "chat-api", "enter-held")
	if len(desk.promotions) != 0 {
		t.Fatal("a held key promoted")
	}
	d.press("tab", "weekly", "enter")
	want := release.PromoteRequest{Service: "chat-api", Digest: ready0, Expect: string(running0), Reason: "weekly"}
	if len(desk.promotions) != 1 || desk.promotions[0].Digest != want.Digest || desk.promotions[0].Expect != want.Expect || desk.promotions[0].Reason != want.Reason {
		t.Fatalf("promoted %+v, want %+v", desk.promotions, want)
	}
	d.sees("✓ promoted chat-api to 7be144c09a1f in 0.0 s", "release-7be144c09a1f0000")
}

func TestANameCannotBePasted(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("p").send(tea.PasteMsg{Content: "chat-api\n"}).press("enter")
	d.sees("type chat-api first")
	d.press("esc", "p").send(tea.PasteMsg{Content: "chat-api"}).sees("pasting does not count")
	if len(desk.promotions) != 0 {
		t.Fatal("a paste promoted")
	}
}

func TestARefreshBehindTheDialogChangesNothing(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("p")
	moved := sampleView()
	other := hex("77777777")
	moved.Prod.Digest = &other
	moved.Candidates = moved.Candidates[1:]
	desk.lists["chat-api"] = moved
	d.cmds = append(d.cmds, d.m.load(query{kind: askList, service: "chat-api"}))
	d.drain()
	d.sees(string(running0), string(ready0))
	d.press("chat-api", "enter")
	if got := desk.promotions[0]; got.Digest != ready0 || got.Expect != string(running0) {
		t.Fatalf("promoted %+v", got)
	}
}

func TestTheResultStaysUntilItIsDismissed(t *testing.T) {
	desk := newFake(t)
	desk.operate = func(context.Context, func(release.Progress)) (release.Outcome, error) {
		return release.Outcome{}, fault.New(fault.Moved, "look at what changed, then promote again", nil, "prod moved since it was shown")
	}
	d := start(t, desk).press("p", "chat-api", "enter")
	d.sees("the promotion failed, prod is unchanged: prod moved since it was shown", "next: look at what changed")
	d.wait(time.Minute).press("r", "esc").seesNot("the promotion failed, prod is unchanged: prod moved since it was shown  (e")
	d.press("e").sees("error", "promotion of chat-api", "prod moved since it was shown")
	d.press("y")
	if len(d.copied) != 1 || !strings.Contains(d.copied[0], "prod moved since it was shown\nlook at what changed") {
		t.Fatalf("copied %q", d.copied)
	}
	d.press("esc").seesNot("╭")
}

func TestPromotingAgainstNothingExpectsNone(t *testing.T) {
	desk := newFake(t)
	v := sampleView()
	v.Prod = release.Prod{Reference: "prod.example.com/chat-api:live"}
	desk.lists["chat-api"] = v
	d := start(t, desk).sees("in prod   none", "nothing was promoted to prod.example.com/chat-api:live yet")
	d.press("p", "chat-api", "enter")
	if got := desk.promotions[0].Expect; got != "none" {
		t.Fatalf("expected %q", got)
	}
}

func TestABlockedCandidateCannotBePromotedAndSaysWhy(t *testing.T) {
	d := start(t, newFake(t)).press("j", "j", "p")
	d.sees("promote is not possible now: blocked: e2e fail: 46/48").seesNot("╭")
	d.sees("(p promote)")
	d.press("G", "p").sees("it is in prod already")
}

func TestReadOnlySaysSoAndDisablesWhatWrites(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk, func(o *Options) { o.ReadOnly = true }).sees("READ-ONLY", "(p promote)", "(a approve)")
	for _, key := range []string{"p", "a", "x"} {
		d.press(key).sees("read-only: started with --read-only").seesNot("╭")
	}
	d.press("?").sees("not now: read-only").press("esc", "b").sees("last good", "(b roll back)")
	for _, key := range []string{"enter", "b"} {
		d.press(key).sees("read-only: started with --read-only").seesNot("╭")
	}
	for _, in := range []intent{doPromote{}, doRollback{}, doFinish{}, doApprove{}, doQuarantine{}} {
		d.cmds = append(d.cmds, d.m.act(in))
		d.drain()
	}
	if desk.count("promote")+desk.count("rollback")+desk.count("resume")+desk.count("approve")+desk.count("quarantine") != 0 {
		t.Fatalf("it wrote: %v", desk.calls)
	}
}

func TestApproveTakesYAndNotEnter(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("j", "a")
	d.sees("sign off", string(waiting0), string(running0), "needed by 1 of qa-leads")
	d.press("enter", "y-held")
	if len(desk.approved) != 0 {
		t.Fatal("enter or a held key approved")
	}
	d.sees("enter decides nothing")
	d.press("c", "yes, looks fine", "enter", "y")
	if len(desk.approved) != 1 || desk.approved[0].Decision != "APPROVED" || desk.approved[0].Comment != "yes, looks fine" || *desk.approved[0].Expect != string(running0) {
		t.Fatalf("approved %+v", desk.approved)
	}
	d.sees("approved c0ffee12ab34 of chat-api as owner@example.com")
	if desk.count("list") != 2 {
		t.Fatalf("the list was read %d times, want again after the sign-off", desk.count("list"))
	}
}

func TestARejectionNeedsAComment(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("a", "r").sees("say why it is rejected")
	d.press("too risky", "enter", "r")
	if len(desk.approved) != 1 || desk.approved[0].Decision != "REJECTED" || desk.approved[0].Comment != "too risky" {
		t.Fatalf("signed %+v", desk.approved)
	}
}

func TestAFailedSignOffStaysOnTheScreen(t *testing.T) {
	desk := newFake(t)
	desk.approveErr = fault.New(fault.Refused, "ask for the evidence identity", nil, "staging refused the identity")
	d := start(t, desk).press("a", "y").sees("signing off 7be144c09a1f: staging refused the identity (ask for the evidence identity)")
	d.press("r", "j").sees("staging refused the identity")
	d.press("esc").seesNot("staging refused the identity")
}

func TestQuarantineAsksForAReasonAndCanBeLifted(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("x", "enter").sees("say why")
	d.press("leaks", "enter")
	d.press("esc", "j", "j", "j", "x").sees("lift the quarantine").press("fixed in the base", "enter")
	if len(desk.quarantines) != 2 || desk.quarantines[0].Digest != ready0 || desk.quarantines[0].Lift || !desk.quarantines[1].Lift || desk.quarantines[1].Digest != rotten0 {
		t.Fatalf("quarantines %+v", desk.quarantines)
	}
}

func TestRollbackIsFourKeysAndANameAway(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("b").sees("> ✓ 11aa22bb33cc", "last good", "70 d left", "quarantined", "gone")
	d.press("enter").sees("roll PROD back", string(older0), "[x] quarantine the digest that prod leaves")
	d.press("chat-api", "enter")
	got := desk.rollbacks[0]
	if got.Digest != older0 || got.Expect != string(running0) || got.NoQuarantine {
		t.Fatalf("rolled back %+v", got)
	}
	d.sees("✓ rolled back chat-api to 11aa22bb33cc in 0.0 s")
}

func TestRollbackToAQuarantinedDigestNeedsAReason(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("b", "k", "enter").sees("quarantined: leaks memory")
	d.press("chat-api", "enter").sees("a reason is needed: the digest is quarantined")
	d.press("the other one is worse", "tab", "space", "enter")
	if len(desk.rollbacks) != 1 || desk.rollbacks[0].Reason != "the other one is worse" || !desk.rollbacks[0].NoQuarantine {
		t.Fatalf("rolled back %+v", desk.rollbacks)
	}
}

func TestWhatRunsOrIsGoneCannotBeRolledBackTo(t *testing.T) {
	d := start(t, newFake(t)).press("b", "g", "enter").sees("it is what prod runs now").seesNot("╭")
	d.press("G", "b").sees("it is no longer in the prod registry").seesNot("╭")
}

func TestRollbackWorksWithStagingDown(t *testing.T) {
	desk := newFake(t)
	v := sampleView()
	v.Candidates, v.Error, v.Hint = nil, "staging.example.com is unreachable", "is the VPN up?"
	desk.lists["chat-api"] = v
	desk.listErr = errors.New("staging.example.com is unreachable")
	d := start(t, desk).sees("3f9a1c2b44d0", "could not be read", "staging.example.com is unreachable")
	d.press("b", "enter", "chat-api", "enter").sees("rolled back chat-api")
	if desk.rollbacks[0].Expect != string(running0) {
		t.Fatalf("rolled back %+v", desk.rollbacks)
	}
}

func TestAFailedRefreshKeepsTheRowsAndSaysThatTheyMayBeOld(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk)
	v := sampleView()
	v.Candidates, v.Error, v.Hint = nil, "dial tcp: connection refused", "is the VPN up?"
	desk.lists["chat-api"] = v
	d.wait(31*time.Second).sees("7be144c09a1f", "the list may be old: dial tcp: connection refused (is the VPN up?)", "may be old")
	desk.lists["chat-api"] = sampleView()
	d.press("r").seesNot("may be old")
}

func TestTheSelectionFollowsTheDigest(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).press("j").sees("> ✗ c0ffee12ab34")
	v := sampleView()
	v.Candidates = append([]release.Candidate{{Digest: hex("fff111"), Tags: []string{"main-79"}, Verdict: gates.Blocked}}, v.Candidates...)
	desk.lists["chat-api"] = v
	d.press("r").sees("fff111000000", "> ✗ c0ffee12ab34")
}

func TestWhatIsNewOnTopDoesNotSlipUnderTheHand(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk).sees("> ✓ 7be144c09a1f")
	v := sampleView()
	v.Candidates = append([]release.Candidate{{Digest: hex("fff111"), Tags: []string{"main-79"}, Verdict: gates.Ready}}, v.Candidates...)
	desk.lists["chat-api"] = v
	d.wait(31*time.Second).sees("fff111000000", "> ✓ 7be144c09a1f")
	v.Candidates = v.Candidates[2:]
	desk.lists["chat-api"] = v
	d.wait(31 * time.Second).sees("7be144c09a1f is no longer listed; another candidate is selected now")
}

func TestLateAnswersAreDropped(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk)
	q := query{kind: askList, service: "chat-api"}
	first := d.m.load(q)
	d.inside.Add(1)
	late := first()
	desk.lists["chat-api"] = release.ServiceView{Service: "chat-api", At: noon, Prod: sampleView().Prod}
	second := d.m.load(q)()
	d.inside.Add(-1)
	d.send(second).sees("there is no candidate in staging.example.com/chat-api")
	d.send(late).sees("there is no candidate in staging.example.com/chat-api")
}

func TestANewQuestionCancelsTheOneBefore(t *testing.T) {
	d := start(t, newFake(t))
	q := query{kind: askList, service: "chat-api"}
	first := d.m.load(q)
	_ = d.m.load(q)
	for range questionsAtOnce {
		d.m.reader.slots <- struct{}{}
	}
	if msg := first(); msg != nil {
		t.Fatalf("a superseded question was still asked: %v", msg)
	}
}

func TestEscLeadsOutAndNeverQuits(t *testing.T) {
	d := start(t, newFake(t)).press("/", "main-7", "enter").sees("filter: main-7")
	d.press("enter", "d").sees("diff 3f9a1c2b44d0").press("esc").sees("candidate 7be144c09a1f").press("esc")
	d.sees("filter: main-7").press("esc").seesNot("filter: main-7").press("esc", "esc", "esc")
	if d.quit {
		t.Fatal("esc quit")
	}
	if d.press("q"); !d.quit {
		t.Fatal("q did not quit")
	}
}

func TestTheFilterNarrowsAndStaysVisible(t *testing.T) {
	d := start(t, newFake(t)).press("/", "46").sees("filter: 46", "1 of 5 match", "90ab33e1d7c2").seesNot("7be144c09a1f")
	d.press("enter", "?").press("esc").sees("filter: 46")
	d.press("/", "zzz").sees("nothing matches the filter; esc shows all").press("p").press("esc").sees("7be144c09a1f")
}

func TestCopySendsTheDigestAndShowsItWhole(t *testing.T) {
	d := start(t, newFake(t)).press("y").sees("copy sent: ")
	d.press("Y")
	want := []string{string(ready0), "staging.example.com/chat-api@" + string(ready0)}
	if !slices.Equal(d.copied, want) {
		t.Fatalf("copied %q, want %q", d.copied, want)
	}
	d.press("enter").sees(string(ready0))
}

func TestAQuarantineSaysWhy(t *testing.T) {
	start(t, newFake(t)).press("j", "j", "j").sees("> ! dead00beef00", "quarantined: leaks memory")
}

func TestTheDetailShowsEveryCheckWithItsReasons(t *testing.T) {
	desk := newFake(t)
	desk.verdict = func(dg digest.Digest) (release.Verdict, error) {
		c := check(gates.E2E, gates.Stale, "older than 72 h", "suite api finished 80 h ago")
		c.Evidence = []digest.Digest{hex("e1")}
		return release.Verdict{Digest: dg, Verdict: gates.Blocked, Checks: []gates.Check{c}, Warnings: []string{"a failure that was seen is gone"}}, nil
	}
	d := start(t, desk).press("enter")
	d.sees("e2e        stale: older than 72 h", "suite api finished 80 h ago", string(hex("e1")), "blocked: e2e stale: older than 72 h", "a failure that was seen is gone")
	d.press("p").sees("promote is not possible now: blocked: e2e stale")
}

func TestUnfinishedOperationsAreShownAtStartAndCanBeFinished(t *testing.T) {
	desk := newFake(t)
	desk.pending = samplePending()
	d := start(t, desk).sees("an earlier promote of chat-api to 7be144c09a1f is unfinished: prod has moved. f finishes it")
	d.press("e").sees("stopped at", "the completion in the ledger", "plimsoll promote chat-api").press("esc")
	d.press("f").sees("finish the promote", string(ready0)).press("chat-api", "enter")
	if desk.count("resume op-1") != 1 {
		t.Fatalf("calls: %v", desk.calls)
	}
}

func TestHistoryShowsTheWholeRecord(t *testing.T) {
	d := start(t, newFake(t)).press("h").sees("promote", "rollback", "unfinished", "reason: weekly release")
	d.press("enter").sees("record 7 of chat-api", string(running0), "weekly release", "✓ signed by a key of the records group", "41.2 s").press("G").sees(string(hex("e2")))
}

func TestServicesAreSwitchedByKey(t *testing.T) {
	desk := newFake(t)
	desk.services = []config.Service{sampleService("chat-api"), sampleService("web"), sampleService("model")}
	for _, name := range []string{"web", "model"} {
		v := sampleView()
		v.Service = name
		desk.lists[name] = v
	}
	d := start(t, desk).sees("3 services", "> ✓ 1 chat-api", "v1.41.0", "3f9a1c2b44d0")
	d.press("j", "enter").sees("plimsoll  web")
	d.press("tab").sees("plimsoll  model").press("tab").sees("plimsoll  chat-api").press("3").sees("plimsoll  model")
	d.press("9").sees("there is no service with that number")
	d.press("h").sees("history ─").press("s").sees("3 services").press("h").sees("history of all services")
}

func TestAnotherKeyboardLayoutStillWorks(t *testing.T) {
	d := start(t, newFake(t))
	d.send(tea.KeyPressMsg{Code: 'о', Text: "о", BaseCode: 'j'}).sees("> ✗ c0ffee12ab34")
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
)

func TestEmptyLedgerIsAnEmptyHistory(t *testing.T) {
	c := newWorld(t).laptop().read()
	if len(c.Records) != 0 || c.Head != nil || c.LastGood(image("a")) != nil || c.Current(image("a")) != nil || c.At(minutes(0)) != nil {
		t.Errorf("%+v", c)
	}
}

func TestRecordsComeBackInOrderOnAnotherLaptop(t *testing.T) {
	w := newWorld(t)
	here := w.laptop()
	first := here.promote("a", "", 0)
	second := here.promote("b", "a", 10)
	third := here.append(w.rollback("a", "b", 20))
	there := w.laptop()
	c := there.read()
	if len(c.Records) != 3 || len(c.Problems) != 0 || c.Unverified != 0 || c.Strays != 0 {
		t.Fatalf("%d records, problems %q", len(c.Records), c.Problems)
	}
	for i, want := range []Record{first, second, third} {
		r := c.Records[i]
		if r.Digest != want.Digest || r.Number != i+1 || !r.Verified || r.Signer != "owner@example.com" || r.Problem != "" || r.State() != Complete {
			t.Errorf("record %d: %+v", i+1, r)
		}
		if i > 0 && r.Predicate.PreviousRecord.Digest != c.Records[i-1].Digest {
			t.Errorf("record %d does not follow the one before", i+1)
		}
	}
	if c.Head.Digest != third.Digest || c.Highest != 3 {
		t.Errorf("head %d, highest %d", c.Head.Number, c.Highest)
	}
	if cur := c.Current(image("a")); cur == nil || cur.Number != 3 {
		t.Errorf("current: %+v", cur)
	}
	if at := c.At(minutes(15)); at == nil || at.Predicate.To.Digest != image("b") {
		t.Errorf("at 15 minutes: %+v", at)
	}
	if at := c.At(minutes(-1)); at != nil {
		t.Errorf("before the first: %+v", at)
	}
	good := c.LastGood(image("a"))
	if good == nil || good.Digest != image("b") {
		t.Errorf("last good: %+v", good)
	}
	if c.Records[0].At() != minutes(1) || c.Records[0].Seconds() != 60 {
		t.Error("the completion's time and length are not the record's")
	}
}

func TestSecondReadAsksForTheTagListOnly(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	for i := range 5 {
		l.promote(fmt.Sprint(i), "", i)
	}
	l.quarantine("1", 60, "")
	there := w.laptop()
	there.read()
	w.requests.Store(0)
	there.read()
	if n := w.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	l.promote("new", "", 70)
	w.requests.Store(0)
	if c := there.read(); c.Head.Number != 6 || c.Head.State() != Complete {
		t.Errorf("head %+v", c.Head)
	}
	if n := w.requests.Load(); n != 5 {
		t.Errorf("%d requests for a new record with its completion", n)
	}
}

func TestCompletionThatProvedNothingIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	r := l.append(w.promotion("a", "", 0))
	thief := &laptop{l.Ledger, w, w.stranger}
	thief.complete(r, 1)
	witness := w.laptop()
	for name, reader := range map[string]*laptop{"who wrote it": l, "another": witness} {
		if s := reader.read().Records[0].State(); s != Unfinished {
			t.Errorf("%s: completed by a stranger: %s", name, s)
		}
	}
	w.laptop().complete(r, 2) // the tag is the same
	for name, reader := range map[string]*laptop{"who wrote it": l, "another": witness} {
		if s := reader.read().Records[0].State(); s != Complete {
			t.Errorf("%s: %s", name, s)
		}
	}
}

func TestThousandRecordsAreReadOnceWithTwoRequestsEach(t *testing.T) {
	w := newWorld(t)
	w.fill(1000)
	reader := w.laptop()
	w.requests.Store(0)
	c := reader.read()
	if len(c.Records) != 1000 || c.Unverified != 0 || len(c.Problems) != 0 {
		t.Fatalf("%d records, %d unverified, problems %q", len(c.Records), c.Unverified, c.Problems)
	}
	if n := w.requests.Load(); n > 2*1000+5 {
		t.Errorf("%d requests", n)
	}
	w.requests.Store(0)
	reader.read()
	if n := w.requests.Load(); n > 5 {
		t.Errorf("%d requests the second time", n)
	}
}

func TestUnfinishedAndAbandonedRecordsAreNotTakenForProd(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	l.promote("b", "a", 10)
	abandoned := l.append(w.promotion("c", "b", 20))
	must(t, l.Abandon(context.Background(), l.signer, abandoned, evidence.CompletionPredicate{Reason: "another was faster", FinishedOn: minutes(21)}))
	l.append(w.promotion("d", "b", 30)) // a laptop died before or after it moved the channel
	c := l.read()
	if s := c.Records[2].State(); s != Abandoned {
		t.Errorf("c is %s", s)
	}
	if s := c.Records[3].State(); s != Unfinished {
		t.Errorf("d is %s", s)
	}
	if good := c.LastGood(image("b")); good == nil || good.Digest != image("a") {
		t.Errorf("last good: %+v", good)
	}
	if c.Target(image("c")) != nil || c.Current(image("c")) != nil {
		t.Error("an abandoned record counts")
	}
	if c.Target(image("d")) == nil || c.Current(image("d")) == nil {
		t.Error("a record that nobody finished is not even shown")
	}
	if at := c.At(minutes(60)); at.Predicate.To.Digest != image("b") {
		t.Errorf("in prod was %+v", at)
	}
	l.promote("e", "d", 40) // it had moved: the next one took its place
	if good := l.read().LastGood(image("e")); good.Digest != image("d") {
		t.Errorf("last good: %+v", good)
	}
	if err := l.Complete(context.Background(), l.signer, c.Records[2], evidence.CompletionPredicate{Outcome: evidence.OutcomeDone}); err == nil {
		t.Error("an abandoned record was completed")
	}
	must(t, l.Abandon(context.Background(), l.signer, c.Records[2], evidence.CompletionPredicate{}))
}

func TestQuarantineMatchesPlatformsAndEndsWithItsLift(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	l.promote("b", "a", 10)
	l.promote("c", "b", 20)
	arm := image("b arm64")
	first := l.quarantine("b", 30, "", arm)
	second := l.quarantine("b", 31, "")
	c := w.laptop().read()
	for _, d := range []digest.Digest{image("b"), arm} {
		if got := c.QuarantinedBy(image("other"), d); !strings.HasPrefix(got, "b loses messages (by owner@example.com on 2026-11-01 12:3") {
			t.Errorf("%q", got)
		}
	}
	if got := c.QuarantinedBy(image("a"), image("c")); got != "" {
		t.Errorf("%q", got)
	}
	if good := c.LastGood(image("c")); good.Digest != image("a") {
		t.Errorf("last good: %+v", good)
	}
	if ts := c.Targets(image("c")); len(ts) != 2 || ts[0].Quarantined == "" || ts[0].LastGood || !ts[1].LastGood {
		t.Errorf("targets: %+v", ts)
	}
	l.quarantine("b", 40, first)
	if c = l.read(); c.QuarantinedBy(image("b")) == "" || c.QuarantinedBy(arm) != "" {
		t.Error("a lift ends exactly the quarantine that it names")
	}
	l.quarantine("b", 29, second) // older than what it lifts
	if c = l.read(); c.QuarantinedBy(image("b")) == "" {
		t.Error("an older lift counts")
	}
	l.quarantine("b", 41, second)
	if c = l.read(); c.QuarantinedBy(image("b")) != "" || c.LastGood(image("c")).Digest != image("b") {
		t.Error("it is still quarantined")
	}
}

func TestRecordThatQuarantinesDoesSoWithoutAnEntryOfItsOwn(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	p := w.rollback("a", "b", 10)
	p.Reason, p.Quarantines = "b loses messages", []evidence.Pointer{{Digest: image("b")}}
	l.append(p)
	c := l.read()
	if got := c.QuarantinedBy(image("b")); got != "b loses messages (by owner@example.com on 2026-11-01 12:10 UTC)" {
		t.Errorf("%q", got)
	}
	if q := c.Standing(image("b")); len(q) != 1 || q[0].Digest != c.Records[1].Digest {
		t.Errorf("%+v", q)
	}
	l.quarantine("b", 20, c.Standing(image("b"))[0].Digest)
	if got := l.read().QuarantinedBy(image("b")); got != "" {
		t.Errorf("lifted, and still %q", got)
	}
}

func TestRollbackOfOneChannelQuarantinesForAll(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	p := w.rollback("a", "b", 10)
	p.Channel, p.Quarantines = "canary", []evidence.Pointer{{Digest: image("b")}}
	l.append(p)
	reader := w.laptop()
	for range 2 { // from the registry, then from the cache
		c := reader.read()
		if len(c.Records) != 0 || c.QuarantinedBy(image("b")) == "" || c.Strays != 0 {
			t.Errorf("%d records, %q", len(c.Records), c.QuarantinedBy(image("b")))
		}
	}
	thief := &laptop{l.Ledger, w, w.stranger}
	p.Quarantines[0].Digest = image("c")
	thief.append(p)
	if got := reader.read().QuarantinedBy(image("c")); got != "" {
		t.Errorf("a stranger's counts: %q", got)
	}
}

// forge writes entries that must not count, each with a word of its problem.
func forge(w *world, l *laptop) map[string]string {
	sign := func(s evidence.Signer, change func(*evidence.PromotionPredicate), subject digest.Digest) string {
		p := w.rollback("evil", "a", 50)
		p.Number = 2
		change(&p)
		statement, err := evidence.NewStatement(evidence.Promotion, p.To.URI, subject, p)
		must(w.t, err)
		d, err := l.seal(context.Background(), s, evidence.Promotion, statement)
		must(w.t, err)
		d.Tag = tagOfRecord("live", 2, d.Digest)
		must(w.t, l.Publish(context.Background(), d))
		return d.Tag
	}
	evil := image("evil")
	return map[string]string{
		sign(w.stranger, func(*evidence.PromotionPredicate) {}, evil):                                         "wrong signer",
		sign(w.owner, func(p *evidence.PromotionPredicate) { p.To.URI = "elsewhere.example.com/chat" }, evil): "repository",
		sign(w.owner, func(p *evidence.PromotionPredicate) { p.Channel = "canary" }, evil):                    "channel",
		sign(w.owner, func(p *evidence.PromotionPredicate) { p.Number = 7 }, evil):                            "number",
		sign(w.owner, func(*evidence.PromotionPredicate) {}, image("innocent")):                               "wrong subject",
		sign(w.owner, func(*evidence.PromotionPredicate) {}, evil):                                            "", // a true one, to compare with
	}
}

func TestForgedEntriesAreShownAndNeverCount(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	forged := forge(w, l)
	forgedQuarantine := &laptop{l.Ledger, w, w.stranger}
	forgedQuarantine.quarantine("a", 50, "")
	good := l.quarantine("c", 51, "")
	forgedQuarantine.quarantine("c", 52, good) // a lift by nobody
	c := w.laptop().read()
	for _, r := range c.Records[1:] {
		want, ok := forged[r.Tag]
		switch {
		case !ok:
			t.Errorf("unexpected %s", r.Tag)
		case want == "":
			if !r.Verified {
				t.Errorf("%s: %s", r.Tag, r.Problem)
			}
		case r.Verified || !strings.Contains(r.Problem, want):
			t.Errorf("%s: verified %v, %q, want %q", r.Tag, r.Verified, r.Problem, want)
		case r.Predicate.To.Digest != image("evil"):
			t.Errorf("%s: the claim is not shown: %+v", r.Tag, r.Predicate)
		}
	}
	if len(c.Records) != 1+len(forged) || c.Unverified != len(forged)-1+2 {
		t.Errorf("%d records, %d unverified", len(c.Records), c.Unverified)
	}
	if c.QuarantinedBy(image("a")) != "" || c.QuarantinedBy(image("c")) == "" {
		t.Error("a quarantine or a lift by nobody counts")
	}
}

func TestTagsThatLieAreNotBelieved(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	a := l.promote("a", "", 0)
	b := l.promote("b", "a", 10)
	w.retag(a.Tag, "live-00000009-"+a.Digest.Encoded()[:8]) // a true record under a new number
	w.retag(a.Tag, "live-00000010-00000000")                // and under a digest that it does not have
	w.retag(a.Tag, b.Tag+"-done")                           // no completion
	w.retag(b.Tag+"-done", a.Tag+"-done")                   // of another record
	w.retag(a.Tag, "quarantine-"+a.Digest.Encoded()[:16]+"-"+a.Digest.Encoded()[:8])
	for _, tag := range []string{"latest", "live-1-abc", "live-00000000-00000000", "live-00000077-abcdefab-done", "sha256-abc"} {
		w.retag(a.Tag, tag)
	}
	w.retag(a.Tag, "canary-00000001-"+a.Digest.Encoded()[:8]) // another channel's: not ours to judge
	c := w.laptop().read()
	if c.Strays != 5 {
		t.Errorf("%d strays", c.Strays)
	}
	if len(c.Records) != 4 || c.Records[2].Verified || c.Records[3].Verified || !c.Records[0].Verified || !c.Records[1].Verified {
		t.Errorf("%+v", c.Records)
	}
	if c.Records[0].Completion != nil || c.Records[1].Completion != nil {
		t.Error("a completion of another record counts")
	}
	if c.Head.Number != 2 || len(c.Quarantines) != 1 || c.Quarantines[0].Verified {
		t.Errorf("head %d, quarantines %+v", c.Head.Number, c.Quarantines)
	}
	if next := l.append(w.rollback("a", "b", 20)); next.Number != 11 || next.Predicate.PreviousRecord.Digest != b.Digest {
		t.Errorf("the next record has number %d and follows %s", next.Number, next.Predicate.PreviousRecord.Digest)
	}
	if c := w.laptop().read(); !c.Records[len(c.Records)-1].Verified || problemsWith(c, "missing") {
		t.Errorf("problems %q", c.Problems)
	}
}

func TestRecordCountsOnlyWithItsOwnGroupsAndNoKeyIsNoPass(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	for name, groups := range map[string][]config.Group{"none": nil, "empty": {{Name: "release-owners"}}} {
		c, err := l.Read(context.Background(), groups, w.prod, "live")
		must(t, err)
		if c.Records[0].Verified || c.Head != nil || c.LastGood("") != nil {
			t.Errorf("%s: %+v", name, c.Records[0])
		}
	}
}

func TestRecordSignedForSomebodyElseSaysSo(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	p := w.rollback("a", "", 0)
	p.Actor.ID = "innocent@example.com"
	l.append(p)
	r := l.read().Records[0]
	if !r.Verified || r.Signer != "owner@example.com" || !strings.Contains(r.Problem, "innocent@example.com") {
		t.Errorf("%+v", r)
	}
}

func TestRemovedEntriesAreNoticed(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	b := l.promote("b", "a", 10)
	l.promote("c", "b", 20)
	q := l.quarantine("b", 25, "")
	witness := w.laptop()
	witness.read()
	w.remove(b.Tag)
	w.remove(b.Tag + "-done")
	w.remove(tagOfQuarantine(image("b"), q))
	fresh := w.laptop().read()
	if !problemsWith(fresh, "record 2 is missing") || !problemsWith(fresh, "record 3", "not in the ledger") {
		t.Errorf("an empty laptop says %q", fresh.Problems)
	}
	if fresh.Target(image("b")) != nil || fresh.QuarantinedBy(image("b")) != "" {
		t.Error("what nobody knows any more counts")
	}
	seen := witness.read()
	r := seen.Find(b.Digest)
	if r == nil || !r.Verified || !r.Missing || r.State() != Complete || !problemsWith(seen, "record 2", "this machine remembers") {
		t.Errorf("who saw it says %+v, %q", r, seen.Problems)
	}
	if seen.QuarantinedBy(image("b")) == "" || !problemsWith(seen, "quarantine", "still counts") {
		t.Error("removing a quarantine that was seen unblocked it")
	}
	w.remove(l.read().Head.Tag) // the newest: a number that was seen is not given out again
	if next, err := appendTo(witness.Ledger, w.owner, w.rollback("a", "c", 40)); err != nil || next.Number != 4 {
		t.Errorf("%d %v", next.Number, err)
	}
}

func TestCorruptedBundleIsNeverAPass(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	l.quarantine("bad", 10, "")
	w.breaks(func(rw http.ResponseWriter, q *http.Request) bool {
		if q.Method != http.MethodGet || !strings.Contains(q.URL.Path, "/blobs/") {
			return false
		}
		_, _ = rw.Write([]byte("{}"))
		return true
	})
	reader := w.laptop()
	c := reader.read()
	if r := c.Records[0]; r.Verified || r.Problem == "" || c.LastGood("") != nil {
		t.Errorf("%+v", r)
	}
	if got := c.QuarantinedBy(image("bad")); !strings.Contains(got, "cannot be read") {
		t.Errorf("a quarantine that cannot be read lets pass: %q", got)
	}
	if got := c.QuarantinedBy(image("a")); got != "" {
		t.Errorf("it blocks others too: %q", got)
	}
	w.breaks(nil)
	if c := reader.read(); !c.Records[0].Verified || !strings.HasPrefix(c.QuarantinedBy(image("bad")), "bad loses messages (by ") {
		t.Error("the damage was remembered")
	}
}

func TestUnreachableLedgerGivesHistoryAndErrorTogether(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	l.promote("b", "a", 10)
	l.quarantine("x", 20, "")
	w.breaks(refuse(http.StatusForbidden))
	c, err := l.Read(context.Background(), w.groups, w.prod, "live")
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), w.repo.String()) || fault.HintOf(err) == "" {
		t.Errorf("%v; hint %q", err, fault.HintOf(err))
	}
	if len(c.Records) != 2 || c.LastGood(image("b")).Digest != image("a") || c.QuarantinedBy(image("x")) == "" || len(c.Problems) != 0 {
		t.Errorf("%d records, problems %q", len(c.Records), c.Problems)
	}
	if s := c.Records[1].State(); s != Complete {
		t.Errorf("b is %s", s)
	}
	cold, err := w.laptop().Read(context.Background(), w.groups, w.prod, "live")
	if err == nil || len(cold.Records) != 0 {
		t.Errorf("%d records, %v", len(cold.Records), err)
	}
	if _, err := appendTo(l.Ledger, w.owner, w.rollback("a", "b", 30)); fault.CodeOf(err) != fault.Refused {
		t.Errorf("append: %v", err)
	}
}

func TestEntryThatCannotBeReadNowIsAnErrorBesideTheOthers(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	a := l.promote("a", "", 0)
	l.promote("b", "a", 10)
	w.breaks(func(rw http.ResponseWriter, q *http.Request) bool {
		return strings.HasSuffix(q.URL.Path, "/manifests/"+a.Tag) && refuse(http.StatusForbidden)(rw, q)
	})
	c, err := w.laptop().Read(context.Background(), w.groups, w.prod, "live")
	if err == nil || !strings.Contains(err.Error(), a.Tag) || c.Find(a.Digest) != nil || c.Head == nil || c.Head.Number != 2 {
		t.Errorf("%v, head %+v", err, c.Head)
	}
}

func TestPublishTwiceLeavesOneEntry(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	d, r, err := l.Draft(context.Background(), w.owner, w.promotion("a", "", 0))
	must(t, err)
	var lost bool
	w.breaks(func(rw http.ResponseWriter, q *http.Request) bool {
		if q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/manifests/") && !lost {
			lost = true
			rw.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	})
	if err := l.Publish(context.Background(), d); err == nil {
		t.Error("a failed write was not told")
	}
	w.breaks(nil)
	must(t, l.Publish(context.Background(), d))
	must(t, l.Publish(context.Background(), d))
	if c := w.laptop().read(); len(c.Records) != 1 || c.Records[0].Digest != r.Digest {
		t.Errorf("%+v", c.Records)
	}
}

func TestLedgerThatWasEmptiedIsWrittenAgain(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	l.promote("a", "", 0)
	again := registry.Repository{Host: w.repo.Host, Path: "another"} // as after a restore: known here, not there
	moved := New(l.registry, again, renamed{l.cache, w.repo.String()}).Trusting(w.groups)
	if r, err := appendTo(moved, w.owner, w.rollback("b", "a", 10)); err != nil || r.Number != 2 {
		t.Errorf("%d %v", r.Number, err)
	}
}

// renamed answers for another ledger with what is known about one.
type renamed struct {
	Cache
	key string
}

func (r renamed) Snapshot(kind, _ string, into any) (bool, error) {
	return r.Cache.Snapshot(kind, r.key, into)
}

func TestRecordsOnTheDistributionRegistry(t *testing.T) {
	w := newWorld(t)
	host := registrytest.Distribution(t)
	w.repo.Host, w.prod.Host = host, host
	l := w.laptop()
	l.promote("a", "", 0)
	l.promote("b", "a", 10)
	l.quarantine("b", 20, "")
	l.append(w.rollback("a", "b", 21))
	c := w.laptop().read()
	if len(c.Records) != 3 || c.Unverified != 0 || len(c.Problems) != 0 || c.QuarantinedBy(image("b")) == "" {
		t.Errorf("%+v", c)
	}
}

func TestNumbersThatAreUsedUpAreAClearError(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	a := l.promote("a", "", 0)
	w.retag(a.Tag, "live-99999999-00000000")
	_, err := appendTo(l.Ledger, w.owner, w.rollback("a", "", 10))
	if err == nil || !strings.Contains(err.Error(), "99999999") || fault.HintOf(err) == "" {
		t.Errorf("%v; hint %q", err, fault.HintOf(err))
	}
}

func TestTwoLaptopsOneNumberBothFindTheOther(t *testing.T) {
	w := newWorld(t)
	one, two := w.laptop(), w.laptop()
	ctx := context.Background()
	d1, d2, r1, r2 := w.bothDraft(one, two)
	if r1.Number != r2.Number {
		t.Fatal("the test wants one number")
	}
	must(t, one.Publish(ctx, d1))
	if other := one.read().Rival(r1); other != nil {
		t.Fatalf("a rival before there is one: %v", other)
	}
	must(t, two.Publish(ctx, d2))
	for _, side := range []struct {
		l           *laptop
		mine, other Record
	}{{one, r1, r2}, {two, r2, r1}} {
		other := side.l.read().Rival(side.mine)
		if other == nil || other.Digest != side.other.Digest {
			t.Errorf("rival of %s: %+v", side.mine.Tag, other)
		}
	}
	must(t, two.Abandon(ctx, w.owner, r2, evidence.CompletionPredicate{Reason: "another was faster", FinishedOn: minutes(1)}))
	if other := one.read().Rival(r1); other != nil {
		t.Errorf("an abandoned rival still counts: %+v", other)
	}
	one.complete(r1, 2)
	c := w.laptop().read()
	if len(c.Records) != 2 || len(c.Forks) != 0 || c.Head.Digest != r1.Digest || c.Current(image("b")) != nil {
		t.Errorf("forks %v, head %+v", c.Forks, c.Head)
	}
}

func TestForgedRivalStopsNobody(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	bad := l.append(w.promotion("seed", "", 0)) // something to lie with
	r := l.append(w.promotion("a", "", 0))
	w.retag(bad.Tag, "live-00000002-12345678")
	if other := l.read().Rival(r); other != nil {
		t.Errorf("%+v", other)
	}
}

func TestTwoThatBothMovedAreAFork(t *testing.T) {
	w := newWorld(t)
	one, two := w.laptop(), w.laptop()
	ctx := context.Background()
	d1, d2, r1, r2 := w.bothDraft(one, two)
	must(t, errors.Join(one.Publish(ctx, d1), two.Publish(ctx, d2)))
	one.complete(r1, 1)
	two.complete(r2, 2)
	c := w.laptop().read()
	if len(c.Forks) != 1 || c.Forks[0].Number != 1 || len(c.Forks[0].Records) != 2 || !problemsWith(c, "record 1", "two machines") {
		t.Errorf("%+v, %q", c.Forks, c.Problems)
	}
	if c.Head.Digest != r2.Digest {
		t.Error("the later of both is not the head")
	}
}

// Whatever the order in which two laptops draft, publish, look and move,
// every published record is read by everybody, and two never move unseen:
// they are a fork, or one gave way.
func TestAnyInterleavingOfTwoWritersLosesNothing(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	client := registrytest.Client(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		repo := registry.Repository{Host: w.repo.Host, Path: fmt.Sprintf("ledger-%d", round)}
		writers := [2]*writer{}
		for i := range writers {
			writers[i] = &writer{l: New(client, repo, nil).Trusting(w.groups), w: w, name: fmt.Sprint("laptop ", i)}
		}
		for range rapid.IntRange(2, 16).Draw(r, "steps") {
			if err := writers[rapid.IntRange(0, 1).Draw(r, "who")].step(ctx); err != nil {
				r.Fatal(err)
			}
		}
		c, err := New(client, repo, nil).Read(ctx, w.groups, w.prod, "live")
		if err != nil {
			r.Fatal(err)
		}
		moved := map[int]int{}
		for _, wr := range writers {
			for _, rec := range wr.published {
				if found := c.Find(rec.Digest); found == nil || !found.Verified {
					r.Fatalf("record %s is lost", rec.Tag)
				}
			}
			for _, rec := range wr.moved {
				moved[rec.Number]++
			}
		}
		if len(c.Records) != len(writers[0].published)+len(writers[1].published) || len(c.Problems) != len(c.Forks) {
			r.Fatalf("%d records, problems %q", len(c.Records), c.Problems)
		}
		forked := 0
		for _, n := range moved {
			if n > 1 {
				forked++
			}
		}
		if forked != len(c.Forks) || forked > 0 {
			r.Fatalf("%d numbers moved twice, %d forks", forked, len(c.Forks))
		}
	})
}

// writer promotes step by step: draft, publish, look for a rival and move or give way.
type writer struct {
	l                *Ledger
	w                *world
	name             string
	n                int
	draft            *Draft
	open             *Record
	out              bool
	published, moved []Record
}

func (p *writer) step(ctx context.Context) error {
	switch {
	case p.draft == nil:
		p.n++
		d, r, err := p.l.Draft(ctx, p.w.owner, p.w.promotion(fmt.Sprint(p.name, p.n), "", p.n))
		p.draft, p.open = &d, &r
		return err
	case !p.out:
		p.out, p.published = true, append(p.published, *p.open)
		return p.l.Publish(ctx, *p.draft)
	}
	chain, err := p.l.Read(ctx, p.w.groups, p.w.prod, "live")
	if err != nil {
		return err
	}
	c := evidence.CompletionPredicate{Outcome: evidence.OutcomeDone, FinishedOn: minutes(p.n)}
	if chain.Rival(*p.open) != nil {
		c.Outcome = evidence.OutcomeAbandoned
	} else {
		p.moved = append(p.moved, *p.open)
	}
	err = p.l.Complete(ctx, p.w.owner, *p.open, c)
	p.draft, p.open, p.out = nil, nil, false
	return err
}

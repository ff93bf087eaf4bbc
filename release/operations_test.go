package release_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/store"
)

// release1 and release2 are promoted one after the other.
func (w *world) twoReleases() (first, second digest.Digest) {
	w.t.Helper()
	first = w.push(w.staging, "v1", image("app", w.now.Add(-2*time.Hour)))
	second = w.push(w.staging, "v2", image("app 2", w.now.Add(-time.Hour)))
	w.promote(first)
	w.now = w.now.Add(time.Minute)
	w.promote(second)
	w.now = w.now.Add(time.Minute)
	return first, second
}

func TestAReleaseFromTheListToTheHistory(t *testing.T) {
	for name, options := range map[string][]option{"referrers API": nil, "fallback tags": {withoutReferrers}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options...)
			dg := w.push(w.staging, "v1", image("app", w.now), image("app", w.now, arm64))
			out := w.promote(dg)
			v := w.list()
			if c := candidate(t, v, dg); c.Verdict != gates.InProd {
				t.Errorf("%+v", c)
			}
			p := v.Prod
			if p.Digest == nil || *p.Digest != dg || p.Record == nil || out.Record == nil || *p.Record != *out.Record || p.By != w.owner.id || p.Since == nil {
				t.Errorf("%+v, %+v", p, out)
			}
			if len(p.Tags) != 2 || p.Tags[0] != "v1" || p.Tags[1] != "release-"+dg.Encoded()[:16] {
				t.Errorf("tags %q", p.Tags)
			}
			if len(v.Warnings) != 0 {
				t.Errorf("%q", v.Warnings)
			}
			h, err := w.desk.History(t.Context(), "")
			if err != nil || len(h) != 1 || h[0].Digest != dg || !h[0].Verified || h[0].Problem != "" || h[0].Action != "promote" || len(h[0].Evidence) == 0 {
				t.Errorf("%v: %+v", err, h)
			}
			a, err := w.desk.Verify(t.Context(), w.prod.At(dg))
			if err != nil || !a.Promoted || !a.InProd || a.By != w.owner.id || len(a.Problems) != 0 || len(a.Checks) == 0 {
				t.Errorf("%v: %+v", err, a)
			}
		})
	}
}

func TestARollbackIsSeenEverywhere(t *testing.T) {
	w := newWorld(t)
	first, second := w.twoReleases()
	targets, err := w.desk.Targets(t.Context(), "chat")
	if err != nil || len(targets) != 1 || targets[0].Digest != first || !targets[0].LastGood || targets[0].Present == nil || !*targets[0].Present {
		t.Fatalf("%v: %+v", err, targets)
	}
	if again, ok := w.desk.SnapshotTargets("chat"); !ok || asJSON(t, again) != asJSON(t, targets) {
		t.Errorf("%+v", again)
	}
	if _, err := w.desk.Rollback(t.Context(), release.RollbackRequest{Service: "chat", Expect: second.String(), Reason: "errors"}, nil); err != nil {
		t.Fatal(err)
	}
	v := w.list()
	if *v.Prod.Digest != first || candidate(t, v, second).Verdict != gates.Quarantined {
		t.Errorf("%+v", v)
	}
	a, err := w.desk.Verify(t.Context(), w.prod.At(second))
	if err != nil || !a.Promoted || !a.RolledBackSince || a.InProd || a.Quarantined == "" {
		t.Errorf("%v: %+v", err, a)
	}
	h, err := w.desk.History(t.Context(), "chat")
	if err != nil || len(h) != 3 || h[0].Action != "rollback" || h[0].Reason != "errors" || h[2].Digest != first {
		t.Errorf("%v: %+v", err, h)
	}
}

func TestWhatWasInProdThen(t *testing.T) {
	w := newWorld(t)
	before := w.now.Add(-time.Hour)
	first, second := w.twoReleases()
	for at, want := range map[time.Time]digest.Digest{w.now: second, w.now.Add(-90 * time.Second): first} {
		h, err := w.desk.HistoryAt(t.Context(), "chat", at)
		if err != nil || len(h) != 1 || h[0].Digest != want {
			t.Errorf("%v: %+v, not %s", err, h, want)
		}
	}
	if h, err := w.desk.HistoryAt(t.Context(), "", before); err != nil || len(h) != 0 {
		t.Errorf("%v: %+v", err, h)
	}
}

func TestTheHistoryIsReadWithoutTheLedger(t *testing.T) {
	w := newWorld(t)
	_, second := w.twoReleases()
	if _, err := w.desk.History(t.Context(), "chat"); err != nil {
		t.Fatal(err)
	}
	w.prodFaults = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusForbidden)
		return true
	}
	h, err := w.desk.History(t.Context(), "chat")
	if err == nil || len(h) != 2 || h[0].Digest != second {
		t.Errorf("%v: %+v", err, h)
	}
	if again, ok := w.desk.SnapshotHistory("chat"); !ok || len(again) != 2 {
		t.Errorf("%+v", again)
	}
}

func TestAnEmptyMachineReadsTheHistoryFromTheLedger(t *testing.T) {
	w := newWorld(t)
	_, second := w.twoReleases()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h, err := w.newDesk(s).History(t.Context(), "chat")
	if err != nil || len(h) != 2 || h[0].Digest != second || !h[0].Verified {
		t.Errorf("%v: %+v", err, h)
	}
}

func TestADigestThatWasPushedPastTheGateIsNotPromoted(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.prod, "live", image("app", w.now))
	v, err := w.desk.Verify(t.Context(), w.prod.At(dg))
	if err != nil || v.Promoted || len(v.Problems) == 0 || !v.InProd {
		t.Errorf("%v: %+v", err, v)
	}
	if _, err := w.desk.Verify(t.Context(), w.staging.Host+"/other@"+dg.String()); fault.CodeOf(err) != fault.Usage {
		t.Errorf("%v", err)
	}
	if _, err := w.desk.Verify(t.Context(), w.prod.String()+":live"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("%v", err)
	}
}

func TestAnAdoptedDigestHasARecord(t *testing.T) {
	w := newWorld(t)
	w.push(w.staging, "v1", image("app", w.now))
	dg := w.push(w.prod, "live", image("app", w.now))
	if _, err := w.desk.Adopt(t.Context(), release.AdoptRequest{Service: "chat", Reason: "it was there"}, nil); err != nil {
		t.Fatal(err)
	}
	if v := w.list(); v.Prod.Record == nil || v.Prod.By != w.owner.id || len(v.Warnings) != 0 {
		t.Errorf("%+v: %q", v.Prod, v.Warnings)
	}
	if v, err := w.desk.Verify(t.Context(), w.prod.At(dg)); err != nil || !v.Promoted || v.Action != "adopt" {
		t.Errorf("%v: %+v", err, v)
	}
}

func TestEvidenceThatWentMissingInProdIsAProblem(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.promote(dg)
	h, err := w.desk.History(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	w.deleteFrom(w.prod, h[0].Evidence[0])
	v, err := w.desk.Verify(t.Context(), w.prod.At(dg))
	if err != nil || !slices.ContainsFunc(v.Problems, func(s string) bool { return strings.Contains(s, "not in prod") }) {
		t.Errorf("%v: %+v", err, v)
	}
}

func TestAQuarantinedCandidateSaysSoAndALiftEndsIt(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	if _, err := w.desk.Quarantine(t.Context(), release.QuarantineRequest{Service: "chat", Digest: dg, Reason: "leaks"}); err != nil {
		t.Fatal(err)
	}
	if c := candidate(t, w.list(), dg); c.Verdict != gates.Quarantined {
		t.Errorf("%+v", c)
	}
	w.now = w.now.Add(time.Minute)
	if _, err := w.desk.Quarantine(t.Context(), release.QuarantineRequest{Service: "chat", Digest: dg, Reason: "fixed", Lift: true}); err != nil {
		t.Fatal(err)
	}
	if c := candidate(t, w.list(), dg); c.Verdict == gates.Quarantined {
		t.Errorf("%+v", c)
	}
}

func TestACandidateThatNoRuleSelectsIsNotPromoted(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "nightly", image("app", w.now))
	w.good(dg)
	w.approve(dg, evidence.Approved)
	if got, err := w.desk.Resolve(t.Context(), "chat", "nightly"); err != nil || got != dg {
		t.Errorf("%s, %v", got, err)
	}
	_, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg}, nil)
	if fault.CodeOf(err) != fault.Gate {
		t.Errorf("code %d: %v", fault.CodeOf(err), err)
	}
}

func TestTheAuditChainIsVerifiedExportedAndSynced(t *testing.T) {
	w := newWorld(t)
	w.twoReleases()
	synced, err := w.desk.AuditSync(t.Context())
	if err != nil || len(synced.Heads) != 1 {
		t.Fatalf("%v: %+v", err, synced)
	}
	if again, err := w.desk.AuditSync(t.Context()); err != nil || len(again.Heads) != 0 {
		t.Errorf("a head is noted once: %v: %+v", err, again)
	}
	r, err := w.desk.AuditVerify(t.Context())
	if err != nil || !r.Verified || r.Entries < 5 || r.Head == "" {
		t.Errorf("%v: %+v", err, r)
	}
	exports(t, w, r.Entries)
	h, err := w.desk.History(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	w.deleteTagFrom(w.config.Services[0].Ledger, *h[0].Record)
	if r, err := w.desk.AuditVerify(t.Context()); err == nil || r.Verified || !strings.Contains(strings.Join(r.Problems, " "), "no longer holds") {
		t.Errorf("a record that was taken away is not noticed: %v: %+v", err, r)
	}
}

// exports reads every format back.
func exports(t *testing.T, w *world, entries int) {
	t.Helper()
	for _, format := range []string{release.FormatJSONL, release.FormatCSV, release.FormatCloudEvents} {
		var b bytes.Buffer
		if err := w.desk.AuditExport(&b, format); err != nil {
			t.Fatal(err)
		}
		n := 0
		if format == release.FormatCSV {
			rows, err := csv.NewReader(&b).ReadAll()
			if err != nil {
				t.Error(err)
			}
			n = len(rows) - 1
		}
		for d := json.NewDecoder(&b); d.More() && format != release.FormatCSV; n++ {
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			if format == release.FormatCloudEvents && (v["specversion"] != "1.0" || v["id"] == "" || v["source"] == "" || v["type"] == "") {
				t.Errorf("%v", v)
			}
		}
		if n != entries {
			t.Errorf("%s: %d of %d entries", format, n, entries)
		}
	}
	if err := w.desk.AuditExport(&bytes.Buffer{}, "xml"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("%v", err)
	}
}

func TestABiggerChangeNeedsASignOffAgainstTheProdOfToday(t *testing.T) {
	w := newWorld(t)
	first, _ := w.twoReleases()
	next := w.push(w.staging, "v3", image("app 3", w.now, func(img *embedded.Image) { img.Config.Config.User = "root" }))
	w.good(next)
	w.approve(next, evidence.Approved)
	if v := w.gates(next); v.Verdict != gates.Ready {
		t.Fatalf("%+v", v)
	}
	if _, err := w.desk.Rollback(t.Context(), release.RollbackRequest{Service: "chat", Digest: first, Reason: "errors"}, nil); err != nil {
		t.Fatal(err)
	}
	if c := check(t, w.gates(next).Checks, gates.SignOff); c.Status != gates.Stale {
		t.Errorf("prod moved, but the sign-off is %+v", c)
	}
	_, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: next}, nil)
	if fault.CodeOf(err) != fault.Gate {
		t.Errorf("code %d: %v", fault.CodeOf(err), err)
	}
	if pending, err := w.desk.Pending(); err != nil || len(pending) != 0 {
		t.Errorf("a refusal by a gate left %+v, %v", pending, err)
	}
}

func TestWhatTheLedgerCouldNotTakeIsInTheHistoryAndWrittenLater(t *testing.T) {
	w := newWorld(t)
	first, second := w.twoReleases()
	w.prodFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		down := strings.Contains(r.URL.Path, "chat-ledger") && r.Method != http.MethodGet && r.Method != http.MethodHead
		if down {
			rw.WriteHeader(http.StatusForbidden)
		}
		return down
	}
	out, err := w.desk.Rollback(t.Context(), release.RollbackRequest{Service: "chat", Reason: "errors"}, nil)
	if err != nil && fault.CodeOf(err) != fault.Unfinished {
		t.Fatalf("%v: %+v", err, out)
	}
	if got := w.list(); *got.Prod.Digest != first || !slices.ContainsFunc(got.Warnings, func(s string) bool { return strings.Contains(s, "rollback") }) {
		t.Errorf("%+v: %q", got.Prod, got.Warnings)
	}
	w.prodFaults = nil
	synced, err := w.desk.AuditSync(t.Context())
	if err != nil || len(synced.Written) != 1 {
		t.Fatalf("%v: %+v", err, synced)
	}
	h, err := w.desk.History(t.Context(), "chat")
	if err != nil || len(h) != 3 || h[0].Action != "rollback" || !h[0].Verified || h[0].Digest != first || h[0].Previous == nil || *h[0].Previous != second {
		t.Errorf("%v: %+v", err, h)
	}
	if got := w.list(); len(got.Warnings) != 0 {
		t.Errorf("%q", got.Warnings)
	}
}

func TestAStoreThatCannotBeWrittenCostsTheMemoryAndIsSaid(t *testing.T) {
	w := newWorld(t)
	w.push(w.staging, "v1", image("app", w.now))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, store.FileName), []byte("this is no store"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.desk = w.newDesk(s)
	v := w.list()
	if len(v.Candidates) != 1 || v.Candidates[0].Verdict != gates.Blocked {
		t.Errorf("what was seen before is not known, so nothing may pass: %+v", v.Candidates)
	}
	if !slices.ContainsFunc(v.Warnings, func(s string) bool { return strings.Contains(s, "could not keep") }) {
		t.Errorf("%q", v.Warnings)
	}
}

package gates_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// piece is evidence with what the properties need to know of it.
type piece struct {
	evidence.Item
	positive bool
	signer   string
}

// propertyWorld has every gate that reads evidence, and a pool of evidence to draw from.
func propertyWorld(t testing.TB) (*world, []piece) {
	w := newWorld(t).gates(config.Gates{
		E2E:        &config.E2EGate{Signers: []string{ci}, Sources: []string{"gh"}, MaxAge: 72 * time.Hour},
		Scan:       &config.ScanGate{Signers: []string{scanner}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour},
		BaseImage:  &config.BaseImageGate{Signers: []string{ci}, Pinned: true, Repositories: []string{"docker.io/library/*"}, MaxBaseAge: 90 * day},
		SignOff:    &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always, NotPromoter: true},
		Provenance: &config.ProvenanceGate{Signers: []string{ci}, Source: "https://github.com/acme/chat", Branches: []string{"main"}},
		Soak:       &config.Soak{Min: time.Hour, Signers: []string{ci}},
		Freeze:     []config.Freeze{{Cron: "0 12 * * TUE", For: time.Hour}},
	})
	w.policy.Service.Overrides = []config.Override{{Gates: []string{gates.E2E, gates.Soak, gates.SignOff, gates.FreezeGate}, By: []string{"qa-leads"}}}
	return w, slices.Concat(testPieces(w), scanPieces(w), basePieces(w), originPieces(w), soakPieces(w), signOffPieces(w))
}

// vary asks for other suites, and has other base images, as every case may.
func (w *world) vary(t *rapid.T) *world {
	other, gate := *w, *w.policy.Service.Gates.E2E
	gate.Suites = rapid.SampledFrom([][]string{nil, {"smoke"}, {"smoke", "gh"}}).Draw(t, "suites")
	other.policy.Service.Gates.E2E = &gate
	other.in.Bases = baseDates(t)
	return &other
}

// answers takes some of what a source may say.
func answers(t *rapid.T) []gates.Answer {
	broken, whole := says("", "", 0), says("", gates.Failed, 5*time.Hour)
	broken.Err = errors.New("it answered 502")
	counted := says("smoke", gates.Failed, 30*time.Minute)
	counted.Passed, counted.Failed, counted.Total = 1, 2, 3
	pool := []gates.Answer{
		says("smoke", gates.Passed, time.Hour), says("smoke", gates.Passed, 3*time.Hour), says("smoke", gates.Passed, time.Minute), says("smoke", gates.Passed, 90*time.Hour),
		says("smoke", gates.Failed, 2*time.Hour), counted, says("smoke", gates.Running, 0), says("smoke", gates.Absent, 0),
		says("build", gates.Passed, time.Hour), says("build", gates.Failed, 2*time.Hour), says("", gates.Absent, 0), whole, says("", gates.Passed, time.Hour), broken,
	}
	var some []gates.Answer
	for _, a := range pool {
		n := 2 // of 10
		if a.State == gates.Passed {
			n = 6
		}
		if rapid.IntRange(0, 9).Draw(t, "answer") < n {
			some = append(some, a)
		}
	}
	return some
}

func originPieces(w *world) []piece {
	good := github("https://github.com/acme/chat", "refs/heads/main")
	later := github("https://github.com/acme/chat", "refs/heads/main")
	later["runDetails"].(map[string]any)["metadata"] = map[string]any{"finishedOn": now.Add(-time.Minute).Format(time.RFC3339)}
	untimed := github("https://github.com/acme/chat", "refs/heads/main")
	delete(untimed["runDetails"].(map[string]any), "metadata")
	return []piece{
		{w.sign(ci, evidence.SLSA1, good, candidate), true, ci},
		{w.sign(ci, evidence.SLSA1, good, amd64), true, ci},
		{w.sign(ci, evidence.SLSA1, later, arm64), true, ci},
		{w.sign(ci, evidence.SLSA1, untimed, candidate), true, ci},
		{w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/wip"), amd64), false, ci},
		{w.sign(ci, evidence.SLSA1, github("https://github.com/mallory/chat", "refs/heads/main"), candidate), false, ci},
		{w.sign(mallory, evidence.SLSA1, later, candidate), true, mallory},
	}
}

func soakPieces(w *world) []piece {
	return []piece{
		{w.deployed(ci, "staging", "main", 2*time.Hour), true, ci},
		{w.deployed(ci, "staging", "main", time.Minute), true, ci},
		{w.deployed(mallory, "staging", "main", 9*time.Hour), true, mallory},
	}
}

func testPieces(w *world) []piece {
	untimed := map[string]any{"configuration": []any{map[string]any{"name": "api"}}, "result": "PASSED"}
	failed := map[string]any{"configuration": []any{map[string]any{"name": "api"}}, "result": "FAILED"}
	return []piece{
		{w.tests(ci, "smoke", time.Hour), true, ci},
		{w.tests(ci, "smoke", 3*time.Hour), true, ci},
		{w.tests(ci, "smoke", 90*time.Hour), true, ci},
		{w.tests(ci, "smoke", 2*time.Hour, "a"), false, ci},
		{w.tests(ci, "smoke", time.Hour, "b"), false, ci},
		{w.tests(ci, "api", 2*time.Hour), true, ci},
		{w.tests(ci, "api", 100*time.Hour), true, ci},
		{w.tests(ci, "api", 50*time.Hour, "c"), false, ci},
		{w.sign(ci, evidence.TestResult, untimed, candidate), true, ci},
		{w.sign(ci, evidence.TestResult, failed, candidate), false, ci},
		{w.tests(mallory, "smoke", time.Minute), true, mallory},
		{w.tests(mallory, "api", time.Minute, "d"), false, mallory},
	}
}

// smallTrivy is a Trivy report of one platform with findings of these severities.
func smallTrivy(arch string, findings ...string) []byte {
	var list []string
	for _, f := range findings {
		id, severity, _ := strings.Cut(f, " ")
		list = append(list, fmt.Sprintf(`{"VulnerabilityID":%q,"PkgName":"p","InstalledVersion":"1","Severity":%q}`, id, severity))
	}
	return fmt.Appendf(nil, `{"SchemaVersion":2,"ArtifactName":"a","Metadata":{"ImageConfig":{"os":"linux","architecture":%q}},"Results":[{"Vulnerabilities":[%s]}]}`,
		arch, strings.Join(list, ","))
}

func scanPieces(w *world) []piece {
	clean, arm := smallTrivy("amd64", "CVE-1 LOW"), smallTrivy("arm64")
	bad := smallTrivy("amd64", "CVE-2026-31337 CRITICAL", "CVE-2026-28131 HIGH")
	grype := []byte(`{"matches":[],"source":{"type":"image","target":{}},"descriptor":{"name":"grype"}}`)
	grypeBad := bytes.Replace(grype, []byte("[]"), []byte(`[{"vulnerability":{"id":"GHSA-1","severity":"High"}}]`), 1)
	return []piece{
		{w.scanRaw(scanner, clean, time.Hour, amd64), true, scanner},
		{w.scanRaw(scanner, clean, 30*time.Hour, amd64), true, scanner},
		{w.scanRaw(scanner, arm, time.Hour, candidate), true, scanner},
		{w.scanRaw(scanner, arm, time.Hour, arm64), true, scanner},
		{w.scanRaw(scanner, bad, 2*time.Hour, amd64), false, scanner},
		{w.scanRaw(scanner, bad, time.Hour, amd64), false, scanner},
		{w.scanRaw(scanner, grypeBad, 2*time.Hour, amd64), false, scanner},
		{w.scanRaw(scanner, grype, time.Hour, amd64), true, scanner},
		{w.vex(scanner, "CVE-2026-31337", "not_affected", 3*time.Hour), true, scanner},
		{w.vex(scanner, "CVE-2026-28131", "fixed", 3*time.Hour), true, scanner},
		{w.vex(scanner, "CVE-2026-31337", "affected", 2*time.Hour), false, scanner},
		{w.vex(scanner, "CVE-2026-31337", "not_affected", time.Hour), true, scanner},
		{w.vex(mallory, "CVE-2026-31337", "not_affected", 0), true, mallory},
		{w.scanRaw(mallory, clean, 0, amd64, arm64), true, mallory},
	}
}

func signOffPieces(w *world) []piece {
	moved := func(p *evidence.SignOffPredicate) { p.Prod.Digest = elsewhere }
	return []piece{
		{w.decide(ann, evidence.Approved, time.Hour), true, ann},
		{w.decide(ann, evidence.Approved, 3*time.Hour), true, ann},
		{w.decide(ann, evidence.Approved, time.Minute, moved), true, ann},
		{w.decide(ann, evidence.Rejected, 2*time.Hour), false, ann},
		{w.decide(ann, evidence.Revoked, 30*time.Minute), false, ann},
		{w.decide(bob, evidence.Approved, time.Hour), true, bob},
		{w.decide(bob, evidence.Rejected, time.Hour), false, bob},
		{w.decide(mallory, evidence.Approved, 0), true, mallory},
	}
}

// draw takes some of the pool, mostly enough for something to pass.
func draw(t *rapid.T, pool []piece) []piece {
	var some []piece
	for _, p := range pool {
		n := 4 // of 10: negatives are rarer
		if p.positive {
			n = 7
		}
		if rapid.IntRange(0, 9).Draw(t, "take") < n {
			some = append(some, p)
		}
	}
	return some
}

// with is the input with this evidence, those negatives and these answers.
func (w *world) with(pieces []piece, negatives []gates.Negative, said ...gates.Answer) gates.Input {
	in := w.in
	in.Negatives, in.Answers = negatives, said
	in.Evidence = nil
	for _, p := range pieces {
		in.Evidence = append(in.Evidence, p.Item)
	}
	return in
}

func TestOrderDoesNotMatter(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces := draw(t, pool)
		earlier := gates.Evaluate(w.policy, w.with(draw(t, pool), nil, answers(t)...)).Negatives
		in := w.with(pieces, earlier, answers(t)...)
		in.Promoter, in.Overrides = ann, []gates.Override{{Gate: gates.E2E, Reason: "b"}, {Gate: gates.E2E, Reason: "a"}, {Gate: gates.Scan, Reason: "c"}}
		want := gates.Evaluate(w.policy, in)

		in.Evidence = rapid.Permutation(in.Evidence).Draw(t, "evidence")
		in.Evidence = append(in.Evidence, in.Evidence[:min(3, len(in.Evidence))]...) // a listing may name things twice
		in.Negatives = rapid.Permutation(in.Negatives).Draw(t, "negatives")
		in.Platforms = rapid.Permutation(in.Platforms).Draw(t, "platforms")
		in.Answers = rapid.Permutation(in.Answers).Draw(t, "answers")
		in.Bases = rapid.Permutation(in.Bases).Draw(t, "bases")
		in.Overrides = rapid.Permutation(in.Overrides).Draw(t, "overrides")
		if diff := cmp.Diff(want, gates.Evaluate(w.policy, in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAVerdictIsAPureFunction(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		in := w.with(draw(t, pool), nil, answers(t)...)
		in.Negatives = gates.Evaluate(w.policy, in).Negatives
		digest := w.policy.Digest()
		copied := in
		copied.Evidence, copied.Answers = slices.Clone(in.Evidence), slices.Clone(in.Answers)
		copied.Negatives, copied.Platforms, copied.Bases = slices.Clone(in.Negatives), slices.Clone(in.Platforms), slices.Clone(in.Bases)
		asked := gates.BasesToDate(w.policy, in)
		first := gates.Evaluate(w.policy, in)
		if diff := cmp.Diff(first, gates.Evaluate(w.policy, in)); diff != "" {
			t.Fatalf("asked again it says: %s", diff)
		}
		if diff := cmp.Diff(asked, gates.BasesToDate(w.policy, in)); diff != "" {
			t.Fatalf("asked again it has other base images: %s", diff)
		}
		if !reflect.DeepEqual(copied, in) || w.policy.Digest() != digest {
			t.Fatal("it changed what it was given")
		}
	})
}

func TestRemovingAPositiveNeverTurnsBlockedIntoReady(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces, said := draw(t, pool), answers(t)
		rest := slices.DeleteFunc(slices.Clone(pieces), func(p piece) bool { return p.positive && rapid.IntRange(0, 4).Draw(t, "remove") == 0 })
		silent := slices.DeleteFunc(slices.Clone(said), func(a gates.Answer) bool {
			return a.State == gates.Passed && rapid.IntRange(0, 4).Draw(t, "silence") == 0
		})
		neverUnblocks(t, statuses(w, w.with(pieces, nil, said...)), statuses(w, w.with(rest, nil, silent...)), "without some positives")
	})
}

func TestRemovingASeenNegativeNeverUnblocks(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces, said := draw(t, pool), answers(t)
		seen := gates.Evaluate(w.policy, w.with(pieces, nil, said...)).Negatives
		rest := slices.DeleteFunc(slices.Clone(pieces), func(p piece) bool { return !p.positive && rapid.Bool().Draw(t, "remove") })
		silent := slices.DeleteFunc(slices.Clone(said), func(a gates.Answer) bool { return a.State == gates.Failed && rapid.Bool().Draw(t, "silence") })
		neverUnblocks(t, statuses(w, w.with(pieces, seen, said...)), statuses(w, w.with(rest, seen, silent...)), "after negatives were removed")
	})
}

// neverUnblocks holds that no gate that did not pass does.
func neverUnblocks(t *rapid.T, before, after map[string]gates.Status, when string) {
	for gate, status := range before {
		if !status.Passes() && after[gate].Passes() {
			t.Fatalf("%s was %s and is %s %s", gate, status, after[gate], when)
		}
	}
}

func TestWhatTheGatesGroupDidNotSignChangesNoStatus(t *testing.T) {
	w, pool := propertyWorld(t)
	groups := map[string][]string{
		gates.E2E: {ci}, gates.BaseImage: {ci}, gates.Provenance: {ci}, gates.Soak: {ci}, gates.Scan: {scanner}, gates.SignOff: {ann, bob},
	}
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces, more, said := draw(t, pool), draw(t, pool), answers(t)
		before := statuses(w, w.with(pieces, nil, said...))
		gate := rapid.SampledFrom(slices.Sorted(maps.Keys(groups))).Draw(t, "gate")
		in := w.with(pieces, nil, said...)
		for _, p := range more {
			if !slices.Contains(groups[gate], p.signer) && p.Form != evidence.BuildKit {
				in.Evidence = append(in.Evidence, p.Item)
			}
		}
		in.Evidence = append(in.Evidence, evidence.Item{
			Subject: candidate, Manifest: digest.FromString("noise"), Form: evidence.Bundle,
			PredicateType: rapid.SampledFrom([]string{"", evidence.TestResult, evidence.Vuln}).Draw(t, "hint"),
			Raw:           rapid.SliceOf(rapid.Byte()).Draw(t, "raw"),
		})
		if after := statuses(w, in); after[gate] != before[gate] {
			t.Fatalf("%s was %s and is %s", gate, before[gate], after[gate])
		}
		of := func(in gates.Input) []gates.Negative {
			return slices.DeleteFunc(gates.Evaluate(w.policy, in).Negatives, func(n gates.Negative) bool { return n.Gate != gate })
		}
		if diff := cmp.Diff(of(w.with(pieces, nil, said...)), of(in)); diff != "" {
			t.Fatalf("what is remembered of %s changed: %s", gate, diff)
		}
	})
}

func TestAMemoryNeverUnblocks(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces, said := draw(t, pool), answers(t)
		seen := gates.Evaluate(w.policy, w.with(draw(t, pool), nil, answers(t)...)).Negatives
		neverUnblocks(t, statuses(w, w.with(pieces, nil, said...)), statuses(w, w.with(pieces, seen, said...)), "with a memory")
	})
}

func TestAnOverrideOnlyWaivesItsOwnGate(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		in := w.with(draw(t, pool), nil, answers(t)...)
		in.Standing.Required = rapid.Bool().Draw(t, "owners")
		in.Quarantined = rapid.SampledFrom([]string{"", "bad"}).Draw(t, "quarantine")
		in.Promoter = rapid.SampledFrom([]string{"", ann, mallory}).Draw(t, "promoter")
		before := gates.Evaluate(w.policy, in)
		every := append(names(before), "nothing")
		for _, gate := range rapid.SliceOf(rapid.SampledFrom(every)).Draw(t, "gates") {
			in.Overrides = append(in.Overrides, gates.Override{Gate: gate, Reason: rapid.SampledFrom([]string{"", "prod is down"}).Draw(t, "reason")})
		}
		after := gates.Evaluate(w.policy, in)
		if diff := cmp.Diff(before.Negatives, after.Negatives); diff != "" {
			t.Fatalf("what is remembered changed: %s", diff)
		}
		for i, c := range after.Checks {
			was := before.Checks[i]
			asked := slices.Contains(in.Overrides, gates.Override{Gate: c.Gate, Reason: "prod is down"})
			switch {
			case c.Status == was.Status && c.Summary == was.Summary:
			case c.Status != gates.Waived || was.Status.Passes() || !asked || !w.policy.MayOverride(c.Gate, in.Promoter):
				t.Fatalf("%s by %q: %s became %s", c.Gate, in.Promoter, was.Status, c.Status)
			case c.Gate == gates.SignOff && was.Status == gates.Fail:
				t.Fatal("a rejection was waived")
			}
		}
	})
}

func TestAClockAnHourBehindPassesNothing(t *testing.T) {
	w, _ := propertyWorld(t)
	w.policy.Service.Gates.Provenance = nil
	w.add(w.tests(ci, "smoke", 0), w.scanRaw(scanner, smallTrivy("amd64"), 0, candidate, amd64, arm64), w.decide(ann, evidence.Approved, 0),
		w.sign(ci, evidence.SLSA1, provenance(0, pinnedBase), amd64, arm64), w.deployed(ci, "staging", "main", 0))
	w.answer(says("smoke", gates.Passed, 0))
	w.in.Bases = []gates.BaseDate{debian(0)}
	for _, gate := range []string{gates.E2E, gates.Scan, gates.BaseImage, gates.SignOff} {
		w.expect(gate, gates.Pass)
	}
	w.in.Now = now.Add(-time.Hour)
	for _, gate := range []string{gates.E2E, gates.Scan, gates.BaseImage, gates.SignOff, gates.Soak} {
		w.expect(gate, gates.Error, "in the future")
	}
}

// statuses is every gate's status.
func statuses(w *world, in gates.Input) map[string]gates.Status {
	m := map[string]gates.Status{}
	for _, c := range gates.Evaluate(w.policy, in).Checks {
		m[c.Gate] = c.Status
	}
	return m
}

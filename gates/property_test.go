package gates_test

import (
	"bytes"
	"fmt"
	"maps"
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
		E2E:       &config.E2EGate{Signers: []string{ci}, MaxAge: 72 * time.Hour},
		Scan:      &config.ScanGate{Signers: []string{scanner}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour},
		BaseImage: &config.BaseImageGate{Signers: []string{ci}, Pinned: true},
		SignOff:   &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always, NotPromoter: true},
	})
	return w, slices.Concat(testPieces(w), scanPieces(w), basePieces(w), signOffPieces(w))
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

func basePieces(w *world) []piece {
	return []piece{
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64), true, ci},
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), arm64), true, ci},
		{w.sign(ci, evidence.SLSA1, provenance(2*time.Hour, looseBase), arm64), false, ci},
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, looseBase), amd64), false, ci},
		{w.buildKit(provenance(3*time.Hour, pinnedBase), amd64), true, ci},
		{w.buildKit(provenance(3*time.Hour, pinnedBase), arm64), true, ci},
		{w.sign(mallory, evidence.SLSA1, provenance(0, pinnedBase), amd64, arm64), true, mallory},
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

// with is the input with this evidence and those negatives.
func (w *world) with(pieces []piece, negatives []gates.Negative) gates.Input {
	in := w.in
	in.Negatives = negatives
	in.Evidence = nil
	for _, p := range pieces {
		in.Evidence = append(in.Evidence, p.Item)
	}
	return in
}

func TestOrderDoesNotMatter(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		pieces := draw(t, pool)
		earlier := gates.Evaluate(w.policy, w.with(draw(t, pool), nil)).Negatives
		in := w.with(pieces, earlier)
		want := gates.Evaluate(w.policy, in)

		in.Evidence = rapid.Permutation(in.Evidence).Draw(t, "evidence")
		in.Evidence = append(in.Evidence, in.Evidence[:min(3, len(in.Evidence))]...) // a listing may name things twice
		in.Negatives = rapid.Permutation(in.Negatives).Draw(t, "negatives")
		in.Platforms = rapid.Permutation(in.Platforms).Draw(t, "platforms")
		if diff := cmp.Diff(want, gates.Evaluate(w.policy, in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRemovingAPositiveNeverTurnsBlockedIntoReady(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		pieces := draw(t, pool)
		var rest []piece
		for _, p := range pieces {
			if !p.positive || rapid.IntRange(0, 4).Draw(t, "remove") > 0 {
				rest = append(rest, p)
			}
		}
		before, after := statuses(w, w.with(pieces, nil)), statuses(w, w.with(rest, nil))
		for gate, status := range before {
			if !status.Passes() && after[gate].Passes() {
				t.Fatalf("%s was %s and is %s without some positives", gate, status, after[gate])
			}
		}
	})
}

func TestRemovingASeenNegativeNeverUnblocks(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		pieces := draw(t, pool)
		seen := gates.Evaluate(w.policy, w.with(pieces, nil)).Negatives
		before := statuses(w, w.with(pieces, seen))
		var rest []piece
		for _, p := range pieces {
			if p.positive || rapid.Bool().Draw(t, "keep") {
				rest = append(rest, p)
			}
		}
		after := statuses(w, w.with(rest, seen))
		for gate, status := range before {
			if !status.Passes() && after[gate].Passes() {
				t.Fatalf("%s was %s and is %s after negatives were removed", gate, status, after[gate])
			}
		}
	})
}

func TestWhatTheGatesGroupDidNotSignChangesNoStatus(t *testing.T) {
	w, pool := propertyWorld(t)
	groups := map[string][]string{gates.E2E: {ci}, gates.BaseImage: {ci}, gates.Scan: {scanner}, gates.SignOff: {ann, bob}}
	rapid.Check(t, func(t *rapid.T) {
		pieces, more := draw(t, pool), draw(t, pool)
		before := statuses(w, w.with(pieces, nil))
		gate := rapid.SampledFrom(slices.Sorted(maps.Keys(groups))).Draw(t, "gate")
		in := w.with(pieces, nil)
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
	})
}

func TestAMemoryNeverUnblocks(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		pieces := draw(t, pool)
		seen := gates.Evaluate(w.policy, w.with(draw(t, pool), nil)).Negatives
		before, after := statuses(w, w.with(pieces, nil)), statuses(w, w.with(pieces, seen))
		for gate, status := range before {
			if !status.Passes() && after[gate].Passes() {
				t.Fatalf("%s was %s and is %s with a memory", gate, status, after[gate])
			}
		}
	})
}

// statuses is every gate's status.
func statuses(w *world, in gates.Input) map[string]gates.Status {
	m := map[string]gates.Status{}
	for _, c := range gates.Evaluate(w.policy, in).Checks {
		m[c.Gate] = c.Status
	}
	return m
}

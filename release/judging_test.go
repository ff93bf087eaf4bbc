package release_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
)

// gates asks for a verdict, which must be told.
func (w *world) gates(dg digest.Digest) release.Verdict {
	w.t.Helper()
	v, err := w.desk.Gates(w.t.Context(), "chat", dg)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func TestACandidateIsReadyWhenEveryGateLetsItThrough(t *testing.T) {
	for name, options := range map[string][]option{"referrers API": nil, "fallback tags": {withoutReferrers}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options...)
			dg := w.push(w.staging, "v1", image("app", w.now))
			if v := w.gates(dg); v.Verdict != gates.Blocked || check(t, v.Checks, gates.E2E).Status != gates.Missing {
				t.Errorf("without evidence: %+v", v)
			}
			tested := w.tested(w.ci, dg, "PASSED")
			w.scanned(w.scanner, dg, "CVE-2026-1 LOW")
			v := w.gates(dg)
			if c := check(t, v.Checks, gates.E2E); c.Status != gates.Pass || !slices.Contains(c.Evidence, tested) {
				t.Errorf("%+v", c)
			}
			if c := check(t, v.Checks, gates.SignOff); c.Status != gates.Needed || len(v.Bigger) == 0 {
				t.Errorf("a first promotion is a bigger change: %+v, %q", c, v.Bigger)
			}
			s := w.approve(dg, evidence.Approved)
			v = w.gates(dg)
			if v.Verdict != gates.Ready || !slices.Contains(check(t, v.Checks, gates.SignOff).Evidence, s.Evidence) {
				t.Errorf("%+v", v)
			}
			if c := candidate(t, w.list(), dg); c.Verdict != gates.Ready {
				t.Errorf("list says otherwise: %+v", c)
			}
		})
	}
}

func TestEvidenceOfAStrangerProvesNothing(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.tested(w.stranger, dg, "PASSED")
	w.tested(w.scanner, dg, "PASSED") // trusted, but not for this
	w.scanned(w.scanner, dg)
	v := w.gates(dg)
	c := check(t, v.Checks, gates.E2E)
	if c.Status != gates.Missing || len(c.Reasons) == 0 || check(t, v.Checks, gates.Scan).Status != gates.Pass {
		t.Errorf("%+v", v.Checks)
	}
}

func TestAFailedTestBlocksEvenAfterItWasRemoved(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.now = w.now.Add(time.Minute)
	failed := w.tested(w.ci, dg, "FAILED")
	if c := check(t, candidate(t, w.list(), dg).Checks, gates.E2E); c.Status != gates.Fail {
		t.Fatalf("%+v", c)
	}
	w.delete(failed)
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status.Passes() || !strings.Contains(strings.Join(c.Reasons, " "), "1/2") {
		t.Errorf("removing it unblocked: %+v", c)
	}
	v := w.list()
	if !slices.ContainsFunc(v.Warnings, func(s string) bool { return strings.Contains(s, "no longer in the registry") }) {
		t.Errorf("%q", v.Warnings)
	}
}

func TestARejectionBlocksAndIsRememberedByWhoSignedIt(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.approve(dg, evidence.Approved)
	w.now = w.now.Add(time.Second)
	rejected := w.approve(dg, evidence.Rejected)
	w.delete(rejected.Evidence)
	if v := w.gates(dg); v.Verdict != gates.Blocked || check(t, v.Checks, gates.SignOff).Status.Passes() {
		t.Errorf("%+v", check(t, v.Checks, gates.SignOff))
	}
}

func TestCosignsOldTagOfAttestationsCounts(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.attTag(dg, map[string]any{
		"result": "PASSED", "configuration": []map[string]any{{"name": "smoke"}}, "passedTests": []string{"a"},
		evidence.FinishedOn: w.now.Format(time.RFC3339),
	})
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
	if c := check(t, candidate(t, w.list(), dg).Checks, gates.E2E); c.Status != gates.Pass {
		t.Errorf("list: %+v", c)
	}
}

// attTag writes what cosign v2 writes: a manifest with one envelope under sha256-….att.
func (w *world) attTag(about digest.Digest, predicate any) {
	w.t.Helper()
	statement, err := evidence.NewStatement(evidence.TestResult, w.staging.String(), about, predicate)
	if err != nil {
		w.t.Fatal(err)
	}
	envelope := evidencetest.Envelope(w.t, w.ci.signer, statement)
	built, err := embedded.Artifact("", evidence.DSSEMediaType, envelope, nil, nil)
	if err == nil {
		err = built.Push(w.t.Context(), w.writer, w.staging, registry.Fallback(about)+".att")
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestMoreEnvelopesThanAreReadBlock: the one that nobody reads may be a no.
func TestMoreEnvelopesThanAreReadBlock(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.attTag(dg, map[string]any{"result": "PASSED", "configuration": []map[string]any{{"name": "smoke"}}})
	tag := registry.Fallback(dg) + ".att"
	m, err := w.writer.Manifest(t.Context(), w.staging, tag)
	if err != nil {
		t.Fatal(err)
	}
	var body ocispec.Manifest
	decode(t, m.Raw, &body)
	for n, status := range map[int]gates.Status{registry.MaxPerDigest: gates.Pass, registry.MaxPerDigest + 1: gates.Error} {
		body.Layers = slices.Repeat(body.Layers[:1], n)
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		m.Raw, m.Descriptor.Digest, m.Descriptor.Size = raw, digest.FromBytes(raw), int64(len(raw))
		if err := w.writer.PutManifest(t.Context(), w.staging, tag, m); err != nil {
			t.Fatal(err)
		}
		if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != status || status == gates.Error && !strings.Contains(strings.Join(c.Reasons, " "), "1001 layers") {
			t.Errorf("%d envelopes: %+v", n, c)
		}
	}
}

func TestScansOfThePlatformManifestsCoverAnIndex(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now), image("app", w.now, arm64))
	children := w.children(dg)
	w.tested(w.ci, dg, "PASSED")
	w.scanned(w.scanner, children[0])
	if c := check(t, w.gates(dg).Checks, gates.Scan); c.Status == gates.Pass {
		t.Errorf("one platform is not covered: %+v", c)
	}
	w.scanned(w.scanner, children[1])
	if c := check(t, w.gates(dg).Checks, gates.Scan); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
}

func (w *world) children(dg digest.Digest) []digest.Digest {
	w.t.Helper()
	m, err := w.writer.Manifest(w.t.Context(), w.staging, dg.String())
	if err != nil {
		w.t.Fatal(err)
	}
	var index ocispec.Index
	decode(w.t, m.Raw, &index)
	out := make([]digest.Digest, 0, len(index.Manifests))
	for _, c := range index.Manifests {
		out = append(out, c.Digest)
	}
	return out
}

func TestACandidateThatIsDeletedAfterTheListIsGone(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.list()
	w.delete(dg)
	_, err := w.desk.Gates(t.Context(), "chat", dg)
	if fault.CodeOf(err) != fault.Failed || !errors.Is(err, registry.ErrNotFound) || fault.HintOf(err) == "" {
		t.Errorf("code %d: %v", fault.CodeOf(err), err)
	}
}

func TestEvidenceThatCannotBeListedOrReadBlocks(t *testing.T) {
	for name, part := range map[string]string{"list": "/referrers/", "blob": "/blobs/"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			dg := w.push(w.staging, "v1", image("app", w.now))
			w.list()
			w.good(dg)
			w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, part) {
					rw.WriteHeader(http.StatusForbidden)
					return true
				}
				return false
			}
			v := w.gates(dg)
			if c := check(t, v.Checks, gates.E2E); v.Verdict != gates.Blocked || c.Status != gates.Error {
				t.Errorf("%+v", v.Checks)
			}
		})
	}
}

func TestGatesNeverUseARememberedListOfReferrers(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now), image("app", w.now, arm64))
	w.list()
	w.requests()
	w.gates(dg)
	if n := count(w.requests(), "GET", w.staging.Host, "/referrers/"); n != 3 {
		t.Errorf("%d lists of referrers, for an index and two platforms", n)
	}
}

func TestASignOffIsForTheProdThatWasSeen(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.signer = w.qa
	seen := digest.FromString("another").String()
	_, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg, Expect: &seen})
	if fault.CodeOf(err) != fault.Moved {
		t.Errorf("%v", err)
	}
	empty := "none"
	if _, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg, Expect: &empty}); err != nil {
		t.Error(err)
	}
}

func TestASignOffThatWouldCountForNothingIsRefused(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.signer = w.stranger
	if _, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg}); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "qa-leads") {
		t.Errorf("%v", err)
	}
	w.signer = w.qa
	if _, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg, Decision: "MAYBE"}); fault.CodeOf(err) != fault.Usage {
		t.Errorf("%v", err)
	}
	if _, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: digest.FromString("gone")}); fault.CodeOf(err) != fault.Failed {
		t.Errorf("%v", err)
	}
	if n := len(w.gates(dg).Checks); n == 0 {
		t.Error("no checks")
	}
}

func TestAReadOnlyDeskWritesNothing(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.desk.ReadOnly = true
	_, approve := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg})
	_, attest := w.desk.Attest(t.Context(), release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(dg)})
	for _, err := range []error{approve, attest} {
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "--read-only") {
			t.Errorf("%v", err)
		}
	}
}

func TestAnOrdinaryChangeNeedsNoSignOff(t *testing.T) {
	w := newWorld(t)
	first := w.push(w.staging, "v1", image("app", w.now.Add(-time.Hour)))
	w.push(w.prod, "live", image("app", w.now.Add(-time.Hour)))
	next := w.push(w.staging, "v2", image("app 2", w.now))
	w.good(next)
	v := w.list()
	c := candidate(t, v, next)
	if c.Verdict != gates.Ready || check(t, c.Checks, gates.SignOff).Status != gates.NotRequired || len(c.Bigger) != 0 {
		t.Errorf("%+v", c)
	}
	if got := candidate(t, v, first); got.Verdict != gates.InProd || got.AddedBytes != 0 || c.AddedBytes == 0 || c.AddedBytes >= c.SizeBytes {
		t.Errorf("%+v; %d of %d bytes are new", got, c.AddedBytes, c.SizeBytes)
	}
	root := w.push(w.staging, "v3", image("app 3", w.now.Add(time.Minute), func(img *embedded.Image) { img.Config.Config.User = "root" }))
	w.good(root)
	if c := candidate(t, w.list(), root); c.Verdict != gates.Blocked || check(t, c.Checks, gates.SignOff).Status != gates.Needed {
		t.Errorf("another user is a bigger change: %+v", c)
	}
}

func TestAnAttestedResultIsEvidence(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.signer = w.ci
	junit := `<testsuite name="smoke" tests="2" failures="0"><testcase name="a"/><testcase name="b"/></testsuite>`
	got, err := w.desk.Attest(t.Context(), release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(dg), Result: []byte(junit)})
	if err != nil {
		t.Fatal(err)
	}
	c := check(t, w.gates(dg).Checks, gates.E2E)
	if c.Status != gates.Pass || !slices.Contains(c.Evidence, got.Evidence) || !strings.Contains(got.Summary, "2/2") || got.Warning != "" {
		t.Errorf("%+v, %+v", got, c)
	}
	w.signer = w.scanner
	got, err = w.desk.Attest(t.Context(), release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(dg), Result: []byte(junit)})
	if err != nil || got.Warning != "your key counts for nothing there: e2e asks for ci" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAttestRefusesWhatProvesNothing(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	junit := []byte(`<testsuite tests="1"><testcase name="a"/></testsuite>`)
	for name, c := range map[string]struct {
		request release.AttestRequest
		code    fault.Code
	}{
		"a tag":         {release.AttestRequest{Gate: gates.E2E, Reference: w.staging.String() + ":v1", Result: junit, Suite: "smoke"}, fault.Usage},
		"gone":          {release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(digest.FromString("gone")), Result: junit, Suite: "smoke"}, fault.Failed},
		"no suite":      {release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(dg), Result: junit}, fault.Usage},
		"no result":     {release.AttestRequest{Gate: gates.E2E, Reference: w.staging.At(dg), Result: []byte("hello"), Suite: "smoke"}, fault.Usage},
		"no scan":       {release.AttestRequest{Gate: gates.Scan, Reference: w.staging.At(dg), Result: junit}, fault.Usage},
		"another gate":  {release.AttestRequest{Gate: gates.SignOff, Reference: w.staging.At(dg), Result: junit}, fault.Usage},
		"no repository": {release.AttestRequest{Gate: gates.E2E, Reference: "chat@" + dg.String(), Result: junit, Suite: "smoke"}, fault.Usage},
	} {
		if _, err := w.desk.Attest(t.Context(), c.request); fault.CodeOf(err) != c.code {
			t.Errorf("%s: code %d: %v", name, fault.CodeOf(err), err)
		}
	}
}

func TestAProjectWithoutAKeySaysHowToNameOne(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.desk.Signer = nil
	_, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: dg})
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "personal.yaml") {
		t.Errorf("%v", err)
	}
}

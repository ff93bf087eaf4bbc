package release_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// referrersOf makes staging answer a list of referrers of its own.
func (w *world) referrersOf(about digest.Digest, list []ocispec.Descriptor) {
	raw, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: list})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/referrers/"+about.String()) {
			return false
		}
		rw.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		_, _ = rw.Write(raw)
		return true
	}
}

func TestMoreReferrersThanAreReadBlock(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	var many []ocispec.Descriptor
	for i := range registry.MaxPerDigest + 1 {
		many = append(many, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(fmt.Sprint(i)), Size: 10})
	}
	w.referrersOf(dg, many)
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "1000") {
		t.Errorf("%+v", c)
	}
}

func TestEvidenceThatIsListedButNotThereBlocks(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.referrersOf(dg, []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("gone"), Size: 10}})
	if v := w.gates(dg); v.Verdict != gates.Blocked || check(t, v.Checks, gates.E2E).Status != gates.Error {
		t.Errorf("%+v", v.Checks)
	}
}

func TestEvidenceOfAnotherImageProvesNothingHere(t *testing.T) {
	w := newWorld(t)
	good := w.push(w.staging, "v1", image("app", w.now))
	bad := w.push(w.staging, "v2", image("app 2", w.now))
	tested := w.tested(w.ci, good, "PASSED")
	desc, err := w.writer.Head(t.Context(), w.staging, tested.String())
	if err != nil {
		t.Fatal(err)
	}
	w.referrersOf(bad, []ocispec.Descriptor{desc})
	if c := check(t, w.gates(bad).Checks, gates.E2E); c.Status != gates.Missing {
		t.Errorf("%+v", c)
	}
}

func TestAStatementCopiedToAnotherImageProvesNothingThere(t *testing.T) {
	w := newWorld(t)
	good := w.push(w.staging, "v1", image("app", w.now))
	bad := w.push(w.staging, "v2", image("app 2", w.now))
	statement, err := evidence.NewStatement(evidence.TestResult, w.staging.String(), good, map[string]any{
		"result": "PASSED", "configuration": []map[string]any{{"name": "smoke"}}, "passedTests": []string{"a"}, evidence.FinishedOn: w.now.Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Sign(t.Context(), w.ci.signer, statement)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := w.writer.Head(t.Context(), w.staging, bad.String())
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := evidence.Manifest(bundle, evidence.TestResult, &desc, w.now)
	w.attach(raw, evidence.EmptyConfig(), bundle)
	c := check(t, w.gates(bad).Checks, gates.E2E)
	if c.Status != gates.Missing || !strings.Contains(strings.Join(c.Reasons, " "), "subject") {
		t.Errorf("%+v", c)
	}
}

func TestAManifestOfManyMegabytesOfEvidenceIsRefusedByName(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	desc, err := w.writer.Head(t.Context(), w.staging, dg.String())
	if err != nil {
		t.Fatal(err)
	}
	var list []ocispec.Descriptor
	for i := range 7 { // of bundles that say that they have 10 MB each
		empty := ocispec.DescriptorEmptyJSON
		m := ocispec.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: evidence.BundleMediaType,
			Config: empty, Subject: &desc, Layers: []ocispec.Descriptor{{MediaType: evidence.BundleMediaType, Digest: digest.FromString(fmt.Sprint(i)), Size: registry.MaxBundle}},
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		w.manifests(raw)
		list = append(list, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))})
	}
	serve := w.stagingFaults
	w.referrersOf(dg, list)
	referrers := w.stagingFaults
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool { return referrers(rw, r) || serve(rw, r) }
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "64 MiB") && !strings.Contains(strings.Join(c.Reasons, " "), "more than 64") {
		t.Errorf("%+v", c)
	}
}

// manifests makes staging serve one more manifest, whose blobs it does not have.
func (w *world) manifests(raw []byte) {
	before := w.stagingFaults
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/manifests/"+digest.FromBytes(raw).String()) {
			return before != nil && before(rw, r)
		}
		rw.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		rw.Header().Set("Docker-Content-Digest", digest.FromBytes(raw).String())
		_, _ = rw.Write(raw)
		return true
	}
}

func TestALedgerThatCannotBeReadBlocksAndIsSaid(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.approve(dg, evidence.Approved)
	w.prodFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "chat-ledger") {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	v := w.list()
	if c := candidate(t, v, dg); c.Verdict != gates.Blocked {
		t.Errorf("%+v", c)
	}
	if !slices.ContainsFunc(v.Warnings, func(s string) bool { return strings.Contains(s, "ledger") }) {
		t.Errorf("%q", v.Warnings)
	}
}

func TestATagThatNoRegistryMayHaveIsNoName(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/tags/list") {
			return false
		}
		_, _ = rw.Write([]byte(`{"name":"team/chat","tags":["v1","v2\u001b[2J","v3/../../other","v4?x=1"]}`))
		return true
	}
	v := w.list()
	if len(v.Candidates) != 1 || v.Candidates[0].Digest != dg || strings.Join(v.Candidates[0].Tags, " ") != "v1" {
		t.Errorf("%+v", v.Candidates)
	}
}

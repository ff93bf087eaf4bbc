//go:build interop

package cli_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
)

// crane is the pinned crane, which others use to look at registries.
const cranePackage = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"

// TestWhatWeSignCosignVerifies follows a candidate that only plimsoll signed, from CI to prod.
func TestWhatWeSignCosignVerifies(t *testing.T) {
	for kind, start := range registriesOfInterop {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newInterop(t, start)
			dg := w.candidate("v1", small("v1"))
			staged := w.staging().At(dg)
			w.attestWith("bundle", "ci", evidence.SLSA1, buildProvenance(true), dg) // plimsoll attest has no provenance
			for _, name := range []string{"ann", "bob"} {
				w.mustAs(name, "approve", "chat", string(dg), "--yes")
			}
			w.must("promote", "chat", string(dg), "--yes", "--expect", "none")
			released := w.prod().At(dg)

			// Evidence in staging, and its copies in prod.
			for _, reference := range []string{staged, released} {
				w.verifies("ci", evidence.TestResult, reference, dg, 1)
				w.verifies("scanner", evidence.Vuln, reference, dg, 1)
				w.verifies("ann", evidence.SignOff, reference, dg, 1)
				w.verifies("bob", evidence.SignOff, reference, dg, 1)
				w.refuses("mallory", evidence.TestResult, reference)
				w.refuses("ci", evidence.SignOff, reference)
			}
			w.verifies("you", evidence.VSA, released, dg, 1)
			w.refuses("you", evidence.VSA, staged)
			w.recordVerifies(dg)
			w.othersRead(dg)
		})
	}
}

// verifies checks that cosign finds that many statements about the digest.
func (w *interop) verifies(who, predicateType, reference string, dg digest.Digest, n int) {
	w.t.Helper()
	statements := w.verified(who, predicateType, reference)
	if len(statements) != n {
		w.t.Errorf("cosign verifies %d of %s by %s, not %d", len(statements), predicateType, who, n)
	}
	for _, s := range statements {
		if s.PredicateType != predicateType || s.Subject[0].Digest["sha256"] != dg.Encoded() {
			w.t.Errorf("cosign verified %+v", s)
		}
	}
}

// refuses checks that cosign does not accept what somebody else signed.
func (w *interop) refuses(who, predicateType, reference string) {
	w.t.Helper()
	if out, _, err := w.verify(who, predicateType, reference); err == nil {
		w.t.Errorf("cosign accepts %s of %s by %s:\n%s", predicateType, reference, who, out)
	}
}

// recordVerifies checks the entries of the ledger: they have no subject in the
// registry, so cosign verifies their bundles as files.
func (w *interop) recordVerifies(dg digest.Digest) {
	w.t.Helper()
	ctx, there := w.t.Context(), registrytest.Client(w.t)
	ledger := registry.Repository{Host: w.Prod, Path: w.Repository + "-ledger"}
	tags, err := there.Tags(ctx, ledger)
	if err != nil {
		w.t.Fatal(err)
	}
	seen := map[string]int{}
	for _, tag := range tags {
		m, err := there.Manifest(ctx, ledger, tag)
		if err != nil {
			w.t.Fatal(err)
		}
		var manifest struct {
			Layers []struct{ Digest digest.Digest }
		}
		if err := json.Unmarshal(m.Raw, &manifest); err != nil {
			w.t.Fatal(err)
		}
		entry := w.entryVerifies([]byte(w.crane("blob", ledger.At(manifest.Layers[0].Digest))))
		seen[entry.PredicateType]++
		if entry.PredicateType == evidence.Promotion && entry.Subject[0].Digest["sha256"] != dg.Encoded() {
			w.t.Errorf("the record is about %v", entry.Subject)
		}
	}
	for _, predicateType := range []string{evidence.Promotion, evidence.Completion, evidence.Policy} {
		if seen[predicateType] != 1 {
			w.t.Errorf("the ledger has %d of %s: %q", seen[predicateType], predicateType, tags)
		}
	}
}

// entryVerifies lets cosign verify the bundle of an entry, for what the entry says that it is about.
func (w *interop) entryVerifies(bundle []byte) evidence.Statement {
	w.t.Helper()
	var entry struct {
		DSSEEnvelope struct{ Payload []byte }
	}
	var s evidence.Statement
	if err := errors.Join(json.Unmarshal(bundle, &entry), json.Unmarshal(entry.DSSEEnvelope.Payload, &s)); err != nil {
		w.t.Fatal(err)
	}
	args := []string{
		"verify-blob-attestation", "--bundle", w.write("entry.json", bundle), "--insecure-ignore-tlog=true", "--type", s.PredicateType,
		"--digestAlg", "sha256", "--digest", s.Subject[0].Digest["sha256"], "--key",
	}
	w.with(append(args, filepath.Join(w.dir, "you.pub"))...)
	if out, _, err := w.cosigns(append(args, filepath.Join(w.dir, "mallory.pub"))...); err == nil {
		w.t.Errorf("cosign accepts %s by somebody else:\n%s", s.PredicateType, out)
	}
	return s
}

// othersRead checks that the tools around find what lies in prod.
func (w *interop) othersRead(dg digest.Digest) {
	w.t.Helper()
	released := w.prod().At(dg)
	tree := w.with("tree", released)
	for _, predicateType := range []string{evidence.TestResult, evidence.Vuln, evidence.SignOff, evidence.VSA} {
		if !strings.Contains(tree, predicateType) {
			w.t.Errorf("cosign tree does not show %s:\n%s", predicateType, tree)
		}
	}
	if got := w.with("download", "attestation", "--predicate-type", evidence.SignOff, released); strings.Count(got, "dsseEnvelope") != 2 {
		w.t.Errorf("cosign download attestation gives %s", got)
	}
	if got := strings.TrimSpace(w.crane("digest", w.prod().String()+":live")); got != string(dg) {
		w.t.Errorf("crane sees %s in prod", got)
	}
	w.crane("validate", "--remote", released)
}

// crane runs crane, which has to succeed.
func (w *interop) crane(args ...string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), registrytest.Tool(w.t, cranePackage), append(args, "--insecure")...).Output()
	if err != nil {
		w.t.Fatalf("crane %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

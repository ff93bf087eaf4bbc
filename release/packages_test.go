package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/registry/embedded"
)

// billOf is a CycloneDX bill of materials.
func billOf(purls ...string) any {
	var components []any
	for _, p := range purls {
		components = append(components, map[string]any{"type": "library", "purl": p})
	}
	return map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}
}

const billType = "https://cyclonedx.org/bom"

func TestAnEcosystemThatComesInAsksForASignOff(t *testing.T) {
	w := newWorld(t)
	first := w.push(w.staging, "v1.0", image("one", w.now.Add(-time.Hour)))
	w.sign(w.ci, first, billType, billOf("pkg:deb/debian/zlib1g@1.3"))
	w.promote(first)

	next := w.push(w.staging, "v1.1", image("two", w.now))
	w.sign(w.ci, next, billType, billOf("pkg:deb/debian/zlib1g@1.4", "pkg:npm/left-pad@1.3.0"))
	w.good(next)
	d, err := w.desk.Diff(t.Context(), "chat", nil, next)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"pkg:npm/left-pad@1.3.0"}, d.Packages.Added) + cmp.Diff([]string{"pkg:deb/debian/zlib1g 1.3 → 1.4"}, d.Packages.Changed); d != "" {
		t.Error(d)
	}
	c := candidate(t, w.list(), next)
	if check(t, c.Checks, gates.SignOff).Status != gates.Needed || !slices.Contains(c.Bigger, "packages: new ecosystem npm") {
		t.Errorf("%v %+v", c.Bigger, check(t, c.Checks, gates.SignOff))
	}

	silent := w.push(w.staging, "v1.2", image("three", w.now.Add(time.Minute)))
	w.good(silent)
	if c := candidate(t, w.list(), silent); !slices.ContainsFunc(c.Bigger, func(s string) bool { return strings.Contains(s, "no verified bill of materials") }) {
		t.Errorf("leaving it out is a way past: %v", c.Bigger)
	}
}

// BuildKit writes its bill of materials into the index (buildx build --sbom=true).
func TestBuildKitsBillOfMaterialsSaysWhatComesIn(t *testing.T) {
	w := newWorld(t)
	with := func(purls ...string) func(*embedded.Image) {
		var packages []any
		for _, p := range purls {
			packages = append(packages, map[string]any{"externalRefs": []any{map[string]any{"referenceType": "purl", "referenceLocator": p}}})
		}
		return func(img *embedded.Image) {
			img.Attestations = []embedded.Attestation{{PredicateType: "https://spdx.dev/Document", Predicate: map[string]any{"spdxVersion": "SPDX-2.3", "packages": packages}}}
		}
	}
	first := w.push(w.staging, "v1.0", image("one", w.now.Add(-time.Hour), with("pkg:deb/debian/zlib1g@1.3")))
	w.promote(first)
	next := w.push(w.staging, "v1.1", image("two", w.now, with("pkg:deb/debian/zlib1g@1.4", "pkg:npm/left-pad@1.3.0")))
	w.good(next)
	d, err := w.desk.Diff(t.Context(), "chat", nil, next)
	if err != nil || !slices.Equal(d.Packages.Added, []string{"pkg:npm/left-pad@1.3.0"}) {
		t.Errorf("%+v, %v", d.Packages, err)
	}
	if c := candidate(t, w.list(), next); !slices.Contains(c.Bigger, "packages: new ecosystem npm") {
		t.Errorf("%q", c.Bigger)
	}
	w.config.Services[0].Gates.SignOff.Bigger = config.Bigger{Rules: []config.BiggerRule{config.BiggerUser}}
	w.laptop()
	w.requests()
	if c := candidate(t, w.list(), next); len(c.Bigger) != 0 || check(t, c.Checks, gates.SignOff).Status != gates.NotRequired {
		t.Errorf("%+v", c)
	}
	lean := count(w.requests(), "GET", "/blobs/")
	w.config.Services[0].Gates.SignOff.Bigger = config.DefaultBigger()
	w.laptop()
	if w.list(); count(w.requests(), "GET", "/blobs/") != lean+2 {
		t.Error("a list whose rules look at no packages reads bills of materials")
	}
}

func TestACustomGateWaitsForSignedEvidence(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Gates.Custom = []config.CustomGate{{
		Name: "bill", Expr: `evidence.exists(e, e.group == "ci" && e.predicateType == "` + billType + `" && size(e.predicate.components) > 0)`,
	}}
	w.desk = w.newDesk(w.store)
	dg := w.push(w.staging, "v1", image("one", w.now))
	if c := check(t, w.gates(dg).Checks, "bill"); c.Status != gates.Fail {
		t.Errorf("%+v", c)
	}
	signed := w.sign(w.ci, dg, billType, billOf("pkg:deb/debian/zlib1g@1.4"))
	if c := check(t, w.gates(dg).Checks, "bill"); c.Status != gates.Pass || !slices.Contains(c.Evidence, signed) {
		t.Errorf("%+v", c)
	}
}

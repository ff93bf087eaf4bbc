package gates_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

const (
	cycloneDX = "https://cyclonedx.org/bom"
	spdx      = "https://spdx.dev/Document"
)

func cyclone(purls ...string) any {
	var list []any
	for _, p := range purls {
		list = append(list, map[string]any{"type": "library", "purl": p})
	}
	return map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []any{
		map[string]any{"type": "application", "components": list}, map[string]any{"purl": "pkg:oci/chat@sha256:1"}, map[string]any{"purl": "no package URL"},
	}}
}

func spdxOf(purls ...string) any {
	var list []any
	for _, p := range purls {
		list = append(list, map[string]any{"name": "x", "externalRefs": []any{
			map[string]any{"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x"}, map[string]any{"referenceType": "purl", "referenceLocator": p},
		}})
	}
	return map[string]any{"spdxVersion": "SPDX-2.3", "packages": list}
}

// packages is what the world's bills of materials say.
func packages(w *world) string {
	known := gates.PackagesOf(w.policy, w.in)
	var lines []string
	for _, p := range known.List {
		lines = append(lines, p.String())
	}
	for _, m := range known.Missing {
		lines = append(lines, "missing "+m)
	}
	if known.Problem != "" {
		lines = append(lines, "problem "+known.Problem)
	}
	return strings.Join(lines, "\n")
}

func TestPackagesComeFromVerifiedBillsOfMaterialsOfEveryPlatform(t *testing.T) {
	w := newWorld(t)
	same := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(strings.Join(want, "\n"), packages(w)); d != "" {
			t.Error(d)
		}
	}
	w.add(w.sign(mallory, cycloneDX, cyclone("pkg:npm/evil@1"), amd64), w.sign(ci, cycloneDX, cyclone("pkg:npm/evil@1"), elsewhere))
	same("missing linux/amd64", "missing linux/arm64/v8", "problem there is no verified bill of materials of it")
	w.add(w.sign(ci, cycloneDX, cyclone("pkg:deb/debian/zlib1g@1.3?arch=amd64", "pkg:npm/%40acme/chat@3.0.0"), amd64))
	same("pkg:deb/debian/zlib1g@1.3", "pkg:npm/@acme/chat@3.0.0", "missing linux/arm64/v8")
	w.add(w.sign(scanner, spdx+"/v2.3", spdxOf("pkg:deb/debian/zlib1g@1.3?arch=arm64", "pkg:golang/golang.org/x/mod@v0.29.0"), arm64))
	same("pkg:deb/debian/zlib1g@1.3", "pkg:golang/golang.org/x/mod@v0.29.0", "pkg:npm/@acme/chat@3.0.0")
}

func TestBuildKitsBillOfMaterialsCountsInsideAnIndexThatIsVouchedFor(t *testing.T) {
	w := newWorld(t)
	for _, platform := range []digest.Digest{amd64, arm64} {
		item := w.buildKit(spdxOf("pkg:deb/debian/bash@5.2"), platform)
		raw, err := evidence.NewStatement(spdx, "chat-api", platform, spdxOf("pkg:deb/debian/bash@5.2"))
		if err != nil {
			t.Fatal(err)
		}
		item.Raw, item.PredicateType = raw, spdx
		item.Manifest = digest.FromBytes(raw)
		w.add(item)
	}
	if got := packages(w); !strings.Contains(got, "problem") {
		t.Errorf("nobody signed anything, and there are packages: %s", got)
	}
	w.add(w.sign(ci, evidence.TestResult, map[string]any{"result": "PASSED", "configuration": []any{}}, candidate))
	if got := packages(w); got != "pkg:deb/debian/bash@5.2" {
		t.Errorf("got %s", got)
	}
}

func TestABillOfMaterialsThatCannotBeReadIsAProblem(t *testing.T) {
	for _, predicate := range []any{
		map[string]any{"spdxVersion": "SPDX-3.0"}, map[string]any{"Data": "SPDXVersion: SPDX-2.2"}, map[string]any{"spdxVersion": 2, "packages": "many"},
	} {
		w := newWorld(t)
		w.add(w.sign(ci, spdx, predicate, amd64), w.sign(ci, spdx, spdxOf(), arm64))
		if got := packages(w); !strings.Contains(got, "problem") || !strings.Contains(got, "linux/amd64") {
			t.Errorf("%v: %s", predicate, got)
		}
	}
}

func FuzzBillOfMaterials(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []any{cyclone("pkg:npm/a@1"), spdxOf("pkg:deb/debian/b@2"), map[string]any{}} {
		raw, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true)
		f.Add(raw, false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, isSPDX bool) {
		if evidence.Strict(raw) != nil || raw[0] != '{' {
			return
		}
		kind := cycloneDX
		if isSPDX {
			kind = spdx
		}
		w := *w
		w.t = t
		w.in.Evidence = []evidence.Item{w.sign(ci, kind, json.RawMessage(raw), amd64, arm64)}
		known := gates.PackagesOf(w.policy, w.in)
		if known.Problem != "" && len(known.List) > 0 {
			t.Fatalf("a problem, and packages: %+v", known)
		}
	})
}

package release_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry/embedded"
	"plimsoll/release/diff"
)

func decode(t testing.TB, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func (w *world) diff(from *digest.Digest, to digest.Digest) diff.Diff {
	w.t.Helper()
	d, err := w.desk.Diff(w.t.Context(), "chat", from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func TestTheDifferenceToProdColdAndWarmIsTheSame(t *testing.T) {
	w := newWorld(t)
	w.push(w.prod, "live", image("hunter2", w.now.Add(-time.Hour)))
	to := w.push(w.staging, "v2", image("hunter3", w.now, func(img *embedded.Image) {
		img.Config.Config.Env = append(img.Config.Config.Env, "REGION=eu")
		img.Config.Config.Cmd = []string{"serve", "--password=hunter3"}
	}))
	cold := w.diff(nil, to)
	if cold.FetchedBytes == 0 || cold.From == nil || len(cold.Layers.Added) != 1 || cold.Layers.Shared != 1 {
		t.Errorf("%+v", cold)
	}
	warm := w.diff(nil, to)
	if warm.FetchedBytes != 0 {
		t.Errorf("%d bytes were read again", warm.FetchedBytes)
	}
	cold.FetchedBytes = 0
	if a, b := asJSON(t, cold), asJSON(t, warm); a != b {
		t.Errorf("what is kept is not what was read:\n%s\n%s", a, b)
	}
	raw := asJSON(t, cold)
	if strings.Contains(raw, "hunter") {
		t.Errorf("a secret is shown: %s", raw)
	}
	for _, want := range []string{`"name":"API_KEY"`, `"name":"REGION"`, `"field":"cmd"`, "https://github.com/acme/chat/compare/", `"files":{"added":[],`} {
		if !strings.Contains(raw, want) {
			t.Errorf("%s is not in %s", want, raw)
		}
	}
}

func TestTheDifferenceWithoutProdAddsEverything(t *testing.T) {
	w := newWorld(t)
	to := w.push(w.staging, "v1", image("app", w.now))
	if d := w.diff(nil, to); d.From != nil || d.Layers.Shared != 0 || len(d.Layers.Added) != 2 {
		t.Errorf("%+v", d)
	}
}

func TestTheDifferenceFromAnotherDigest(t *testing.T) {
	w := newWorld(t)
	from := w.push(w.staging, "v1", image("app", w.now))
	to := w.push(w.staging, "v2", image("app 2", w.now))
	if d := w.diff(&from, to); d.From == nil || *d.From != from || d.Layers.Shared != 1 {
		t.Errorf("%+v", d)
	}
	gone := digest.FromString("gone")
	if _, err := w.desk.Diff(t.Context(), "chat", &gone, to); fault.CodeOf(err) != fault.Failed {
		t.Error(err)
	}
	if _, err := w.desk.Diff(t.Context(), "chat", nil, gone); fault.CodeOf(err) != fault.Failed {
		t.Error(err)
	}
}

func TestTheDifferenceNamesVulnerabilitiesFromSignedScansOnly(t *testing.T) {
	w := newWorld(t)
	from := w.push(w.staging, "v1", image("app", w.now))
	to := w.push(w.staging, "v2", image("app 2", w.now))
	w.scanned(w.scanner, from, "CVE-2026-1 HIGH")
	w.scanned(w.stranger, to, "CVE-2026-9 LOW")
	if v := w.diff(&from, to).Vulnerabilities; v.Problem == "" {
		t.Errorf("a stranger's scan was believed: %+v", v)
	}
	w.scanned(w.scanner, to, "CVE-2026-2 CRITICAL")
	v := w.diff(&from, to).Vulnerabilities
	if len(v.Introduced) != 1 || v.Introduced[0].ID != "CVE-2026-2" || v.Introduced[0].Severity != "critical" || len(v.Fixed) != 1 || v.Fixed[0].ID != "CVE-2026-1" {
		t.Errorf("%+v", v)
	}
}

// TestTheDifferenceSaysPinnedAsTheBaseImageGateDoes reads BuildKit's provenance
// inside the index, which counts once the gate's signers vouched for the index.
func TestTheDifferenceSaysPinnedAsTheBaseImageGateDoes(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Gates.BaseImage = &config.BaseImageGate{Signers: []string{"ci"}, Pinned: true}
	w.desk = w.newDesk(w.store)
	built := func(pinned bool) func(*embedded.Image) {
		return func(img *embedded.Image) {
			img.Attestations = []embedded.Attestation{embedded.Provenance{
				Repository: "https://github.com/acme/chat.git", Revision: "abc", Started: w.now, Finished: w.now,
				Bases: []embedded.Base{{Name: "debian", Tag: "13", Digest: digest.FromString("debian"), Pinned: pinned, Platform: "linux/amd64"}},
			}.Attestation()}
		}
	}
	for tag, pinned := range map[string]bool{"v1": true, "v2": false} {
		to := w.push(w.staging, tag, image("app "+tag, w.now, built(pinned)))
		w.tested(w.stranger, to, "PASSED")
		if b := w.diff(nil, to).BaseImage; b.Pinned != nil || b.To != "" {
			t.Errorf("%s: nobody vouched for %+v", tag, b)
		}
		w.tested(w.ci, to, "PASSED")
		if b := w.diff(nil, to).BaseImage; b.Pinned == nil || *b.Pinned != pinned || b.To != "debian:13@"+digest.FromString("debian").String() {
			t.Errorf("%s: %+v", tag, b)
		}
	}
}

package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

// runs lets the probe print digests.
func (h *hospital) runs(digests ...digest.Digest) {
	h.t.Helper()
	script := filepath.Join(h.t.TempDir(), "probe")
	text := "#!/bin/sh\n"
	for _, d := range digests {
		text += "echo pod prod/chat@" + d.String() + "\n"
	}
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil { //nolint:gosec // a program
		h.t.Fatal(err)
	}
	h.config.Services[0].Running = &config.Running{Command: []string{script}}
}

// next puts an index of two platforms into prod and adopts it.
func (h *hospital) next() (index digest.Digest, platforms []digest.Digest) {
	h.t.Helper()
	image := func(arch string) embedded.Image {
		i := embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app", Content: []byte("two " + arch)}}}}}
		i.Config.OS, i.Config.Architecture = "linux", arch
		return i
	}
	robot := h.as("robot")
	index, err := embedded.Push(h.t.Context(), robot, h.prod(), []string{"live"}, image("amd64"), image("arm64"))
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.desk().Adopt(h.t.Context(), release.AdoptRequest{Service: "chat", Reason: "story"}, nil); err != nil {
		h.t.Fatal(err)
	}
	m, err := robot.Manifest(h.t.Context(), h.prod(), "live")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, part := range strings.Split(string(m.Raw), `"digest":"`)[1:] {
		platforms = append(platforms, digest.Digest(part[:71]))
	}
	return index, platforms
}

func TestWhatRunsIsComparedWithTheChannel(t *testing.T) {
	h := newHospital(t)
	for _, s := range h.examine(release.DoctorRequest{}).Services {
		for _, f := range s.Facts {
			if f.ID == "running" {
				t.Errorf("a fact without a probe: %+v", f)
			}
		}
	}
	old, err := h.as("robot").Head(t.Context(), h.prod(), "live")
	if err != nil {
		t.Fatal(err)
	}
	index, platforms := h.next()
	sidecar := digest.FromString("a sidecar")
	for _, story := range []struct {
		found []digest.Digest
		want  doctor.Status
		says  string
	}{
		{[]digest.Digest{index}, doctor.OK, "what the channel says"},
		{[]digest.Digest{platforms[1], sidecar}, doctor.OK, "1 digest of the answer"},
		{[]digest.Digest{platforms[0], old.Digest}, doctor.Warning, "and still " + old.Digest.Encoded()[:12]},
		{[]digest.Digest{old.Digest}, doctor.Broken, "prod runs " + old.Digest.Encoded()[:12]},
		{[]digest.Digest{sidecar}, doctor.Broken, "of no release"},
		{nil, doctor.Unknown, "named no digest"},
	} {
		h.runs(story.found...)
		is(t, fact(t, h.examine(release.DoctorRequest{}), "running", "chat"), story.want, story.says)
	}
	h.config.Found, h.config.Path = true, "/somewhere/plimsoll.yaml"
	is(t, fact(t, h.examine(release.DoctorRequest{}), "running", "chat"), doctor.Unknown, "plimsoll trust")
}

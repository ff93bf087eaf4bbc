package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// docker makes an image a Docker schema 2 one.
func docker(img embedded.Image) embedded.Image {
	img.DockerSchema2 = true
	return img
}

// buildkit puts BuildKit's attestation manifest beside an image; as an
// artifact it has the image as its subject.
func buildkit(img embedded.Image, artifact bool) embedded.Image {
	finished := time.Now().UTC().Truncate(time.Second)
	img.AttestationArtifact = artifact
	img.Attestations = []embedded.Attestation{embedded.Provenance{
		Repository: "https://github.com/acme/chat.git", Revision: strings.Repeat("ab", 20), Started: finished, Finished: finished,
		Bases: []embedded.Base{{Name: "debian", Tag: "13", Digest: digest.FromString("debian:13"), Pinned: true, Platform: "linux/" + img.Config.Architecture}},
	}.Attestation()}
	return img
}

// formats are what builders push, by name: two versions of each.
var formats = map[string]func(version string) []embedded.Image{
	"one OCI image, gzip": func(v string) []embedded.Image { return []embedded.Image{image(v, "amd64", embedded.Gzip)} },
	"one OCI image, zstd": func(v string) []embedded.Image { return []embedded.Image{image(v, "amd64", embedded.Zstd)} },
	"OCI index of two platforms": func(v string) []embedded.Image {
		return []embedded.Image{image(v, "amd64", embedded.Gzip), image(v, "arm64", embedded.Zstd)}
	},
	"one Docker schema 2 image": func(v string) []embedded.Image { return []embedded.Image{docker(image(v, "amd64", embedded.Gzip))} },
	"Docker manifest list": func(v string) []embedded.Image {
		return []embedded.Image{docker(image(v, "amd64", embedded.Gzip)), docker(image(v, "arm64", embedded.Gzip))}
	},
	"BuildKit index with attestations": func(v string) []embedded.Image {
		return []embedded.Image{buildkit(image(v, "amd64", embedded.Gzip), false), buildkit(image(v, "arm64", embedded.Gzip), false)}
	},
	"BuildKit index of one platform, attestation as artifact": func(v string) []embedded.Image {
		return []embedded.Image{buildkit(image(v, "amd64", embedded.Zstd), true)}
	},
}

// TestEveryFormatIsListedComparedAndPromoted brings each format from a list to
// prod, on a registry with the referrers API and on one without.
func TestEveryFormatIsListedComparedAndPromoted(t *testing.T) {
	for kind, start := range map[string]registries{"embedded": embeddedRegistries, "distribution": distributionRegistries} {
		shared := &world{}
		start(t, shared)
		for name, build := range formats {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel() // attaching under a fallback tag waits; let the waits overlap
				w := newWorld(t, func(t *testing.T, w *world) {
					w.Staging, w.Prod, w.Entry, w.push = shared.Staging, shared.Prod, shared.Entry, registrytest.Client(t)
					w.Repository = "acme/" + digest.FromString(name).Encoded()[:8]
				})
				releaseFormat(w, build)
			})
		}
	}
}

func releaseFormat(w *world, build func(version string) []embedded.Image) {
	w.t.Helper()
	first := w.candidate("v1", build("v1")...)
	w.must("promote", "chat", string(first), "--yes", "--expect", "none")
	images := build("v2")
	second := w.candidate("v2", images...)

	list := w.must("list", "chat", "-o", "json")
	if n := strings.Count(list, `"gate": "e2e"`); n != 2 {
		w.t.Errorf("%d candidates, expected a row for each of the two digests:\n%s", n, list)
	}
	if len(images) == 2 && !strings.Contains(list, "linux/arm64") {
		w.t.Errorf("no second platform:\n%s", list)
	}
	compared := w.must("diff", "chat", "v2")
	for _, expected := range []string{"v1 → v2", "COPY chat"} {
		if !strings.Contains(compared, expected) {
			w.t.Errorf("the difference lacks %q:\n%s", expected, compared)
		}
	}
	w.must("promote", "chat", string(second), "--yes", "--expect", string(first))
	if now := w.inProd(); now != second {
		w.t.Fatalf("prod has %s, promoted was %s", now, second)
	}
	w.whole(images)
	w.must("verify", w.prod().At(second))
	w.must("rollback", "chat", "--yes", "--expect", string(second))
	if now := w.inProd(); now != first {
		w.t.Fatalf("prod has %s after the rollback to %s", now, first)
	}
}

// whole compares what was pushed with what is in prod, byte by byte for manifests.
func (w *world) whole(images []embedded.Image) {
	w.t.Helper()
	built, err := embedded.Build(images...)
	if err != nil {
		w.t.Fatal(err)
	}
	there := registrytest.Client(w.t)
	for _, m := range append(built.Children, built.Root) {
		got, err := there.Manifest(w.t.Context(), w.prod(), m.Descriptor.Digest.String())
		if err != nil || !bytes.Equal(got.Raw, m.Raw) || got.Descriptor.MediaType != m.Descriptor.MediaType {
			w.t.Errorf("%s of type %s in prod: %s (%v)", m.Descriptor.Digest, m.Descriptor.MediaType, got.Descriptor.MediaType, err)
		}
	}
	for _, b := range built.Blobs {
		if ok, err := there.HasBlob(w.t.Context(), w.prod(), b.Descriptor.Digest); err != nil || !ok {
			w.t.Errorf("blob %s in prod: %t (%v)", b.Descriptor.Digest, ok, err)
		}
	}
}

package embedded_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a registry and a client for it; both end with the test.
func start(t *testing.T, o embedded.Options) (registry.Repository, *registry.Client) {
	t.Helper()
	r, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	c := registry.New(registry.Options{Registries: func(host string) config.Registry {
		return config.Registry{Host: host, PlainHTTP: true, Listed: true}
	}})
	t.Cleanup(func() {
		c.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return registry.Repository{Host: r.Host(), Path: "team/app"}, c
}

func layers() []embedded.Layer {
	files := []embedded.File{{Path: "app/"}, {Path: "app/run", Mode: 0o755, Content: []byte("#!/bin/sh\n")}, {Path: "run", Link: "app/run"}}
	return []embedded.Layer{
		{Files: files, CreatedBy: "COPY app /app"},
		{Files: []embedded.File{{Path: "data.bin", Random: 100_000, Seed: 7}}, Compression: embedded.Zstd, CreatedBy: "RUN fetch"},
		{Files: []embedded.File{{Path: "weights.bin", Random: 3 << 20, Seed: 8}}, Compression: embedded.Plain, CreatedBy: "COPY weights /"},
	}
}

func TestAPushedImageCanBeReadAsAnyToolReadsIt(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "directory": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			repo, c := start(t, embedded.Options{Dir: dir})
			img := embedded.Image{Layers: layers(), Config: ocispec.Image{Config: ocispec.ImageConfig{User: "1000", Env: []string{"A=1"}}}}
			dg, err := embedded.Push(t.Context(), c, repo, []string{"v1", "main"}, img)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range []string{"v1", "main"} {
				if m := read(t, c, repo, tag, nil); m.Descriptor.Digest != dg {
					t.Errorf("%s is %s, not %s", tag, m.Descriptor.Digest, dg)
				}
			}
			var m ocispec.Manifest
			read(t, c, repo, "v1", &m)
			var config ocispec.Image
			unmarshal(t, blob(t, c, repo, m.Config), &config)
			if config.Architecture != "amd64" || config.Config.User != "1000" || len(config.History) != len(m.Layers) {
				t.Errorf("the configuration is %+v", config)
			}
			for i, l := range m.Layers {
				plain := unpack(t, l.MediaType, string(blob(t, c, repo, l)))
				if got := digest.FromString(plain); got != config.RootFS.DiffIDs[i] {
					t.Errorf("layer %d unpacks to %s, the configuration says %s", i, got, config.RootFS.DiffIDs[i])
				}
				if _, err := tar.NewReader(strings.NewReader(plain)).Next(); err != nil {
					t.Errorf("layer %d is no tar archive: %v", i, err)
				}
			}
		})
	}
}

func TestTheSameImageHasTheSameDigest(t *testing.T) {
	one, err := embedded.Build(embedded.Image{Layers: layers()})
	if err != nil {
		t.Fatal(err)
	}
	two, err := embedded.Build(embedded.Image{Layers: layers()})
	if err != nil || one.Root.Descriptor.Digest != two.Root.Descriptor.Digest {
		t.Errorf("%s and %s, %v", one.Root.Descriptor.Digest, two.Root.Descriptor.Digest, err)
	}
}

func TestSeveralPlatformsMakeAnIndex(t *testing.T) {
	for mediaType, docker := range map[string]bool{ocispec.MediaTypeImageIndex: false, registry.DockerList: true} {
		repo, c := start(t, embedded.Options{})
		arm := embedded.Image{Layers: layers(), Config: ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "arm64"}}, DockerSchema2: docker}
		if _, err := embedded.Push(t.Context(), c, repo, []string{"v1"}, embedded.Image{Layers: layers(), DockerSchema2: docker}, arm); err != nil {
			t.Fatal(err)
		}
		var index ocispec.Index
		m := read(t, c, repo, "v1", &index)
		if m.Descriptor.MediaType != mediaType || len(index.Manifests) != 2 || index.Manifests[1].Platform.Architecture != "arm64" {
			t.Errorf("the index is %s %s", m.Descriptor.MediaType, m.Raw)
		}
	}
}

func TestBuildKitLeavesItsProvenanceInTheIndex(t *testing.T) {
	base := digest.FromString("alpine")
	for version, predicateType := range map[string]string{"v1": "https://slsa.dev/provenance/v1", "v0.2": "https://slsa.dev/provenance/v0.2"} {
		p := embedded.Provenance{Version: version, Dockerfile: "FROM alpine", Bases: []embedded.Base{
			{Name: "alpine", Tag: "3.22", Digest: base, Pinned: true, Platform: "linux/amd64"},
			{Name: "gcr.io/distroless/static", Tag: "latest", Digest: base},
		}}
		repo, c := start(t, embedded.Options{})
		img := embedded.Image{Layers: layers(), Attestations: []embedded.Attestation{p.Attestation()}, AttestationArtifact: version == "v1", Name: "app:v1"}
		if _, err := embedded.Push(t.Context(), c, repo, []string{"v1"}, img); err != nil {
			t.Fatal(err)
		}
		var index ocispec.Index
		read(t, c, repo, "v1", &index)
		attestation := index.Manifests[1]
		if attestation.Annotations["vnd.docker.reference.digest"] != index.Manifests[0].Digest.String() {
			t.Errorf("the attestation is about %v", attestation.Annotations)
		}
		var m ocispec.Manifest
		read(t, c, repo, attestation.Digest.String(), &m)
		statement := string(blob(t, c, repo, m.Layers[0]))
		for _, want := range []string{
			predicateType, index.Manifests[0].Digest.Encoded(), "pkg:docker/app@v1?platform=linux%2Famd64",
			`pkg:docker/alpine@3.22?digest=` + base.String() + `\u0026platform=linux%2Famd64`,
			`pkg:docker/gcr.io/distroless/static@latest"`, `"filename":"Dockerfile"`,
		} {
			if !strings.Contains(statement, want) {
				t.Errorf("%s: no %s in %s", version, want, statement)
			}
		}
	}
}

func TestAnArtifactIsListedAsReferrer(t *testing.T) {
	repo, c := start(t, embedded.Options{})
	b, err := embedded.Build(embedded.Image{Layers: layers()})
	if err != nil {
		t.Fatal(err)
	}
	subject := b.Descriptor()
	a, err := embedded.Artifact("application/spdx+json", "application/spdx+json", []byte("{}"), &subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, built := range []embedded.Built{b, a} {
		if err := built.Push(t.Context(), c, repo); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.Referrers(t.Context(), repo, subject.Digest, nil)
	if err != nil || len(found.Descriptors) != 1 || found.Descriptors[0].Digest != a.Descriptor().Digest {
		t.Errorf("the referrers are %+v, %v", found, err)
	}
}

func TestWrapSeesEveryRequest(t *testing.T) {
	var n atomic.Int32
	repo, c := start(t, embedded.Options{Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); next.ServeHTTP(w, r) })
	}})
	if _, err := c.HasBlob(t.Context(), repo, digest.FromString("nothing")); err != nil || n.Load() != 1 {
		t.Errorf("%d requests, %v", n.Load(), err)
	}
}

func TestCloseCutsARequestThatHangs(t *testing.T) {
	reached := make(chan struct{})
	r, err := embedded.Start(embedded.Options{Wrap: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(reached); <-r.Context().Done() })
	}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+r.Host()+"/v2/", nil)
		if resp, err := (&http.Transport{}).RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-reached
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	<-ended
	if err := r.Close(); err != nil {
		t.Error("a second Close:", err)
	}
}

func read(t *testing.T, c *registry.Client, repo registry.Repository, reference string, into any) registry.Manifest {
	t.Helper()
	m, err := c.Manifest(t.Context(), repo, reference)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		unmarshal(t, m.Raw, into)
	}
	return m
}

func blob(t *testing.T, c *registry.Client, repo registry.Repository, d ocispec.Descriptor) []byte {
	t.Helper()
	raw, err := c.Blob(t.Context(), repo, d, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unmarshal(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, mediaType, packed string) string {
	t.Helper()
	r, err := io.Reader(strings.NewReader(packed)), error(nil)
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		r, err = gzip.NewReader(r)
	case strings.HasSuffix(mediaType, "zstd"):
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r); err == nil {
			defer z.Close()
			r = z
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// requests counts what a registry was asked.
type requests struct {
	mu   sync.Mutex
	list []string
}

// wrap is an embedded.Options.Wrap that counts.
func (q *requests) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.mu.Lock()
		q.list = append(q.list, r.Method+" "+r.URL.Path)
		q.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// count counts the requests with the method whose path contains the part, and forgets nothing.
func (q *requests) count(method, part string) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.list {
		if strings.HasPrefix(one, method+" ") && strings.Contains(one, part) {
			n++
		}
	}
	return n
}

func (q *requests) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(host, path string) registry.Repository { return registry.Repository{Host: host, Path: path} }

// file is a layer with so many random bytes.
func file(seed uint64, size int64, packed embedded.Compression) embedded.Layer {
	return embedded.Layer{Files: []embedded.File{{Path: "data", Random: size, Seed: seed}}, Compression: packed}
}

func platform(arch string, docker bool, layers ...embedded.Layer) embedded.Image {
	return embedded.Image{Layers: layers, Config: ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: arch}}, DockerSchema2: docker}
}

func build(t testing.TB, img ...embedded.Image) embedded.Built {
	t.Helper()
	b, err := embedded.Build(img...)
	must(t, err)
	return b
}

// formats are the kinds of images that are about.
func formats(t testing.TB) map[string]embedded.Built {
	t.Helper()
	gzip, zstd, plain := file(1, 200_000, embedded.Gzip), file(2, 300_000, embedded.Zstd), file(3, 20<<20, embedded.Plain)
	attested := platform("amd64", false, gzip)
	attested.Attestations = []embedded.Attestation{embedded.Provenance{}.Attestation()}
	artifact := attested
	artifact.AttestationArtifact = true
	subject := build(t, platform("amd64", false, gzip)).Descriptor()
	evidence, err := embedded.Artifact("application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle.v0.3+json", []byte(`{"b":1}`), &subject, nil)
	must(t, err)
	record, err := embedded.Artifact("application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle.v0.3+json", []byte(`{"b":2}`), nil, nil)
	must(t, err)
	return map[string]embedded.Built{
		"one platform, gzip, zstd and a large plain layer": build(t, platform("amd64", false, gzip, zstd, plain)),
		"an index that shares layers":                      build(t, platform("amd64", false, gzip, zstd), platform("arm64", false, gzip)),
		"docker schema 2":                                  build(t, platform("amd64", true, gzip)),
		"docker schema 2 list":                             build(t, platform("amd64", true, gzip), platform("arm64", true, file(4, 1000, embedded.Gzip))),
		"buildkit attestations":                            build(t, attested, platform("arm64", false, gzip)),
		"buildkit attestations as artifacts":               build(t, artifact),
		"evidence with a subject that is elsewhere":        evidence,
		"a record without a subject":                       record,
	}
}

func TestCopyBringsEveryFormatByteForByte(t *testing.T) {
	ca := registrytest.NewCA(t)
	secured := registrytest.Distribution(t, registrytest.WithTLS(ca), registrytest.WithLogin("owner", "s3cret-word"))
	t.Setenv("COPY_TEST_PASSWORD", "s3cret-word")
	owner := &config.Identity{Username: "owner", PasswordEnv: "COPY_TEST_PASSWORD"}
	c := registrytest.Client(t, config.Registry{Host: secured, CA: ca.PEM, Listed: true, Read: owner, Promote: owner})
	hosts := map[string]string{
		"olareg": registrytest.Embedded(t), "distribution": registrytest.Distribution(t), "distribution with a login and TLS": secured,
	}
	source := at(registrytest.Embedded(t), "staging/app")
	for name, b := range formats(t) {
		must(t, b.Push(t.Context(), c, source))
		for kind, host := range hosts {
			t.Run(name+" to "+kind, func(t *testing.T) {
				target := at(host, "prod/"+digest.FromString(name).Encoded()[:8])
				copied, err := registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: b.Descriptor().Digest})
				must(t, err)
				if copied.Blobs != len(b.Blobs) {
					t.Errorf("copied %+v of %d blobs", copied, len(b.Blobs))
				}
				for _, m := range append(b.Children, b.Root) {
					got, err := c.Manifest(t.Context(), target, m.Descriptor.Digest.String())
					if err != nil || !bytes.Equal(got.Raw, m.Raw) || got.Descriptor.MediaType != m.Descriptor.MediaType {
						t.Errorf("manifest %s: %v", m.Descriptor.Digest, err)
					}
				}
				must(t, registry.Complete(t.Context(), c, target, b.Descriptor().Digest))
			})
		}
	}
}

func TestCopyAgainSkipsWhatIsThere(t *testing.T) {
	c, source, target := registrytest.Client(t), at(registrytest.Embedded(t), "staging/app"), at(registrytest.Embedded(t), "prod/app")
	b := build(t, platform("amd64", false, file(1, 5000, embedded.Gzip), file(2, 5000, embedded.Gzip)))
	must(t, b.Push(t.Context(), c, source))
	r := registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: b.Descriptor().Digest}
	_, err := registry.Copy(t.Context(), r)
	must(t, err)
	copied, err := registry.Copy(t.Context(), r)
	must(t, err)
	if copied != (registry.Copied{Skipped: 3}) {
		t.Errorf("the second copy did %+v", copied)
	}
}

func TestCopyAsksNothingAboutBlobsOfWhatProdHas(t *testing.T) {
	for _, multi := range []bool{false, true} {
		t.Run(fmt.Sprint("index ", multi), func(t *testing.T) {
			var asked requests
			c, source := registrytest.Client(t), at(registrytest.Embedded(t), "staging/app")
			target := at(registrytest.Embedded(t, embedded.Options{Wrap: asked.wrap}), "prod/app")
			shared, old, fresh := file(1, 9000, embedded.Gzip), file(2, 9000, embedded.Gzip), file(3, 9000, embedded.Gzip)
			images := func(l embedded.Layer) []embedded.Image {
				if multi {
					return []embedded.Image{platform("amd64", false, shared, l), platform("arm64", false, shared, l)}
				}
				return []embedded.Image{platform("amd64", false, shared, l)}
			}
			prod, candidate := build(t, images(old)...), build(t, images(fresh)...)
			must(t, prod.Push(t.Context(), c, target, "live"))
			must(t, candidate.Push(t.Context(), c, source))
			asked.forget()
			r := registry.CopyRequest{
				From: c, Source: source, To: c, Target: target, Root: candidate.Descriptor().Digest,
				Have: []digest.Digest{prod.Descriptor().Digest, digest.FromString("long gone")},
			}
			copied, err := registry.Copy(t.Context(), r)
			must(t, err)
			if copied.Skipped != 1 || asked.count("HEAD", candidate.Blobs[0].Descriptor.Digest.String()) != 0 {
				t.Errorf("%+v; the shared layer was asked for %d times", copied, asked.count("HEAD", candidate.Blobs[0].Descriptor.Digest.String()))
			}
			must(t, registry.Complete(t.Context(), c, target, candidate.Descriptor().Digest))
			asked.forget()
			r.Have = []digest.Digest{r.Root}
			if _, err := registry.Copy(t.Context(), r); err != nil || len(asked.list) != 0 {
				t.Errorf("the root is there, yet %v was asked, %v", asked.list, err)
			}
		})
	}
}

func TestCopyMountsWithinOneRegistry(t *testing.T) {
	for name, host := range map[string]string{"olareg": registrytest.Embedded(t), "distribution": registrytest.Distribution(t)} {
		t.Run(name, func(t *testing.T) {
			c, source, target := registrytest.Client(t), at(host, "staging/app"), at(host, "prod/app")
			b := build(t, platform("amd64", false, file(1, 5000, embedded.Gzip)))
			must(t, b.Push(t.Context(), c, source))
			copied, err := registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: b.Descriptor().Digest})
			must(t, err)
			if copied != (registry.Copied{Mounted: 2}) {
				t.Errorf("it did %+v", copied)
			}
			must(t, registry.Complete(t.Context(), c, target, b.Descriptor().Digest))
		})
	}
}

func TestCopyGoesOnWhereAMountBecomesAnUpload(t *testing.T) {
	var asked requests
	unmountable := func(next http.Handler) http.Handler {
		return asked.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				r.URL.RawQuery = "" // as a registry that mounts nothing
			}
			next.ServeHTTP(w, r)
		}))
	}
	host := registrytest.Embedded(t, embedded.Options{Wrap: unmountable})
	c, source, target := registrytest.Client(t), at(host, "staging/app"), at(host, "prod/app")
	b := build(t, platform("amd64", false, file(1, 5000, embedded.Gzip)))
	must(t, b.Push(t.Context(), c, source))
	asked.forget()
	copied, err := registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: b.Descriptor().Digest})
	must(t, err)
	if copied.Blobs != 2 || asked.count("POST", "") != 2 {
		t.Errorf("it did %+v with %d POST", copied, asked.count("POST", ""))
	}
}

func TestCopyLeavesForeignLayersWhereTheyAre(t *testing.T) {
	for _, docker := range []bool{false, true} {
		c, source, target := registrytest.Client(t), at(registrytest.Distribution(t), "staging/app"), at(registrytest.Distribution(t), "prod/app")
		windows := file(1, 5000, embedded.Gzip)
		windows.URLs = []string{"https://mcr.example.com/windows/layer"}
		b := build(t, platform("amd64", docker, windows, file(2, 5000, embedded.Gzip)))
		must(t, b.Push(t.Context(), c, source))
		var last registry.Progress
		copied, err := registry.Copy(t.Context(), registry.CopyRequest{
			From: c, Source: source, To: c, Target: target, Root: b.Descriptor().Digest,
			Report: func(p registry.Progress) { last = p },
		})
		must(t, err)
		states := map[registry.BlobState]int{}
		for _, one := range last.Blobs {
			states[one.State]++
		}
		if copied.Blobs != 2 || states[registry.BlobExternal] != 1 || last.Blob != 3 || last.Bytes != last.Total {
			t.Errorf("it did %+v, %+v", copied, last)
		}
		must(t, registry.Complete(t.Context(), c, target, b.Descriptor().Digest))
	}
}

func TestCompleteNamesWhatIsMissing(t *testing.T) {
	c, repo := registrytest.Client(t), at(registrytest.Distribution(t), "prod/app")
	b := build(t, platform("amd64", false, file(1, 5000, embedded.Gzip)), platform("arm64", false, file(2, 5000, embedded.Gzip)))
	must(t, b.Push(t.Context(), c, repo))
	must(t, registry.Complete(t.Context(), c, repo, b.Descriptor().Digest))
	for _, path := range []string{"blobs/" + b.Blobs[0].Descriptor.Digest.String(), "manifests/" + b.Children[1].Descriptor.Digest.String()} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+repo.Host+"/v2/"+repo.Path+"/"+path, nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		http.DefaultClient.CloseIdleConnections()
		err = registry.Complete(t.Context(), c, repo, b.Descriptor().Digest)
		if !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), path[strings.Index(path, "sha256"):]) {
			t.Errorf("without %s: %v", path, err)
		}
		must(t, b.Push(t.Context(), c, repo))
	}
}

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// nested makes an index in an index in an index.
func nested(t *testing.T, c *registry.Client, repo registry.Repository, levels int) digest.Digest {
	t.Helper()
	b := build(t, platform("amd64", false, file(1, 100, embedded.Gzip)))
	must(t, b.Push(t.Context(), c, repo))
	d := b.Descriptor()
	for range levels {
		raw, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{d}})
		must(t, err)
		d = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		must(t, c.PutManifest(t.Context(), repo, d.Digest.String(), registry.Manifest{Descriptor: d, Raw: raw}))
	}
	return d.Digest
}

func TestCopyGoesTwentyLevelsDeepAndNoDeeper(t *testing.T) {
	c, source, target := registrytest.Client(t), at(registrytest.Embedded(t), "staging/app"), at(registrytest.Embedded(t), "prod/app")
	request := func(levels int) registry.CopyRequest {
		return registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: nested(t, c, source, levels)}
	}
	_, err := registry.Copy(t.Context(), request(registry.MaxDepth-1))
	must(t, err)
	if _, err := registry.Copy(t.Context(), request(registry.MaxDepth)); !errors.Is(err, registry.ErrLimit) || !strings.Contains(err.Error(), "20 levels") {
		t.Errorf("deeper: %v", err)
	}
}

func TestCopyRefusesAnIndexThatNamesTooMuch(t *testing.T) {
	many := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for i := range 2000 {
		many.Manifests = append(many.Manifests, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(fmt.Sprint(i)), Size: 500})
	}
	raw, err := json.Marshal(many)
	must(t, err)
	host := registrytest.Embedded(t, embedded.Options{Wrap: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			_, _ = w.Write(raw)
		})
	}})
	c := registrytest.Client(t)
	_, err = registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: at(host, "a"), To: c, Target: at(registrytest.Embedded(t), "b"), Root: digest.FromBytes(raw)})
	if !errors.Is(err, registry.ErrLimit) {
		t.Errorf("it says %v", err)
	}
}

func TestPutStreamRefusesOtherBytesThanAnnounced(t *testing.T) {
	c, repo := registry.Impatient(registrytest.Client(t)), at(registrytest.Embedded(t), "prod/app")
	for name, d := range map[string]ocispec.Descriptor{
		"wrong digest": {Digest: digest.FromString("other"), Size: 1000},
		"too short":    {Digest: digest.FromBytes(make([]byte, 1001)), Size: 1001},
		"too long":     {Digest: digest.FromBytes(make([]byte, 999)), Size: 999},
	} {
		err := c.PutStream(t.Context(), repo, d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 1000))), nil })
		there, asking := c.HasBlob(context.WithoutCancel(t.Context()), repo, d.Digest)
		if err == nil || there || asking != nil {
			t.Errorf("%s: %v, there %t %v", name, err, there, asking)
		}
	}
	empty := ocispec.Descriptor{Digest: digest.FromString("")}
	must(t, c.PutStream(t.Context(), repo, empty, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(nil)), nil }))
}

package registry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
)

// image is a manifest with the empty configuration and no layers; subject may be nil.
func image(t *testing.T, text string, subject *ocispec.Descriptor) registry.Manifest {
	t.Helper()
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.DescriptorEmptyJSON, Layers: []ocispec.Descriptor{}, Subject: subject,
		Annotations: map[string]string{"text": text},
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw)),
	}}
}

// TestDistributionWithLoginAndTLS goes through the whole client against the CNCF
// registry: it has no referrers API, and takes no blob in one POST.
func TestDistributionWithLoginAndTLS(t *testing.T) {
	ca := registrytest.NewCA(t)
	host := registrytest.Distribution(t, registrytest.WithLogin("robot", "a-long-password"), registrytest.WithTLS(ca))
	t.Setenv("PLIMSOLL_TEST_PASSWORD", "a-long-password")
	entry := config.Registry{Host: host, Listed: true, CA: ca.PEM, Read: &config.Identity{Username: "robot", PasswordEnv: "PLIMSOLL_TEST_PASSWORD"}}
	c := registry.New(registry.Options{
		Registries: func(string) config.Registry { return entry },
	})
	t.Cleanup(c.Close)
	ctx, repo := t.Context(), registry.Repository{Host: host, Path: "team/app"}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(c.CanPush(ctx, repo))
	ok(c.PutBlob(ctx, repo, ocispec.DescriptorEmptyJSON.Data))
	blob := []byte(strings.Repeat("evidence", 5000))
	ok(c.PutBlob(ctx, repo, blob))
	ok(c.PutBlob(ctx, repo, append(blob, "more"...)))
	read, err := c.Blob(ctx, repo, ocispec.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}, registry.MaxBundle)
	ok(err)
	if string(read) != string(blob) {
		t.Error("the blob came back different")
	}

	m := image(t, "candidate", nil)
	ok(c.PutManifest(ctx, repo, "v1", m))
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			if err := c.Attach(ctx, repo, image(t, fmt.Sprint(i), &m.Descriptor)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	d, err := c.Head(ctx, repo, "v1")
	ok(err)
	tags, err := c.Tags(ctx, repo)
	ok(err)
	r, err := c.Referrers(ctx, repo, d.Digest, tags)
	ok(err)
	if d.Digest != m.Descriptor.Digest || len(tags) != 2 || len(r.Descriptors) != 3 || r.API {
		t.Errorf("head %+v, tags %v, referrers %+v", d, tags, r)
	}
	if skew, known := c.Skew(host); !known || skew > time.Minute || skew < -time.Minute {
		t.Errorf("skew %v %v", skew, known)
	}
	t.Setenv("PLIMSOLL_TEST_PASSWORD", "another-password")
	c.Close()
	if _, err = c.Tags(ctx, repo); fault.CodeOf(err) != fault.Refused || strings.Contains(err.Error(), "another-password") {
		t.Errorf("wrong password: %v", err)
	}
}

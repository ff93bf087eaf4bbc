package diff_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/registry"
	"plimsoll/release/diff"
)

// shelf is a Reader over bytes in memory.
type shelf map[digest.Digest][]byte

func (s shelf) put(mediaType string, v any) ocispec.Descriptor {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	s[d.Digest] = raw
	return d
}

func (s shelf) Manifests(_ context.Context, want ...ocispec.Descriptor) ([]registry.Manifest, error) {
	var out []registry.Manifest
	for _, d := range want {
		raw, ok := s[d.Digest]
		if !ok {
			return nil, registry.ErrNotFound
		}
		out = append(out, registry.Manifest{Descriptor: d, Raw: raw})
	}
	return out, nil
}

func (s shelf) Configs(_ context.Context, want ...ocispec.Descriptor) ([]diff.Config, error) {
	var out []diff.Config
	for _, d := range want {
		c, err := diff.Reduce(s[d.Digest], func(v string) string { return "hash of " + v })
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (s shelf) image(arch string) ocispec.Descriptor {
	c := s.put(ocispec.MediaTypeImageConfig, map[string]any{
		"os": "linux", "architecture": arch, "created": "2026-11-01T10:00:00Z",
		"config":  map[string]any{"User": "1000", "Env": []string{"A=1", "DB_PASSWORD=hunter2"}, "Healthcheck": map[string]any{"Test": []string{"CMD", "true"}}},
		"history": []map[string]any{{"created_by": "COPY app /"}, {"created_by": "ENV DB_PASSWORD=hunter2", "empty_layer": true}},
	})
	layer := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: dg("layer " + arch), Size: 10}
	d := s.put(ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: c, Layers: []ocispec.Descriptor{layer}})
	d.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
	return d
}

func TestBuildKitsAttestationsAreNoPlatforms(t *testing.T) {
	s := shelf{}
	amd, arm := s.image("amd64"), s.image("arm64")
	attestation := ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: dg("attestation"), Size: 5,
		Platform:    &ocispec.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd.Digest.String()},
	}
	root := s.put(ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{amd, arm, attestation}})
	got, err := diff.Describe(t.Context(), s, root)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(got.Names(), " "); names != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %s", names)
	}
	if len(got.Attestations) != 1 || got.Attestations[0].About != amd.Digest {
		t.Errorf("attestations %+v", got.Attestations)
	}
	if step := got.Platforms[0].Layers[0].CreatedBy; step != "COPY app /" {
		t.Errorf("createdBy %q", step)
	}
	if got.Created() == nil || got.Platforms[0].Config.Healthcheck.Text == "" {
		t.Errorf("created or healthcheck is missing: %+v", got.Platforms[0].Config)
	}
}

func TestWhatIsNoImageSaysSo(t *testing.T) {
	s := shelf{}
	empty := s.put("application/vnd.oci.empty.v1+json", map[string]any{})
	signature := s.put(ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", Config: empty})
	chart := s.put(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: "application/vnd.cncf.helm.config.v1+json", Digest: dg("x"), Size: 1},
	})
	list := s.put(ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{signature}})
	for name, d := range map[string]ocispec.Descriptor{"signature": signature, "chart": chart, "list of referrers": list} {
		if _, err := diff.Describe(t.Context(), s, d); !errors.Is(err, diff.ErrNoImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnIndexThatNestsForEverIsRefused(t *testing.T) {
	s := shelf{}
	d := s.image("amd64")
	for range registry.MaxDepth + 1 {
		d = s.put(ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{d}})
	}
	if _, err := diff.Describe(t.Context(), s, d); !errors.Is(err, registry.ErrLimit) {
		t.Errorf("%v", err)
	}
}

func TestSecretsAreMaskedWhereverAConfigurationRepeatsThem(t *testing.T) {
	raw := `{"os":"linux","architecture":"amd64","config":{"Cmd":["run","--db.password=hunter2"],"Env":["DB_PASSWORD=hunter2","JAVA_OPTS=-Xmx1g -Dpassword=hunter2","PLAIN=\u001b[31mred"]},"history":[
		{"created_by":"ENV DB_PASSWORD=hunter2 A=1"},{"created_by":"ENV DB_PASSWORD hunter2 hunter2"},{"created_by":"|1 API_TOKEN=\"hunter2 x\" /bin/sh -c make"}]}`
	c, err := diff.Reduce([]byte(raw), keyed)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := json.Marshal(c)
	if strings.Contains(string(all), "hunter2") {
		t.Errorf("a secret is kept: %s", all)
	}
	if got := c.Env["PLAIN"]; got.Text != "[31mred" || got.Sum == "" {
		t.Errorf("an escape sequence is kept, or its loss forgotten: %+v", got)
	}
	if c.History[0] != "ENV DB_PASSWORD=••• A=1" {
		t.Errorf("%q", c.History[0])
	}
}

// keyed stands for the hash of the store: sixteen digits, and the same for a masked value as for the value.
func keyed(s string) string {
	if rest, ok := strings.CutPrefix(s, clean.Masked); ok && len(rest) == 16 {
		return rest
	}
	return digest.FromString("key" + s).Encoded()[:16]
}

func TestAMaskedConfigurationIsTheSameAsTheOneItCameFrom(t *testing.T) {
	config := func(secret string) diff.Config {
		c, err := diff.Reduce([]byte(`{"config":{"Cmd":["--password=`+secret+`"],"Env":["A_TOKEN=`+secret+`","OPTS=-x -Dkey=`+secret+`"]},"history":[{"created_by":"ENV A_TOKEN=`+secret+`"}]}`), keyed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain, other := config("hunter2"), config("hunter3")
	if d := cmp.Diff(plain, config(clean.Masked+keyed("hunter2"))); d != "" {
		t.Error(d)
	}
	if plain.Cmd == other.Cmd || plain.Env["A_TOKEN"] == other.Env["A_TOKEN"] || plain.Env["OPTS"] == other.Env["OPTS"] {
		t.Errorf("a changed secret looks unchanged: %+v", plain)
	}
}

func FuzzReduceNeverKeepsAControl(f *testing.F) {
	f.Add([]byte(`{"os":"linux","config":{"Env":["A=\u001b[2J"],"Labels":{"a\u202eb":"c"}},"history":[{"created_by":"x\u0007"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := diff.Reduce(raw, func(string) string { return "h" })
		if err != nil {
			return
		}
		all, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{`\u001b`, `\u0007`, "\u202e", "\u009b"} {
			if strings.Contains(string(all), bad) {
				t.Errorf("%q is kept: %s", bad, all)
			}
		}
	})
}

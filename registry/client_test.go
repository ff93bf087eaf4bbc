package registry

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAnImageIsWrittenAndReadBack(t *testing.T) {
	c, _ := anonymous(t)
	repo := Repository{Host: start(t), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")

	for _, reference := range []string{"v1", m.Descriptor.Digest.String()} {
		d, err := c.Head(t.Context(), repo, reference)
		must(t, err)
		got, err := c.Manifest(t.Context(), repo, reference)
		must(t, err)
		if d.Digest != m.Descriptor.Digest || d.Size != m.Descriptor.Size || d.MediaType != m.Descriptor.MediaType {
			t.Errorf("head %s: %+v, want %+v", reference, d, m.Descriptor)
		}
		if string(got.Raw) != string(m.Raw) {
			t.Errorf("manifest %s is not what was written", reference)
		}
	}
	_, blob := image(t, "a")
	d := ocispec.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}
	raw, err := c.Blob(t.Context(), repo, d, MaxConfig)
	must(t, err)
	if string(raw) != string(blob) {
		t.Errorf("blob: %s", raw)
	}
	there, err := c.HasBlob(t.Context(), repo, d.Digest)
	must(t, err)
	other, err := c.HasBlob(t.Context(), repo, digest.FromString("other"))
	must(t, err)
	if !there || other {
		t.Errorf("has blob: %v %v, want true false", there, other)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	c, _ := anonymous(t)
	repo := Repository{Host: start(t), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a")
	_, headErr := c.Head(t.Context(), repo, "v2")
	_, manifestErr := c.Manifest(t.Context(), repo, "v2")
	_, blobErr := c.Blob(t.Context(), repo, ocispec.Descriptor{Digest: digest.FromString("x"), Size: 1}, 10)
	for _, err := range []error{headErr, manifestErr, blobErr} {
		var status *StatusError
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &status) || status.Status != http.StatusNotFound {
			t.Errorf("%v: want not found with its status", err)
		}
	}
}

func TestTagsComeFromAllPages(t *testing.T) {
	c, tr := anonymous(t)
	small := before(func(_ http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); q.Has("n") {
			q.Set("n", "4")
			r.URL.RawQuery = q.Encode()
		}
		return false
	})
	repo := Repository{Host: start(t, small), Path: "team/app"}
	m := pushImage(t, c, repo, "t00", "a")
	var want []string
	for i := range 11 {
		tag := fmt.Sprintf("t%02d", i)
		want = append(want, tag)
		must(t, c.PutManifest(t.Context(), repo, tag, m))
	}
	tr.take()
	tags, err := c.Tags(t.Context(), repo)
	must(t, err)
	if !slices.Equal(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	if n := len(tr.take()); n != 3 {
		t.Errorf("%d requests, want 3 pages", n)
	}
}

func TestEvidenceIsAttachedAndListed(t *testing.T) {
	for name, host := range map[string]string{"api": start(t), "fallback tag": startPlain(t)} {
		t.Run(name, func(t *testing.T) {
			c, _ := anonymous(t)
			repo := Repository{Host: host, Path: "team/app"}
			m := pushImage(t, c, repo, "v1", "a")
			must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
			e := statement(t, m.Descriptor, "one")
			must(t, c.Attach(t.Context(), repo, e))
			r, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, nil)
			must(t, err)
			if len(r.Descriptors) != 1 || r.Descriptors[0].Digest != e.Descriptor.Digest || r.API != (name == "api") {
				t.Errorf("referrers: %+v", r)
			}
			if r.Descriptors[0].ArtifactType != "application/vnd.example.evidence" || r.Descriptors[0].Annotations["text"] != "one" {
				t.Errorf("descriptor: %+v", r.Descriptors[0])
			}
			must(t, c.CanPush(t.Context(), repo))
		})
	}
}

package diff_test

import (
	"encoding/json"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/release/diff"
)

// FuzzDescribe reads any manifest and any configuration as an image: sizes never
// go below zero, and two images that were read can be compared.
func FuzzDescribe(f *testing.F) {
	for _, architecture := range []string{"amd64", "arm64"} {
		s := shelf{}
		d := s.image(architecture)
		var m ocispec.Manifest
		if err := json.Unmarshal(s[d.Digest], &m); err != nil {
			f.Fatal(err)
		}
		f.Add(s[d.Digest], s[m.Config.Digest], d.MediaType)
	}
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00"},{"platform":{"os":"unknown"}}]}`), []byte(`{}`), ocispec.MediaTypeImageIndex)
	f.Fuzz(func(t *testing.T, manifest, configuration []byte, mediaType string) {
		s := shelf{digest.FromBytes(manifest): manifest}
		var m ocispec.Manifest
		if json.Unmarshal(manifest, &m) == nil && m.Config.Digest != "" {
			s[m.Config.Digest] = configuration
		}
		root := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
		img, err := diff.Describe(t.Context(), s, root)
		if err != nil {
			return
		}
		if len(img.Platforms) == 0 || img.Size() < 0 {
			t.Errorf("%+v", img)
		}
		other := shelf{}
		was, err := diff.Describe(t.Context(), other, other.image("amd64"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(diff.Compare(&was, img)); err != nil {
			t.Error(err)
		}
	})
}

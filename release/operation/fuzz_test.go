package operation

import (
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// FuzzTraveller reads any manifest that a registry lists as a referrer: what says
// that it hangs on something else does not travel, and its weight is no lie.
func FuzzTraveller(f *testing.F) {
	about := digest.FromString("candidate")
	good, _ := evidence.Manifest([]byte("{}"), evidence.TestResult, &ocispec.Descriptor{Digest: about}, time.Unix(0, 0))
	f.Add(good, "")
	f.Add([]byte(`{"layers":[{"size":-9223372036854775808},{"size":9223372036854775807}],"config":{"size":9223372036854775807}}`), "sha256-x.att")
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../x","platform":{"os":"unknown"}},{"digest":"x"}]}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, tag string) {
		one := &found{traveller: traveller{Digest: digest.FromBytes(raw), Subject: about, Tag: tag}}
		err := one.read(registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest}})
		switch {
		case err != nil:
		case tag == "" && one.parts.Subject.Digest != about:
			t.Errorf("it hangs on %s", one.parts.Subject.Digest)
		case one.size < int64(len(raw)) || one.content() == "":
			t.Errorf("%d bytes, %q", one.size, one.content())
		}
		for _, d := range platformsOf(raw) {
			if d.Validate() != nil {
				t.Errorf("a platform %q", d)
			}
		}
		if layersOf(raw); err == nil && !holdsAll(raw, raw) {
			t.Errorf("it does not hold what it holds: %s", raw)
		}
	})
}

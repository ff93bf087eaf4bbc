package release

import (
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// FuzzEvidenceManifest looks for evidence in any manifest: what says that it
// hangs on another digest is never read as a bundle about this one.
func FuzzEvidenceManifest(f *testing.F) {
	about := digest.FromString("candidate")
	bundle, _ := evidence.Manifest([]byte("{}"), evidence.TestResult, &ocispec.Descriptor{Digest: about}, time.Unix(0, 0))
	f.Add(bundle, string(evidence.Bundle))
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.dsse.envelope.v1+json","annotations":{"predicateType":"\u001b[2J"}}]}`), string(evidence.DSSE))
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.in-toto+json","annotations":{"in-toto.io/predicate-type":"https://slsa.dev/provenance/v1"}}]}`), string(evidence.BuildKit))
	f.Add([]byte("0"), string(evidence.Bundle))
	f.Fuzz(func(t *testing.T, raw []byte, form string) {
		s := source{attached: attached{Digest: digest.FromBytes(raw)}, subject: about, form: evidence.Form(form)}
		pieces := layersOf(s, raw)
		if len(pieces) == 0 || len(pieces) > registry.MaxPerDigest {
			t.Errorf("%d pieces", len(pieces))
		}
		for _, p := range pieces {
			if p.item.Subject != about || p.item.Problem == "" && p.item.Form == evidence.Bundle && !isBundle(p.layer.MediaType) {
				t.Errorf("%+v", p)
			}
		}
		_, _ = weigh(pieces, "it")
	})
}

// FuzzBaseImage follows any manifest of a base image to any configuration: what is
// asked for next has a digest, and no time comes from what holds none.
func FuzzBaseImage(f *testing.F) {
	dg := digest.FromString("x").String()
	f.Add([]byte(`{"manifests":[{"digest":"`+dg+`","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},{"digest":"`+dg+`","platform":{"os":"unknown"}}]}`), "linux/arm64", []byte(`{"created":"2026-11-24T12:00:00Z"}`))
	f.Add([]byte(`{"config":{"digest":"`+dg+`","size":-1}}`), "", []byte(`{"created":null}`))
	f.Add([]byte(`{"manifests":[{"digest":"`+dg+`"},{"digest":"sha256:1"}]}`), "/", []byte(`{"created":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"manifests":null}`), "\x1b[2J", []byte(`{"created":1}`))
	f.Fuzz(func(t *testing.T, raw []byte, platform string, config []byte) {
		if next, _, err := towards(platform, raw); err == nil && next.Digest.Validate() != nil {
			t.Errorf("it leads to %+v", next)
		}
		if created, err := createdBy(content{raw: config}); err == nil && !created.IsZero() && !strings.Contains(strings.ToLower(string(config)), `"`) {
			t.Errorf("%s from %q", created, config)
		}
	})
}

// FuzzDifference compares any two policies from the ledger: a policy does not differ
// from itself, and no line holds what a terminal would act on.
func FuzzDifference(f *testing.F) {
	f.Add([]byte(`{"gates":{"scan":{"max-severity":"medium"}},"trust":{"ci":[{"spki":"00"}]}}`), []byte(`{"gates":{"scan":{"max-severity":"critical"}},"trust":{"ci\u001b[2J":[]}}`))
	f.Add([]byte(`{"a":{"b":[1,"x"],"":null}}`), []byte(`[`))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		if same := difference(before, before); len(same) > 0 {
			t.Errorf("it differs from itself: %q", same)
		}
		for _, line := range difference(before, after) {
			if line[0] != '+' && line[0] != '-' || strings.ContainsAny(line, "\x1b\u202e\n") {
				t.Errorf("%q", line)
			}
		}
	})
}

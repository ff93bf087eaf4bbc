package operation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
)

// artifact attaches unsigned bytes to a digest in staging.
func (w *world) artifact(subject digest.Digest, content []byte) digest.Digest {
	w.t.Helper()
	d, err := w.hands.Head(w.t.Context(), w.staging, subject.String())
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := embedded.Artifact("application/vnd.cyclonedx+json", "application/vnd.cyclonedx+json", content, &d, nil)
	if err == nil {
		err = b.Push(w.t.Context(), w.hands, w.staging)
	}
	if err == nil {
		err = w.hands.Attach(w.t.Context(), w.staging, b.Root)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return b.Root.Descriptor.Digest
}

// evidenceTag writes what cosign v2 keeps under a tag: layers with annotations.
func (w *world) evidenceTag(repo registry.Repository, tag string, layers ...tagLayer) digest.Digest {
	w.t.Helper()
	ctx := context.Background()
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: ocispec.DescriptorEmptyJSON}
	m.Config.Data = nil
	blobs := [][]byte{evidence.EmptyConfig()}
	for _, l := range layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: l.mediaType, Digest: digest.FromBytes(l.raw), Size: int64(len(l.raw)), Annotations: l.annotations})
		blobs = append(blobs, l.raw)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range blobs {
		if err := w.hands.PutBlob(ctx, repo, b); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.hands.PutManifest(ctx, repo, tag, registry.Manifest{Raw: raw}); err != nil {
		w.t.Fatal(err)
	}
	return digest.FromBytes(raw)
}

type tagLayer struct {
	mediaType   string
	raw         []byte
	annotations map[string]string
}

func (w *world) envelope(subject digest.Digest, by evidence.Signer) tagLayer {
	w.t.Helper()
	statement, err := evidence.NewStatement(evidence.Vuln, "chat", subject, map[string]any{"scanner": map[string]any{}})
	if err != nil {
		w.t.Fatal(err)
	}
	raw := evidencetest.Envelope(w.t, by, statement)
	return tagLayer{mediaType: evidence.DSSEMediaType, raw: raw}
}

// simpleSignature is a layer of a .sig tag.
func (w *world) simpleSignature(subject digest.Digest, by evidence.Signer) tagLayer {
	w.t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"chat"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, subject)
	sig, err := by.Sign(w.t.Context(), payload)
	if err != nil {
		w.t.Fatal(err)
	}
	return tagLayer{evidence.SimpleSigningMediaType, payload, map[string]string{evidence.SignatureAnnotation: base64.StdEncoding.EncodeToString(sig)}}
}

func TestOnlyTrustedEvidenceTravels(t *testing.T) {
	w := newWorld(t)
	one := w.index("v1")
	m, err := w.hands.Manifest(t.Context(), w.staging, one.String())
	if err != nil {
		t.Fatal(err)
	}
	platforms := platformsOf(m.Raw)
	if len(platforms) != 2 {
		t.Fatalf("platforms %v", platforms)
	}
	stranger := newSigner(t)
	onPlatform := w.attach(platforms[0], w.ci, evidence.SLSA1)
	byStranger := w.attach(one, stranger, evidence.TestResult)
	unsigned := w.artifact(one, []byte("an SBOM that nobody signed"))
	att := w.evidenceTag(w.staging, registry.Fallback(platforms[1])+".att", w.envelope(platforms[1], w.ci))
	sig := w.evidenceTag(w.staging, registry.Fallback(one)+".sig", w.simpleSignature(one, w.ci))
	planted := w.evidenceTag(w.staging, registry.Fallback(one)+".att", w.envelope(one, w.ci), tagLayer{mediaType: evidence.DSSEMediaType, raw: []byte("planted")})
	wrongSig := w.evidenceTag(w.staging, registry.Fallback(platforms[0])+".sig", w.simpleSignature(one, w.ci)) // about another digest

	o := w.mustPromote(one)
	if o.Referrers.Expected != 4 || o.Referrers.Arrived != 4 {
		t.Errorf("%+v", o.Referrers)
	}
	for name, d := range map[string]digest.Digest{"a stranger's": byStranger, "an unsigned": unsigned, "a planted": planted, "a wrong": wrongSig} {
		if !slices.Contains(o.Referrers.LeftBehind, d) {
			t.Errorf("%s piece is not listed as left behind", name)
		}
		if _, err := w.hands.Head(t.Context(), w.prod, d.String()); !notFound(err) {
			t.Errorf("%s piece is in prod: %v", name, err)
		}
	}
	for name, d := range map[string]digest.Digest{"the platform's": onPlatform, "the .att": att, "the .sig": sig} {
		if _, err := w.hands.Head(t.Context(), w.prod, d.String()); err != nil {
			t.Errorf("%s evidence did not arrive: %v", name, err)
		}
	}
}

func TestCopyRules(t *testing.T) {
	for rule, want := range map[config.CopyRule]int{config.CopyUsed: 1, config.CopyTrusted: 2, config.CopyAll: 4} {
		t.Run(string(rule), func(t *testing.T) {
			w := newWorld(t)
			w.config.Services[0].Copy = rule
			one := w.image("v1")
			used := w.attach(one, w.ci, evidence.Vuln)
			w.attach(one, newSigner(t), evidence.Vuln)
			w.artifact(one, []byte("an SBOM"))
			w.judge.judgement.Checks = []gates.Check{{Gate: "scan", Status: gates.Pass, Evidence: []digest.Digest{used}}}
			if o := w.mustPromote(one); o.Referrers.Arrived != want || o.Referrers.Arrived+len(o.Referrers.LeftBehind) != 4 {
				t.Errorf("%+v", o.Referrers)
			}
		})
	}
}

func TestTheSameBundleWrappedAgainTravelsOnce(t *testing.T) {
	w := newWorld(t)
	one := w.image("v1")
	found, err := w.hands.Referrers(t.Context(), w.staging, one, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.hands.Manifest(t.Context(), w.staging, found.Descriptors[0].Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		var again ocispec.Manifest
		if err := json.Unmarshal(m.Raw, &again); err != nil {
			t.Fatal(err)
		}
		again.Annotations["wrapped"] = fmt.Sprint(i)
		raw, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.hands.Attach(t.Context(), w.staging, registry.Manifest{Raw: raw}); err != nil {
			t.Fatal(err)
		}
	}
	if o := w.mustPromote(one); o.Referrers.Arrived != 1 || len(o.Referrers.LeftBehind) != 3 {
		t.Errorf("%+v", o.Referrers)
	}
}

func TestEvidenceTagOfProdIsReplacedOnlyByMore(t *testing.T) {
	w := newWorld(t)
	one := w.image("v1")
	tag := registry.Fallback(one) + ".att"
	old := w.envelope(one, w.ci)
	w.mustPromote(w.image("v0"))
	w.evidenceTag(w.prod, tag, old)
	w.evidenceTag(w.staging, tag, w.envelope(one, w.ci))
	if _, err := w.promote(one); fault.CodeOf(err) != fault.Failed || len(w.stillOpen()) != 0 {
		t.Errorf("it took evidence out of prod: %v", err)
	}
	w.evidenceTag(w.staging, tag, old, w.envelope(one, w.ci))
	w.mustPromote(one)
}

func TestReleaseTagThatNamesAnotherDigestStopsThePromotion(t *testing.T) {
	w := newWorld(t)
	one, two := w.image("v1"), w.image("v2")
	w.mustPromote(one)
	m, err := w.hands.Manifest(t.Context(), w.prod, one.String())
	if err == nil {
		err = w.hands.PutManifest(t.Context(), w.prod, ReleaseTag(two), m)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.promote(two); fault.CodeOf(err) != fault.Failed || w.live() != one || len(w.records()) != 1 {
		t.Errorf("got %v", err)
	}
}

// TestSplitKeepsItsLimits holds for any evidence: what the verdict rests on
// travels or the promotion fails, limits hold, nothing is lost or counted twice.
func TestSplitKeepsItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &state{service: config.Service{Copy: rapid.SampledFrom([]config.CopyRule{config.CopyTrusted, config.CopyAll}).Draw(t, "rule")}}
		var all []*found
		for i := range rapid.IntRange(0, 150).Draw(t, "n") {
			f := &found{
				traveller: traveller{Digest: digest.FromString(fmt.Sprint(i))}, used: i < 3 && rapid.Bool().Draw(t, "used"),
				signed: rapid.Bool().Draw(t, "signed"), size: rapid.Int64Range(1, 20<<20).Draw(t, "size"),
			}
			if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
				f.err = errors.New("unreadable")
			}
			all = append(all, f)
		}
		travel, left, err := s.split(all)
		if err != nil {
			return
		}
		var bytes int64
		for _, f := range all {
			goes := slices.Contains(travel, f.traveller)
			if goes == slices.Contains(left, f.Digest) {
				t.Fatalf("%s is in both or in neither", f.Digest)
			}
			switch {
			case goes:
				bytes += f.size
				if f.err != nil || !f.used && !f.signed && s.service.Copy == config.CopyTrusted {
					t.Fatalf("%+v travels", f)
				}
			case f.used:
				t.Fatal("evidence of the verdict stays behind")
			}
		}
		if len(travel) > maxTravel || bytes > maxTravelBytes {
			t.Fatalf("%d pieces, %d bytes", len(travel), bytes)
		}
	})
}

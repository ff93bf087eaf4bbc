package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// Who verified, and what a passed verification is called, in the summaries of
// this program (https://slsa.dev/spec/v1.1/verification_summary).
const (
	verifierID  = "urn:plimsoll:verifier:v1"
	gatesPassed = "PLIMSOLL_RELEASE_GATES" //nolint:gosec // a level's name, no credential
	// gatesOverridden stands in place of gatesPassed if somebody went past a gate:
	// who asks for the one refuses the other, unless told to accept both.
	gatesOverridden = "PLIMSOLL_OVERRIDDEN"
)

// rules is what decides for the service now.
func (s *state) rules() gates.Policy { return gates.NewPolicy(s.r.Config, s.service) }

// tagged tells whether the release tag is there. It never moves: one that
// names another digest was put by somebody else.
func tagged(ctx context.Context, s *state) (bool, error) {
	tag := ReleaseTag(s.Target)
	d, err := s.reader.Head(ctx, s.prod, tag)
	switch {
	case notFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: look for the release tag %s: %w", s.what(), tag, err)
	case d.Digest != s.Target:
		return false, fault.New(fault.Failed, "ask who may write "+s.prod.String()+"; delete the tag if nobody meant it", nil,
			"%s: the release tag %s points at %s; release tags never move", s.what(), tag, d.Digest)
	}
	return true, nil
}

func putTag(ctx context.Context, s *state) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if err := s.identity().PutManifest(ctx, s.prod, ReleaseTag(s.Target), s.manifest); err != nil {
		if done, looked := tagged(ctx, s); done || looked != nil { // somebody was faster, and an immutable tag is not written twice
			return looked
		}
		return fmt.Errorf("%s: put the release tag: %w", s.what(), err)
	}
	return nil
}

// summarized tells whether prod lists our summary.
func summarized(ctx context.Context, s *state) (bool, error) {
	if s.Summary == nil || !s.resumed {
		return false, nil
	}
	want := digest.FromBytes(s.Summary.Manifest)
	found, err := s.reader.Referrers(ctx, s.prod, s.Target, nil)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(found.Descriptors, func(d ocispec.Descriptor) bool { return d.Digest == want }), nil
}

// attachSummary tells other tools, in SLSA's words, that the digest passed. It
// is signed once and journaled, so that a second attempt attaches the same bytes.
func attachSummary(ctx context.Context, s *state) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.Summary == nil {
		if err := s.signSummary(ctx); err != nil {
			return fmt.Errorf("%s: sign the verification summary: %w", s.what(), err)
		}
		if err := s.save(); err != nil {
			return err
		}
	}
	for _, blob := range [][]byte{s.Summary.Bundle, evidence.EmptyConfig()} {
		if err := s.identity().PutBlob(ctx, s.prod, blob); err != nil {
			return fmt.Errorf("%s: attach the verification summary: %w", s.what(), err)
		}
	}
	m := registry.Manifest{Raw: s.Summary.Manifest, Descriptor: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest,
		Digest:    digest.FromBytes(s.Summary.Manifest), Size: int64(len(s.Summary.Manifest)),
	}}
	if err := s.identity().Attach(ctx, s.prod, m); err != nil {
		return fmt.Errorf("%s: attach the verification summary: %w", s.what(), err)
	}
	return nil
}

func (s *state) signSummary(ctx context.Context) error {
	used := slices.Sorted(maps.Keys(s.usedEvidence()))
	inputs := make([]evidence.ResourceDigest, 0, len(used))
	for _, d := range used {
		inputs = append(inputs, evidence.ResourceDigest{Digest: map[string]string{d.Algorithm().String(): d.Encoded()}})
	}
	policy, level := s.policy(), gatesPassed
	if len(s.overridden()) > 0 {
		level = gatesOverridden
	}
	predicate := evidence.VSAPredicate{
		Verifier: evidence.Identity{ID: verifierID}, TimeVerified: s.op.Started, ResourceURI: s.prod.At(s.Target),
		Policy:            evidence.ResourceDigest{Digest: map[string]string{policy.Algorithm().String(): policy.Encoded()}},
		InputAttestations: inputs, VerificationResult: "PASSED", VerifiedLevels: []string{level}, SLSAVersion: "1.1",
	}
	statement, err := evidence.NewStatement(evidence.VSA, s.prod.String(), s.Target, predicate)
	if err != nil {
		return err
	}
	bundle, err := evidence.Sign(ctx, s.signer, statement)
	if err != nil {
		return err
	}
	subject := s.manifest.Descriptor
	raw, _ := evidence.Manifest(bundle, evidence.VSA, &subject, s.op.Started)
	s.Summary = &attachment{Manifest: raw, Bundle: bundle}
	return nil
}

// passedHere tells whether a summary, from verified bytes, is ours, says that
// the digest passed, and says it of this place.
func passedHere(predicate []byte, place string) bool {
	var p evidence.VSAPredicate
	return json.Unmarshal(predicate, &p) == nil && p.Verifier.ID == verifierID && p.VerificationResult == "PASSED" && p.ResourceURI == place
}

package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// copyImage copies the candidate by digest. What prod has is skipped, so that
// a copy that broke goes on where it ended.
func copyImage(ctx context.Context, s *state) error {
	var known []digest.Digest
	if s.Previous != "" && s.chain != nil && s.chain.Current(s.Previous) != nil {
		known = append(known, s.Previous) // what prod runs, copied and read back by a promotion
	}
	s.Copied.Mounted, s.Copied.Skipped = 0, 0 // of an earlier start only what it moved counts
	if done, err := s.imported(ctx, s.Target, ReleaseTag(s.Target)); done || err != nil {
		return err
	}
	return s.transfer(ctx, s.Target, known)
}

// transfer copies one manifest with all below it, and counts what it moved.
func (s *state) transfer(ctx context.Context, root digest.Digest, known []digest.Digest) error {
	copied, err := registry.Copy(ctx, registry.CopyRequest{
		From: s.reader, Source: s.staging, To: s.identity(), Target: s.prod, Root: root, Have: known,
		Report: func(p registry.Progress) { s.tell(&p) },
	})
	s.Copied.Bytes += copied.Bytes
	s.Copied.Blobs += copied.Blobs
	s.Copied.Mounted += copied.Mounted
	s.Copied.Skipped += copied.Skipped
	if err != nil {
		return fmt.Errorf("%s: %w", s.what(), err)
	}
	return nil
}

// copyEvidence chooses the referrers that travel and attaches them in prod.
// They are counted apart from the image.
func copyEvidence(ctx context.Context, s *state) error {
	travel, left, err := s.choose(ctx)
	if err != nil {
		return err
	}
	image := s.Copied
	for _, t := range travel {
		if err := s.attach(ctx, t); err != nil {
			return fmt.Errorf("%s: copy the evidence %s: %w", s.what(), t.Digest, err)
		}
	}
	s.Copied = image
	s.Travel = travel
	s.Arrivals = Arrivals{Expected: len(travel), LeftBehind: left}
	return nil
}

// attach copies one referrer or evidence tag.
func (s *state) attach(ctx context.Context, t traveller) error {
	if done, err := s.imported(ctx, t.Digest, ""); err != nil {
		return err
	} else if !done {
		if err := s.transfer(ctx, t.Digest, nil); err != nil {
			return err
		}
	}
	m, err := s.reader.Manifest(ctx, s.staging, t.Digest.String())
	if err != nil {
		return err
	}
	if t.Tag == "" {
		return s.identity().Attach(ctx, s.prod, m)
	}
	return s.putEvidenceTag(ctx, t, m)
}

// putEvidenceTag points a tag of evidence at its manifest. One that prod has
// already is replaced only by one that holds all of it: it may be evidence
// that nobody else has.
func (s *state) putEvidenceTag(ctx context.Context, t traveller, m registry.Manifest) error {
	there, err := s.reader.Manifest(ctx, s.prod, t.Tag)
	switch {
	case notFound(err):
	case err != nil:
		return err
	case there.Descriptor.Digest == t.Digest:
		return nil
	case !holdsAll(m.Raw, there.Raw):
		return fault.New(fault.Failed, "merge the two in staging, or set evidence: {copy: used}", nil,
			"prod has other evidence under the tag %s", t.Tag)
	}
	return s.identity().PutManifest(ctx, s.prod, t.Tag, m)
}

// holdsAll tells whether every layer of the old manifest is in the new one.
func holdsAll(newer, older []byte) bool {
	var a, b ocispec.Manifest
	if json.Unmarshal(newer, &a) != nil || json.Unmarshal(older, &b) != nil {
		return false
	}
	for _, layer := range b.Layers {
		if !slices.ContainsFunc(a.Layers, func(l ocispec.Descriptor) bool { return l.Digest == layer.Digest }) {
			return false
		}
	}
	return true
}

// readBack asks prod for everything that the channel is about to stand for.
func readBack(ctx context.Context, s *state) error {
	err := registry.Complete(ctx, s.reader, s.prod, s.Target)
	if notFound(err) { // what prod runs was not as complete as its record says
		if err = s.transfer(ctx, s.Target, nil); err == nil {
			err = registry.Complete(ctx, s.reader, s.prod, s.Target)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: read it back from prod: %w", s.what(), err)
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	s.remember(s.manifest.Raw)
	return s.countArrivals(ctx)
}

// countArrivals sees to it that prod lists every referrer that was sent.
func (s *state) countArrivals(ctx context.Context) error {
	listed := map[digest.Digest][]ocispec.Descriptor{}
	s.Arrivals.Arrived = 0
	for _, t := range s.Travel {
		there, err := s.arrived(ctx, t, listed)
		if err != nil {
			return fmt.Errorf("%s: read its evidence back from prod: %w", s.what(), err)
		}
		if !there {
			return fault.New(fault.Failed, "promote again; if it stays so, ask who keeps "+s.prod.Host, nil,
				"%s: prod does not list the evidence %s that was copied to it", s.what(), t.Digest)
		}
		s.Arrivals.Arrived++
	}
	return nil
}

func (s *state) arrived(ctx context.Context, t traveller, listed map[digest.Digest][]ocispec.Descriptor) (bool, error) {
	if t.Tag != "" {
		d, err := s.reader.Head(ctx, s.prod, t.Tag)
		if notFound(err) {
			return false, nil
		}
		return err == nil && d.Digest == t.Digest, err
	}
	if listed[t.Subject] == nil {
		found, err := s.reader.Referrers(ctx, s.prod, t.Subject, nil)
		if err != nil {
			return false, err
		}
		listed[t.Subject] = append([]ocispec.Descriptor{}, found.Descriptors...)
	}
	return slices.ContainsFunc(listed[t.Subject], func(d ocispec.Descriptor) bool { return d.Digest == t.Digest }), nil
}

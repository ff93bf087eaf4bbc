package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"plimsoll/config"
	"plimsoll/registry"
)

// How much evidence travels, and how much is read to choose it: who can write
// to staging could otherwise fill prod, or keep a promotion busy for ever.
const (
	maxTravel      = 100
	maxTravelBytes = 64 << 20
	maxReadBytes   = 256 << 20
	readers        = 8
	maxDecoration  = 256 << 10 // of a manifest or configuration around signed bytes
)

// traveller is one referrer, or one evidence tag, that goes to prod.
type traveller struct {
	Digest  digest.Digest `json:"digest"`
	Subject digest.Digest `json:"subject"`
	Tag     string        `json:"tag,omitempty"`
}

// found is a traveller before it is known whether it may go.
type found struct {
	traveller
	used   bool // the verdict rests on it
	raw    []byte
	parts  ocispec.Manifest
	size   int64 // of its manifest and blobs
	signed bool  // every content of it has a signature that trust knows
	err    error // why it could not be read
}

// choose lists the referrers of the candidate and its platforms in staging and
// splits them into those that travel and those that stay behind.
func (s *state) choose(ctx context.Context) ([]traveller, []digest.Digest, error) {
	all, err := s.listEvidence(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: list its evidence: %w", s.what(), err)
	}
	if err := s.examine(ctx, all); err != nil {
		return nil, nil, err
	}
	return s.split(all)
}

// listEvidence is everything attached, what the verdict used first.
func (s *state) listEvidence(ctx context.Context) ([]*found, error) {
	root, err := s.reader.Manifest(ctx, s.staging, s.Target.String())
	if err != nil {
		return nil, err
	}
	tags, err := s.reader.Tags(ctx, s.staging)
	if err != nil {
		return nil, err
	}
	used := s.usedEvidence()
	var all []*found
	for _, subject := range append([]digest.Digest{s.Target}, platformsOf(root.Raw)...) {
		list, err := s.reader.Referrers(ctx, s.staging, subject, tags)
		if err != nil {
			return nil, err
		}
		for _, d := range list.Descriptors {
			all = append(all, &found{traveller: traveller{Digest: d.Digest, Subject: subject}, used: used[d.Digest]})
		}
		for _, tag := range []string{registry.Fallback(subject) + ".att", registry.Fallback(subject) + ".sig"} {
			if !slices.Contains(tags, tag) {
				continue
			}
			d, err := s.reader.Head(ctx, s.staging, tag)
			if err != nil {
				return nil, err
			}
			all = append(all, &found{traveller: traveller{Digest: d.Digest, Subject: subject, Tag: tag}, used: used[d.Digest]})
		}
	}
	slices.SortStableFunc(all, func(a, b *found) int { return rank(a.used) - rank(b.used) })
	return all, nil
}

func rank(used bool) int {
	if used {
		return 0
	}
	return 1
}

// usedEvidence are the manifests that the verdict rests on.
func (s *state) usedEvidence() map[digest.Digest]bool {
	used := map[digest.Digest]bool{}
	for _, c := range s.Judgement.Checks {
		for _, d := range c.Evidence {
			used[d] = true
		}
	}
	return used
}

// examine reads the manifests, and the contents whose signatures matter.
func (s *state) examine(ctx context.Context, all []*found) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, f := range all {
		if !f.used && s.service.Copy == config.CopyUsed {
			continue
		}
		group.Go(func() error {
			f.err = s.readManifest(inner, f)
			return inner.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return context.Cause(ctx)
	}
	if s.service.Copy == config.CopyUsed || s.service.Copy == config.CopyAll {
		return nil
	}
	group, inner = errgroup.WithContext(ctx)
	group.SetLimit(readers)
	budget := int64(maxReadBytes)
	for _, f := range all {
		if f.err != nil || f.used || f.size > budget {
			continue
		}
		budget -= f.size
		group.Go(func() error {
			f.signed, f.err = s.trusted(inner, f)
			return inner.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// readManifest reads a referrer's manifest and weighs it.
func (s *state) readManifest(ctx context.Context, f *found) error {
	m, err := s.reader.Manifest(ctx, s.staging, f.Digest.String())
	if err != nil {
		return err
	}
	return f.read(m)
}

// read takes the manifest of a referrer apart.
func (f *found) read(m registry.Manifest) error {
	if err := json.Unmarshal(m.Raw, &f.parts); err != nil {
		return errors.New("its manifest is no JSON of the specified form")
	}
	if f.Tag == "" && (f.parts.Subject == nil || f.parts.Subject.Digest != f.Subject) {
		return errors.New("it is listed as a referrer and says that it is none")
	}
	if index(m.Descriptor.MediaType) {
		return errors.New("it is an index, not a piece of evidence")
	}
	f.raw, f.size = m.Raw, int64(len(m.Raw))
	for _, d := range append(f.parts.Layers, f.parts.Config) {
		f.size += max(0, min(d.Size, maxTravelBytes))
	}
	return nil
}

// split applies the rule and the limits. Evidence that the verdict rests on
// and that cannot travel is an error; anything else stays behind.
func (s *state) split(all []*found) ([]traveller, []digest.Digest, error) {
	travel, left := []traveller{}, []digest.Digest{}
	seen := map[digest.Digest]bool{}
	room := int64(maxTravelBytes)
	for _, f := range all {
		key := f.content()
		if seen[f.Digest] && f.Tag == "" {
			continue
		}
		seen[f.Digest] = true
		goes := f.err == nil && (f.used || f.signed && !seen[key] || s.service.Copy == config.CopyAll)
		fits := f.size <= room && len(travel) < maxTravel
		switch {
		case f.used && f.err != nil:
			return nil, nil, fmt.Errorf("%s: the evidence %s that its verdict rests on: %w", s.what(), f.Digest, f.err)
		case f.used && !fits:
			return nil, nil, fmt.Errorf("%s: the evidence that its verdict rests on is more than %d pieces or %d MiB: %w",
				s.what(), maxTravel, maxTravelBytes>>20, registry.ErrLimit)
		case !goes || !fits:
			left = append(left, f.Digest)
		default:
			travel, room, seen[key] = append(travel, f.traveller), room-f.size, true
		}
	}
	return travel, left, nil
}

// content names what a referrer says: the same signed bundle wrapped a hundred
// times is one piece of evidence.
func (f *found) content() digest.Digest {
	if len(f.parts.Layers) == 1 && f.Tag == "" {
		return f.parts.Layers[0].Digest
	}
	return "tag " + f.Digest
}

// index tells whether a manifest has children.
func index(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == "application/vnd.docker.distribution.manifest.list.v2+json"
}

// platformsOf are the manifests of an index's images; attestations that
// BuildKit keeps in the index travel with it and are no platforms.
func platformsOf(raw []byte) []digest.Digest {
	var body ocispec.Index
	if json.Unmarshal(raw, &body) != nil {
		return nil
	}
	var out []digest.Digest
	for _, d := range body.Manifests {
		unknown := d.Platform != nil && d.Platform.OS == "unknown"
		if d.Annotations["vnd.docker.reference.type"] == "" && !unknown && d.Digest.Validate() == nil && !slices.Contains(out, d.Digest) {
			out = append(out, d.Digest)
		}
	}
	return out
}

func layersOf(raw []byte) []ocispec.Descriptor {
	var m ocispec.Manifest
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m.Layers
}

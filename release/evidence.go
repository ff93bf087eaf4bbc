package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// believe is how long a list shows the remembered referrers of a platform
// manifest. gates, approve and promote never use one.
const believe = 5 * time.Minute

// remembered is a list of referrers as it was read last.
type remembered struct {
	At   time.Time  `json:"at"`
	List []attached `json:"list"`
}

// attached is one referrer before it is read; all of it is a claim.
type attached struct {
	Digest       digest.Digest `json:"digest"`
	MediaType    string        `json:"mediaType"`
	Size         int64         `json:"size"`
	ArtifactType string        `json:"artifactType,omitempty"`
	Predicate    string        `json:"predicate,omitempty"`
}

// gathering collects the evidence of digests in one repository.
type gathering struct {
	desk   *Desk
	repo   registry.Repository
	shelf  *shelf
	tags   []string // every tag of the repository; nil: fallback tags are probed
	memory *memory  // lists that may be remembered; nil: everything is read afresh
	mu     *sync.Mutex
	aside  bool // the digest itself is no candidate: its own list may be remembered too
	lean   bool // nobody asks what is in the image: BuildKit's bills of materials stay where they are
}

// found is the evidence of one digest. release gives its memory back.
type found struct {
	items   []evidence.Item
	err     error // it could not be listed: nothing may pass
	release func()
}

// source is one manifest that may hold evidence, and what it hangs on.
type source struct {
	subject digest.Digest
	attached
	form evidence.Form // Bundle for any referrer, DSSE for an .att tag, BuildKit
}

// gather reads the evidence of dg: the union of its referrers, those of its
// platform manifests, .att tags and BuildKit's attestations in the index.
func (g gathering) gather(ctx context.Context, dg digest.Digest, o outline) found {
	sources, dsse, err := g.sources(ctx, dg, o)
	if err != nil {
		return found{err: err, release: func() {}}
	}
	pieces := append(g.pieces(ctx, sources), dsse...)
	weight, err := weigh(pieces, g.repo.At(dg))
	if err != nil {
		pieces = withoutBills(pieces)
		weight, err = weigh(pieces, g.repo.At(dg))
	}
	if err != nil {
		return found{err: err, release: func() {}}
	}
	if err := g.desk.memory.Acquire(ctx, weight); err != nil {
		return found{err: fmt.Errorf("read the evidence of %s: %w", g.repo.At(dg), err), release: func() {}}
	}
	return found{items: g.read(ctx, pieces), release: sync.OnceFunc(func() { g.desk.memory.Release(weight) })}
}

// sources lists what may hold evidence; envelopes of .att tags come as pieces.
func (g gathering) sources(ctx context.Context, dg digest.Digest, o outline) ([]source, []piece, error) {
	list, err := g.own(ctx, dg)
	if err != nil {
		return nil, nil, err
	}
	out := hangOn(dg, list)
	dsse, err := g.attTag(ctx, dg)
	if err != nil {
		return nil, nil, err
	}
	for _, child := range o.Children {
		if child.Digest == dg {
			continue
		}
		if list, err = g.ofPlatform(ctx, child.Digest); err != nil {
			return nil, nil, err
		}
		out = append(out, hangOn(child.Digest, list)...)
		more, err := g.attTag(ctx, child.Digest)
		if err != nil {
			return nil, nil, err
		}
		dsse = append(dsse, more...)
	}
	for _, a := range o.Attestations {
		out = append(out, source{
			subject: a.About, form: evidence.BuildKit,
			attached: attached{Digest: a.Digest, MediaType: a.MediaType, Size: a.Size},
		})
	}
	if len(out) > registry.MaxPerDigest {
		return nil, nil, fmt.Errorf("%s and its platforms have %d referrers, more than the %d that are read: %w",
			g.repo.At(dg), len(out), registry.MaxPerDigest, registry.ErrLimit)
	}
	return out, dsse, nil
}

func hangOn(subject digest.Digest, list []attached) []source {
	out := make([]source, 0, len(list))
	for _, a := range list {
		out = append(out, source{subject: subject, attached: a, form: evidence.Bundle})
	}
	return out
}

// referrers asks the registry, always.
func (d *Desk) referrers(ctx context.Context, repo registry.Repository, dg digest.Digest, tags []string) ([]attached, error) {
	found, err := d.read().Referrers(ctx, repo, dg, tags)
	if err != nil {
		return nil, err
	}
	out := make([]attached, 0, len(found.Descriptors))
	for _, r := range found.Descriptors {
		out = append(out, attached{
			Digest: r.Digest, MediaType: r.MediaType, Size: r.Size, ArtifactType: r.ArtifactType,
			Predicate: r.Annotations[evidence.AnnotationPredicate],
		})
	}
	return out, nil
}

// own is the referrers of the digest itself: of a candidate, never remembered.
func (g gathering) own(ctx context.Context, dg digest.Digest) ([]attached, error) {
	if g.aside {
		return g.ofPlatform(ctx, dg)
	}
	return g.desk.referrers(ctx, g.repo, dg, g.tags)
}

// ofPlatform is the referrers of a digest that is no candidate itself: from
// memory where that is allowed.
func (g gathering) ofPlatform(ctx context.Context, dg digest.Digest) ([]attached, error) {
	key, now := g.repo.At(dg), g.desk.Now()
	if g.memory != nil {
		g.mu.Lock()
		known, ok := g.memory.Attached[key]
		g.mu.Unlock()
		if ok && now.Sub(known.At) < believe && !now.Before(known.At) {
			return known.List, nil
		}
	}
	list, err := g.desk.referrers(ctx, g.repo, dg, g.tags)
	if err == nil && g.memory != nil {
		g.mu.Lock()
		g.memory.Attached[key], g.memory.changed = remembered{now, list}, true
		g.mu.Unlock()
	}
	return list, err
}

// attTag reads cosign v2's tag of attestations, if the repository has it. It
// is a tag: it is read every time.
func (g gathering) attTag(ctx context.Context, dg digest.Digest) ([]piece, error) {
	tag := registry.Fallback(dg) + ".att"
	if !slices.Contains(g.tags, tag) {
		return nil, nil
	}
	m, err := g.desk.read().Manifest(ctx, g.repo, tag)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.shelf.keep(m.Descriptor.Digest, m.Raw)
	return layersOf(source{subject: dg, form: evidence.DSSE, attached: attached{Digest: m.Descriptor.Digest}}, m.Raw), nil
}

// digests of a candidate and its platforms: what a quarantine matches.
func (o outline) digests(dg digest.Digest) []digest.Digest {
	return append([]digest.Digest{dg}, platformDigests(o.Children)...)
}

func platformDigests(platforms []gates.Platform) []digest.Digest {
	out := make([]digest.Digest, 0, len(platforms))
	for _, p := range platforms {
		out = append(out, p.Digest)
	}
	return out
}

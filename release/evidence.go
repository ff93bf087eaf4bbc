package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
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

// piece is a blob with evidence, to be read.
type piece struct {
	item  evidence.Item
	layer ocispec.Descriptor
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

// pieces reads the manifests of the sources and says which blobs hold evidence.
// A manifest that cannot be read is a piece with that problem.
func (g gathering) pieces(ctx context.Context, sources []source) []piece {
	want := make([]ocispec.Descriptor, len(sources))
	for i, s := range sources {
		want[i] = ocispec.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size}
	}
	var out []piece
	for i, c := range g.shelf.get(ctx, want, g.shelf.manifest) {
		if c.err != nil {
			item := sources[i].item()
			item.Problem = "its manifest could not be read: " + clean.Text(c.err.Error())
			out = append(out, piece{item: item})
			continue
		}
		out = append(out, layersOf(sources[i], c.raw)...)
	}
	return out
}

func (s source) item() evidence.Item {
	return evidence.Item{Subject: s.subject, Manifest: s.Digest, Form: s.form, ArtifactType: s.ArtifactType, PredicateType: s.Predicate}
}

// carrier is a manifest that may carry evidence.
type carrier struct {
	ArtifactType string               `json:"artifactType"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// layersOf are the pieces of evidence in a manifest. What is no evidence that
// we read, or says that it hangs on another digest, is shown and never read.
func layersOf(s source, raw []byte) []piece {
	item := s.item()
	var m carrier
	if err := json.Unmarshal(raw, &m); err != nil {
		item.Problem = "its manifest is no JSON"
		return []piece{{item: item}}
	}
	if item.ArtifactType == "" {
		item.ArtifactType = clean.Text(m.ArtifactType)
	}
	if item.PredicateType == "" {
		item.PredicateType = clean.Text(m.Annotations[evidence.AnnotationPredicate])
	}
	var out []piece
	switch s.form {
	case evidence.Bundle:
		if len(m.Layers) == 1 && isBundle(m.Layers[0].MediaType) && m.Subject != nil && m.Subject.Digest == s.subject {
			return []piece{{item, m.Layers[0]}}
		}
	case evidence.DSSE, evidence.BuildKit:
		out = statements(item, m.Layers)
	case evidence.Other, evidence.SimpleSigning: // no gate reads them
	}
	if len(out) == 0 {
		item.Form = evidence.Other
		out = []piece{{item: item}}
	}
	return out
}

// isBundle accepts every version of the format and parameters; the bytes decide.
func isBundle(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.dev.sigstore.bundle")
}

// statements are the layers of an .att tag or a BuildKit attestation. Of
// BuildKit's, only provenance is read: an SBOM proves nothing to a gate.
func statements(item evidence.Item, layers []ocispec.Descriptor) []piece {
	out := make([]piece, 0, 1)
	for _, l := range layers[:min(len(layers), registry.MaxPerDigest)] {
		one := item
		switch {
		case item.Form == evidence.DSSE && l.MediaType == evidence.DSSEMediaType:
			one.PredicateType = clean.Text(l.Annotations["predicateType"])
		case item.Form == evidence.BuildKit && l.MediaType == evidence.PayloadType:
			one.PredicateType = clean.Text(l.Annotations[evidence.AnnotationInToto])
			if one.PredicateType != evidence.SLSA1 && one.PredicateType != evidence.SLSA02 {
				continue
			}
		default:
			continue
		}
		out = append(out, piece{one, l})
	}
	return out
}

// weigh is the bytes of all pieces, at most evidenceMost.
func weigh(pieces []piece, what string) (int64, error) {
	var total int64
	for _, p := range pieces {
		if p.layer.Size > 0 && p.layer.Size <= registry.MaxBundle {
			total += p.layer.Size
		}
	}
	if total > evidenceMost {
		return 0, fmt.Errorf("the evidence of %s is %d MiB, more than %d: %w", what, total>>20, evidenceMost>>20, registry.ErrLimit)
	}
	return total, nil
}

// read fills in the bytes.
func (g gathering) read(ctx context.Context, pieces []piece) []evidence.Item {
	items := make([]evidence.Item, len(pieces))
	var want []ocispec.Descriptor
	var at []int
	for i, p := range pieces {
		items[i] = p.item
		switch {
		case p.layer.Digest == "" || p.item.Problem != "":
		case p.layer.Digest.Validate() != nil:
			items[i].Problem = "its manifest names a blob without a usable digest"
		case p.layer.Size > registry.MaxBundle:
			items[i].Problem = fmt.Sprintf("it is %d bytes, more than %d", p.layer.Size, registry.MaxBundle)
		default:
			items[i].Layer = p.layer.Digest
			want, at = append(want, p.layer), append(at, i)
		}
	}
	for i, c := range g.shelf.get(ctx, want, g.shelf.blob(registry.MaxBundle)) {
		items[at[i]].Raw = c.raw
		if c.err != nil {
			items[at[i]].Problem = "it could not be read: " + clean.Text(c.err.Error())
		}
	}
	return items
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

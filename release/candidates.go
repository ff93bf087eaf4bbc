package release

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/diff"
)

// outline is what the list needs to know of an image. It follows from the
// digest alone, so it is kept for good.
type outline struct {
	Image
	NoImage      bool               `json:"noImage,omitempty"` // a signature, a chart or another artifact
	Children     []gates.Platform   `json:"children,omitempty"`
	Attestations []diff.Attestation `json:"attestations,omitempty"`
}

// row is a candidate before it is judged.
type row struct {
	named
	tags []string
	outline
	err error // it could not be read
}

// staged is what the staging repository holds for a service.
type staged struct {
	rows  []row    // in view, in order
	total int      // that the tag rule selects
	tags  []string // every tag of the repository
}

// stage lists the candidates in view: names first, then what every tag in view
// points at, then what is not known of those digests.
func (d *Desk) stage(ctx context.Context, p place, m *memory) (staged, error) {
	tags, err := d.read().Tags(ctx, p.staging)
	if errors.Is(err, registry.ErrNotFound) {
		return staged{}, fault.New(fault.Failed, "push a first image to it, or correct staging of "+p.Name+" in "+d.Config.Path, err,
			"the staging repository %s is empty or does not exist", p.staging)
	}
	if err != nil {
		return staged{}, err
	}
	names := p.selected(tags)
	shelf := d.shelf(p.staging)
	defer shelf.flush()
	full := d.Now().Sub(m.Swept) >= sweep || d.Now().Before(m.Swept)
	m.forget(names)
	asked := map[string]bool{}
	ask := slices.DeleteFunc(slices.Clone(names), func(t string) bool { _, known := m.Tags[t]; return known && !full })
	for {
		if err := d.ask(ctx, shelf, m, ask); err != nil {
			return staged{}, err
		}
		for _, t := range ask {
			asked[t] = true
		}
		rows := d.rows(ctx, shelf, m)
		view := rows[:min(p.limit(), len(rows))]
		if ask = unasked(view, asked); len(ask) == 0 {
			m.swept(full, d.Now())
			return staged{rows: view, total: len(rows), tags: tags}, context.Cause(ctx)
		}
	}
}

func (p place) limit() int {
	if p.Limit <= 0 {
		return 50
	}
	return p.Limit
}

// ask brings the memory up to date for some tags.
func (d *Desk) ask(ctx context.Context, s *shelf, m *memory, tags []string) error {
	var known, unknown []string
	for _, t := range tags {
		if _, ok := m.Tags[t]; ok {
			known = append(known, t)
		} else {
			unknown = append(unknown, t)
		}
	}
	listed := d.listed(ctx, s.repo, m, known)
	found, err := d.heads(ctx, s.repo, without(known, listed))
	if err != nil {
		return err
	}
	maps.Copy(found, listed)
	first, err := d.firsts(ctx, s, unknown)
	if err != nil {
		return err
	}
	maps.Copy(found, first)
	for _, t := range tags {
		now, there := found[t]
		if m.Tags[t] == now && there {
			continue
		}
		m.changed = true
		if m.Tags[t] = now; !there {
			delete(m.Tags, t)
		}
	}
	return nil
}

// unasked are the tags in view that were only remembered.
func unasked(view []row, asked map[string]bool) []string {
	var out []string
	for _, r := range view {
		for _, t := range r.tags {
			if !asked[t] {
				out = append(out, t)
			}
		}
	}
	return out
}

// rows are all candidates, described and in order, one for each digest.
func (d *Desk) rows(ctx context.Context, s *shelf, m *memory) []row {
	byDigest := map[digest.Digest]*row{}
	for tag, n := range m.Tags {
		r := byDigest[n.Digest]
		if r == nil {
			r = &row{named: n}
			byDigest[n.Digest] = r
		}
		r.tags = append(r.tags, tag)
	}
	rows := make([]row, 0, len(byDigest))
	for _, r := range byDigest {
		slices.SortFunc(r.tags, func(a, b string) int { return compareTags(b, a) })
		rows = append(rows, *r)
	}
	d.outlines(ctx, s, m, rows)
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.NoImage })
	slices.SortFunc(rows, newestFirst)
	return rows
}

// outlines fills in what the images are, from memory or by reading them, a
// part at a time so that little is held at once.
func (d *Desk) outlines(ctx context.Context, shelf *shelf, m *memory, rows []row) {
	var unknown []*row
	for i := range rows {
		if o, ok := m.Images[rows[i].Digest]; ok {
			rows[i].outline = o
		} else {
			unknown = append(unknown, &rows[i])
		}
	}
	if len(unknown) == 0 {
		return
	}
	var mu sync.Mutex
	for part := range slices.Chunk(unknown, 128) {
		if len(part) > 1 {
			shelf.prefetch(ctx, descriptors(part))
		}
		group := errgroup.Group{}
		group.SetLimit(workers)
		for _, r := range part {
			group.Go(func() error {
				if r.outline, r.err = shelf.outline(ctx, r.named); r.err == nil {
					mu.Lock()
					m.Images[r.Digest], m.changed = r.outline, true
					mu.Unlock()
				}
				return nil
			})
		}
		_ = group.Wait() // an unreadable candidate is an error of its row
	}
}

// outline describes one digest; what is no image is an answer, not an error.
func (s *shelf) outline(ctx context.Context, n named) (outline, error) {
	image, err := diff.Describe(ctx, s, n.descriptor())
	if errors.Is(err, diff.ErrNoImage) {
		return outline{NoImage: true}, nil
	}
	if err != nil {
		return outline{}, err
	}
	return outlineOf(image), nil
}

func outlineOf(image diff.Image) outline {
	o := outline{Attestations: image.Attestations, Image: Image{
		Created: image.Created(), SizeBytes: image.Size(), Platforms: image.Names(),
		Revision: image.Label(diff.LabelRevision), Version: image.Label(diff.LabelVersion), Source: webAddress(image.Label(diff.LabelSource)),
	}}
	for _, c := range image.Platforms {
		o.Children = append(o.Children, gates.Platform{Name: c.Name, Digest: c.Digest})
	}
	return o
}

func descriptors(rows []*row) []ocispec.Descriptor {
	out := make([]ocispec.Descriptor, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.descriptor())
	}
	return out
}

// forget drops the tags that are gone.
func (m *memory) forget(names []string) {
	keep := make(map[string]bool, len(names))
	for _, t := range names {
		keep[t] = true
	}
	before := len(m.Tags)
	maps.DeleteFunc(m.Tags, func(t string, _ named) bool { return !keep[t] })
	m.changed = m.changed || len(m.Tags) != before
}

// swept notes a full round and drops what no tag names any more.
func (m *memory) swept(full bool, now time.Time) {
	if !full {
		return
	}
	m.Swept, m.changed = now, true
	used := map[digest.Digest]bool{}
	for _, n := range m.Tags {
		used[n.Digest] = true
	}
	maps.DeleteFunc(m.Images, func(dg digest.Digest, _ outline) bool { return !used[dg] })
	maps.DeleteFunc(m.Attached, func(_ string, r remembered) bool { return now.Sub(r.At) > 24*time.Hour })
}

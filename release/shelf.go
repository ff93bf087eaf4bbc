package release

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"plimsoll/registry"
	"plimsoll/release/diff"
)

// flushAt is how many bytes wait before they are written to the store in one transaction.
const flushAt = 4 << 20

// shelf reads what digests name in one repository: from this machine if it was
// ever read, else from the registry, once. Questions to the store and writes to
// it are gathered, one transaction for many digests. It is a diff.Reader.
type shelf struct {
	desk *Desk
	repo registry.Repository

	mu      sync.Mutex
	absent  map[digest.Digest]bool   // the store was asked and has none
	fresh   map[digest.Digest][]byte // read in this run, not in the store yet
	waiting int                      // bytes in fresh
	fetched int64                    // bytes that came from the registry
	trouble error                    // why the store does not keep anything
}

func (d *Desk) shelf(repo registry.Repository) *shelf {
	return &shelf{desk: d, repo: repo, absent: map[digest.Digest]bool{}, fresh: map[digest.Digest][]byte{}}
}

// content is the answer for one digest.
type content struct {
	raw []byte
	err error
}

type fetcher func(ctx context.Context, d ocispec.Descriptor) ([]byte, error)

func (s *shelf) manifest(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
	m, err := s.desk.read().Manifest(ctx, s.repo, d.Digest.String())
	return m.Raw, err
}

func (s *shelf) blob(limit int64) fetcher {
	return func(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
		return s.desk.read().Blob(ctx, s.repo, d, limit)
	}
}

// get answers for every descriptor, in order; an error is of that one only.
func (s *shelf) get(ctx context.Context, want []ocispec.Descriptor, fetch fetcher) []content {
	known := s.lookup(want)
	out := make([]content, len(want))
	group := errgroup.Group{}
	group.SetLimit(workers)
	for i, d := range want {
		if raw, ok := known[d.Digest]; ok {
			out[i].raw = raw
			continue
		}
		group.Go(func() error {
			out[i].raw, out[i].err = s.fetch(ctx, d, fetch)
			return nil
		})
	}
	_ = group.Wait() // every error is in its own answer
	return out
}

// fetch reads from the registry, within the memory that all readers share.
func (s *shelf) fetch(ctx context.Context, d ocispec.Descriptor, fetch fetcher) ([]byte, error) {
	weight := min(max(d.Size, 64<<10), registry.MaxBundle)
	if err := s.desk.transit.Acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.repo.At(d.Digest), err)
	}
	defer s.desk.transit.Release(weight)
	raw, err := fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	s.keep(d.Digest, raw)
	return raw, nil
}

// tagged reads the manifest that a tag points at, keeps it, and says what it is.
func (s *shelf) tagged(ctx context.Context, tag string) (named, error) {
	if err := s.desk.transit.Acquire(ctx, registry.MaxManifest); err != nil { // its size is not known before
		return named{}, fmt.Errorf("read %s:%s: %w", s.repo, tag, err)
	}
	defer s.desk.transit.Release(registry.MaxManifest)
	m, err := s.desk.read().Manifest(ctx, s.repo, tag)
	if err != nil {
		return named{}, err
	}
	s.keep(m.Descriptor.Digest, m.Raw)
	return named{m.Descriptor.Digest, m.Descriptor.MediaType, m.Descriptor.Size}, nil
}

// lookup is what is on this machine of want; what is not is remembered as absent.
func (s *shelf) lookup(want []ocispec.Descriptor) map[digest.Digest][]byte {
	s.mu.Lock()
	known := map[digest.Digest][]byte{}
	var ask []digest.Digest
	for _, d := range want {
		if raw, ok := s.fresh[d.Digest]; ok {
			known[d.Digest] = raw
		} else if !s.absent[d.Digest] {
			ask = append(ask, d.Digest)
		}
	}
	s.mu.Unlock()
	if len(ask) == 0 {
		return known
	}
	stored, err := s.desk.Store.Contents(ask)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.trouble = err
	}
	for _, dg := range ask {
		if raw, ok := stored[dg]; ok {
			known[dg] = raw
		} else if _, ok := s.fresh[dg]; !ok {
			s.absent[dg] = true
		}
	}
	return known
}

// keep holds raw for the store and writes when enough has gathered.
func (s *shelf) keep(dg digest.Digest, raw []byte) {
	s.mu.Lock()
	s.fetched += int64(len(raw))
	s.fresh[dg] = raw
	s.waiting += len(raw)
	full := s.waiting >= flushAt
	s.mu.Unlock()
	if full {
		s.flush()
	}
}

// flush writes what was read to the store. A store that cannot be written
// costs the cache, not the answer.
func (s *shelf) flush() {
	s.mu.Lock()
	blobs := make([][]byte, 0, len(s.fresh))
	for dg, raw := range s.fresh {
		blobs = append(blobs, raw)
		delete(s.absent, dg)
	}
	s.fresh, s.waiting = map[digest.Digest][]byte{}, 0
	s.mu.Unlock()
	if len(blobs) == 0 {
		return
	}
	if err := s.desk.Store.PutContent(blobs...); err != nil {
		s.mu.Lock()
		s.trouble = err
		s.mu.Unlock()
	}
}

// Manifests reads manifests and indexes; the first error wins.
func (s *shelf) Manifests(ctx context.Context, want ...ocispec.Descriptor) ([]registry.Manifest, error) {
	out := make([]registry.Manifest, len(want))
	for i, c := range s.get(ctx, want, s.manifest) {
		if c.err != nil {
			return nil, c.err
		}
		out[i] = registry.Manifest{Descriptor: want[i], Raw: c.raw}
	}
	return out, nil
}

// Configs reads image configurations; the first error wins.
func (s *shelf) Configs(ctx context.Context, want ...ocispec.Descriptor) ([]diff.Config, error) {
	out := make([]diff.Config, len(want))
	for i, c := range s.get(ctx, want, s.blob(registry.MaxConfig)) {
		if c.err != nil {
			return nil, c.err
		}
		var err error
		if out[i], err = diff.Reduce(c.raw, s.desk.Store.Hash); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.repo.At(want[i].Digest), err)
		}
	}
	return out, nil
}

// prefetch reads the roots of many images and asks the store about everything
// they name at once, so that describing them one by one asks nothing twice.
// What fails here fails again, with its reason, where it is needed.
func (s *shelf) prefetch(ctx context.Context, roots []ocispec.Descriptor) {
	var named []ocispec.Descriptor
	for _, c := range s.get(ctx, roots, s.manifest) {
		var doc struct {
			Config    *ocispec.Descriptor  `json:"config"`
			Manifests []ocispec.Descriptor `json:"manifests"`
		}
		if c.err != nil || json.Unmarshal(c.raw, &doc) != nil {
			continue
		}
		if doc.Config != nil {
			named = append(named, *doc.Config)
		}
		named = append(named, doc.Manifests...)
	}
	s.lookup(named)
}

var _ diff.Reader = (*shelf)(nil)

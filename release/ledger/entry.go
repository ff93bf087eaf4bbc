package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

const (
	maxEntry   = 1 << 20 // bytes of one bundle: ours have some kilobytes
	maxEntries = 50_000  // that are read of one ledger
	workers    = 16      // requests at once
	flushBytes = 4 << 20 // fetched bundles that wait for the cache
	indexKind  = "ledger.v1"
)

// place is where an entry's bundle is; immutable once it was read.
type place struct {
	Manifest digest.Digest `json:"manifest"`
	Bundle   digest.Digest `json:"bundle"`
	Size     int64         `json:"size"`
	// Believed is true for a completion that verified when it was read. Its tag
	// does not pin its digest, so others are asked for again.
	Believed bool `json:"believed,omitempty"`
}

// index is what this machine knows about a ledger: every entry it ever read.
type index map[string]place

// entry is one entry as read.
type entry struct {
	name
	place
	raw     []byte // the bundle; nil if problem is set
	problem string // why the bytes could not be had or are no entry
	missing bool   // known here, gone there
}

// loadIndex reads what is known; a cache that fails knows nothing.
func (l *Ledger) loadIndex() index {
	known := index{}
	if _, err := l.cache.Snapshot(indexKind, l.repo.String(), &known); err != nil || known == nil {
		return index{}
	}
	return known
}

// fetcher reads entries, known ones from the cache, with bounded memory.
type fetcher struct {
	*Ledger
	known index

	mu      sync.Mutex
	pending [][]byte // for the cache
	bytes   int
	changed bool
	errs    []error // what may be otherwise the next time
}

// fetch reads entries and lets judge, at the same time, and keep, one at a
// time, see each. What is no entry has its problem; what could not be
// read for reasons that pass is an error, and the others were kept.
func fetch[T any](ctx context.Context, f *fetcher, names []name, judge func(entry) T, keep func(T)) error {
	f.errs = nil
	for batch := range slices.Chunk(names, 512) {
		contents := f.contents(batch)
		group := errgroup.Group{}
		group.SetLimit(workers)
		for _, n := range batch {
			group.Go(func() error {
				e, err := f.entry(ctx, n, contents)
				if err != nil {
					f.fail(err)
					return nil
				}
				judged := judge(e)
				f.mu.Lock()
				defer f.mu.Unlock()
				keep(judged)
				return nil
			})
		}
		_ = group.Wait() // errors are in f.errs
		if len(f.errs) > 0 {
			break
		}
	}
	f.flush()
	return fault.Join(f.errs[:min(len(f.errs), 3)]...)
}

func (f *fetcher) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !errors.Is(err, registry.ErrNotFound) { // else it was removed after it was listed
		f.errs = append(f.errs, err)
	}
}

// contents are the cached bundles of a batch.
func (f *fetcher) contents(batch []name) map[digest.Digest][]byte {
	var wanted []digest.Digest
	for _, n := range batch {
		if p, ok := f.known[n.tag]; ok {
			wanted = append(wanted, p.Bundle)
		}
	}
	if many, ok := f.cache.(interface {
		Contents(dgs []digest.Digest) (map[digest.Digest][]byte, error)
	}); ok {
		found, _ := many.Contents(wanted) // a cache that fails costs requests
		return found
	}
	found := make(map[digest.Digest][]byte, len(wanted))
	for _, dg := range wanted {
		if raw, err := f.cache.Content(dg); err == nil && raw != nil {
			found[dg] = raw
		}
	}
	return found
}

// entry reads one entry. Its place is remembered with the first reading; of a
// completion only once it was believed.
func (f *fetcher) entry(ctx context.Context, n name, contents map[digest.Digest][]byte) (entry, error) {
	f.mu.Lock()
	p, known := f.known[n.tag]
	f.mu.Unlock()
	e := entry{name: n, place: p}
	if known && (n.kind != completion || p.Believed) {
		if raw := contents[p.Bundle]; digest.FromBytes(raw) == p.Bundle {
			e.raw = raw
			return e, nil
		}
	} else if err := f.locate(ctx, &e); err != nil || e.problem != "" {
		return e, err
	}
	began := time.Now()
	raw, err := f.registry.Blob(ctx, f.repo, ocispec.Descriptor{MediaType: evidence.BundleMediaType, Digest: e.Bundle, Size: e.Size}, maxEntry)
	if err != nil {
		if passing(err, began) && !errors.Is(err, registry.ErrNotFound) {
			return e, fmt.Errorf("read %s of the ledger: %w", n.tag, err)
		}
		e.problem = clean.Text("its bundle cannot be read: " + err.Error())
		return e, nil
	}
	e.raw = raw
	f.keep(e)
	return e, nil
}

// locate reads the manifest behind a tag.
func (f *fetcher) locate(ctx context.Context, e *entry) error {
	began := time.Now()
	m, err := f.registry.Manifest(ctx, f.repo, e.tag)
	if err != nil && (passing(err, began) || errors.Is(err, registry.ErrNotFound)) {
		return fmt.Errorf("read %s of the ledger: %w", e.tag, err)
	}
	if err == nil {
		e.Manifest = m.Descriptor.Digest
		e.Bundle, e.Size, err = bundleOf(m.Raw)
	}
	switch {
	case err != nil:
		e.problem = clean.Text("its manifest is no entry: " + err.Error())
	case !e.pins(e.Manifest):
		e.problem = "its tag names another manifest than " + e.Manifest.String()
	}
	return nil
}

// bundleOf is the only layer of an entry's manifest.
func bundleOf(raw []byte) (digest.Digest, int64, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", 0, fmt.Errorf("its manifest is no JSON: %w", err)
	}
	switch {
	case m.MediaType != ocispec.MediaTypeImageManifest || m.ArtifactType != evidence.BundleMediaType:
		return "", 0, fmt.Errorf("it is a %s, no signed statement", m.ArtifactType)
	case m.Subject != nil:
		return "", 0, errors.New("it hangs on a subject, which no entry does")
	case len(m.Layers) != 1 || m.Layers[0].MediaType != evidence.BundleMediaType:
		return "", 0, errors.New("it does not hold exactly one bundle")
	case m.Layers[0].Digest.Validate() != nil:
		return "", 0, errors.New("its bundle has no digest")
	case m.Layers[0].Size < 0 || m.Layers[0].Size > maxEntry:
		return "", 0, fmt.Errorf("its bundle has %d bytes, the limit is %d", m.Layers[0].Size, maxEntry)
	}
	return m.Layers[0].Digest, m.Layers[0].Size, nil
}

// keep remembers a fetched bundle and where it was.
func (f *fetcher) keep(e entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending, f.bytes = append(f.pending, e.raw), f.bytes+len(e.raw)
	if e.kind != completion {
		f.known[e.tag], f.changed = e.place, true
	}
	if f.bytes > flushBytes {
		f.flushContents()
	}
}

// believe remembers a completion that verified, and forgets one that no longer
// does, so that it is asked for again.
func (f *fetcher) believe(e entry, believed bool) {
	if f.known[e.tag].Believed == believed {
		return
	}
	f.changed = true
	if e.Believed = believed; believed {
		f.known[e.tag] = e.place
	} else {
		delete(f.known, e.tag)
	}
}

// flush writes what was learnt to the cache, the bundles before the index.
func (f *fetcher) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushContents()
	if f.changed {
		_ = f.cache.PutSnapshot(indexKind, f.repo.String(), f.known) // a cache that fails costs requests
		f.changed = false
	}
}

func (f *fetcher) flushContents() {
	if len(f.pending) > 0 {
		_ = f.cache.PutContent(f.pending...) // as above
	}
	f.pending, f.bytes = nil, 0
}

// passing tells whether an error may be gone the next time: the registry
// refused, failed, was slow or was not reached, as opposed to wrong bytes.
func passing(err error, began time.Time) bool {
	var status *registry.StatusError
	var known *fault.Error
	var network net.Error
	switch {
	case errors.Is(err, registry.ErrMismatch):
		return false
	case errors.Is(err, registry.ErrLimit):
		return time.Since(began) >= registry.AnswerTimeout // slow; else too large
	case errors.As(err, &status), errors.As(err, &known), errors.As(err, &network):
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)
}

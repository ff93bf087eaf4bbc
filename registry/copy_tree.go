package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
)

// tree reads the manifests below one root, and says no to one that is larger
// than an image has a reason to be.
type tree struct {
	client *Client
	repo   Repository
	limits *copyLimits
	slots  chan struct{}

	mu        sync.Mutex
	manifests int
	bytes     int64
	blobs     int
}

func newTree(c *Client, repo Repository, limits *copyLimits) *tree {
	return &tree{client: c, repo: repo, limits: limits, slots: make(chan struct{}, limits.reads)}
}

// parts are what a manifest names.
type parts struct {
	manifests []ocispec.Descriptor // in the order of the index, each once
	blobs     []ocispec.Descriptor // configuration and layers, in their order
}

// read reads a manifest and what it names. The size of d is checked unless it is 0, as it is for a root.
func (t *tree) read(ctx context.Context, d ocispec.Descriptor, depth int) (Manifest, parts, error) {
	if depth > MaxDepth {
		return Manifest{}, parts{}, fmt.Errorf("%s: more than %d levels of indexes: %w", t.repo.At(d.Digest), MaxDepth, ErrLimit)
	}
	if err := enter(ctx, t.slots); err != nil {
		return Manifest{}, parts{}, err
	}
	defer leave(t.slots)
	if err := t.admit(d.Size); err != nil {
		return Manifest{}, parts{}, err
	}
	m, err := t.client.Manifest(ctx, t.repo, d.Digest.String())
	if err != nil {
		return Manifest{}, parts{}, err
	}
	if d.Size == 0 {
		err = t.admit(m.Descriptor.Size)
	} else if d.Size != m.Descriptor.Size {
		err = fmt.Errorf("%s: it has %d bytes, its index says %d: %w", t.repo.At(d.Digest), m.Descriptor.Size, d.Size, ErrMismatch)
	}
	if err != nil {
		return Manifest{}, parts{}, err
	}
	p, err := m.parts()
	if err == nil {
		err = t.count(p)
	}
	if err != nil {
		return Manifest{}, parts{}, fmt.Errorf("%s: %w", t.repo.At(d.Digest), err)
	}
	return m, p, nil
}

// admit reserves room for a manifest before it is read: all of them stay in
// memory until what they name has arrived.
func (t *tree) admit(size int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if size > MaxManifest || t.bytes+size > t.limits.bytes {
		return tooLarge("the manifests of the image together", t.limits.bytes)
	}
	t.bytes += size
	return nil
}

// count adds up what is named.
func (t *tree) count(p parts) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.manifests += len(p.manifests)
	t.blobs += len(p.blobs)
	if t.manifests >= t.limits.manifests {
		return fmt.Errorf("it names more than the %d manifests that are accepted: %w", t.limits.manifests, ErrLimit)
	}
	if t.blobs > t.limits.blobs {
		return fmt.Errorf("it names more than the %d blobs that are accepted: %w", t.limits.blobs, ErrLimit)
	}
	return nil
}

// parts reads what the manifest names.
func (m Manifest) parts() (parts, error) {
	var body struct {
		Manifests []ocispec.Descriptor `json:"manifests"`
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
	}
	if err := json.Unmarshal(m.Raw, &body); err != nil {
		return parts{}, fmt.Errorf("it is no manifest: %w", redacted{err})
	}
	p := parts{manifests: body.Manifests, blobs: body.Layers}
	if body.Config != nil {
		p.blobs = append([]ocispec.Descriptor{*body.Config}, body.Layers...)
	}
	for _, d := range slices.Concat(p.manifests, p.blobs) {
		if err := d.Digest.Validate(); err != nil {
			return parts{}, fmt.Errorf("it names %q: %w", clean.Text(d.Digest.String()), err)
		}
		if d.Size < 0 {
			return parts{}, fmt.Errorf("it says that %s has %d bytes: %w", d.Digest, d.Size, ErrMismatch)
		}
	}
	return p, nil
}

// foreign tells whether the blob is a layer that registries do not keep
// (image specification, "Non-Distributable Layers"): its URLs say where it is.
func foreign(d ocispec.Descriptor) bool {
	return len(d.URLs) > 0 && (strings.Contains(d.MediaType, ".nondistributable.") || strings.Contains(d.MediaType, ".foreign."))
}

// known is what Target has for sure: all that manifests name which are
// complete there.
type known struct {
	tree *tree
	done chan struct{} // closed when all was read

	mu    sync.Mutex
	blobs map[digest.Digest]bool
}

func newKnown(c *Client, repo Repository, limits *copyLimits) *known {
	return &known{tree: newTree(c, repo, limits), done: make(chan struct{}), blobs: map[digest.Digest]bool{}}
}

// read collects the blobs of the given manifests. One that cannot be read
// makes nothing known, which costs questions and no more.
func (k *known) read(ctx context.Context, have []digest.Digest) {
	defer close(k.done)
	var wait sync.WaitGroup
	for _, dg := range have {
		if dg.Validate() == nil {
			wait.Go(func() { k.collect(ctx, ocispec.Descriptor{Digest: dg}, 1) })
		}
	}
	wait.Wait()
}

func (k *known) collect(ctx context.Context, d ocispec.Descriptor, depth int) {
	_, p, err := k.tree.read(ctx, d, depth)
	if err != nil {
		return
	}
	k.mu.Lock()
	for _, b := range p.blobs {
		k.blobs[b.Digest] = true
	}
	k.mu.Unlock()
	var wait sync.WaitGroup
	for _, child := range p.manifests {
		wait.Go(func() { k.collect(ctx, child, depth+1) })
	}
	wait.Wait()
}

// has tells whether Target has the blob for sure, when that is known.
func (k *known) has(ctx context.Context, dg digest.Digest) (bool, error) {
	select {
	case <-k.done:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blobs[dg], nil
}

// enter takes one of the places of a channel, leave gives it back.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func leave(places chan struct{}) { <-places }

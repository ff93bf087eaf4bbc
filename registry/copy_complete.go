package registry

import (
	"context"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Complete reads root back from repo: root and every manifest below it must be
// there with the right bytes, and every blob they name must be there in the
// right size, foreign layers apart. It trusts nothing that was learned before,
// and costs one round trip for each level of indexes and one for all blobs.
// What is missing has ErrNotFound in its chain.
func Complete(ctx context.Context, c *Client, repo Repository, root digest.Digest) error {
	if err := root.Validate(); err != nil {
		return fmt.Errorf("read back from %s: %w", repo, err)
	}
	group, inner := errgroup.WithContext(ctx)
	r := reader{
		tree: newTree(c, repo, &defaultCopyLimits), group: group,
		questions: make(chan struct{}, defaultCopyLimits.questions), seen: map[digest.Digest]bool{},
	}
	group.Go(func() error { return r.manifest(inner, ocispec.Descriptor{Digest: root}, 1) })
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s is not complete: %w", repo.At(root), err)
	}
	return nil
}

// reader is one reading back under way.
type reader struct {
	tree      *tree
	group     *errgroup.Group
	questions chan struct{}

	mu   sync.Mutex
	seen map[digest.Digest]bool
}

// first tells whether nobody looks at the digest yet.
func (r *reader) first(dg digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.seen[dg]
	r.seen[dg] = true
	return !was
}

func (r *reader) manifest(ctx context.Context, d ocispec.Descriptor, depth int) error {
	_, p, err := r.tree.read(ctx, d, depth)
	if err != nil {
		return err
	}
	for _, child := range p.manifests {
		if r.first(child.Digest) {
			r.group.Go(func() error { return r.manifest(ctx, child, depth+1) })
		}
	}
	for _, b := range p.blobs {
		if !foreign(b) && r.first(b.Digest) {
			r.group.Go(func() error { return r.blob(ctx, b) })
		}
	}
	return nil
}

func (r *reader) blob(ctx context.Context, d ocispec.Descriptor) error {
	if err := enter(ctx, r.questions); err != nil {
		return err
	}
	defer leave(r.questions)
	there, err := r.tree.client.holds(ctx, r.tree.repo, d)
	if err == nil && !there {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return nil
}

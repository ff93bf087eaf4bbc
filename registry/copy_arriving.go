package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Arriving watches a copy that a registry makes by itself, and tells nothing of it.
type Arriving struct {
	to     *Client
	target Repository
	blobs  []BlobProgress
}

// glance is how many missing blobs one look asks for at most.
const glance = 8

// Watch reads from source what root and all below it are made of, and watches it
// arrive in target.
func Watch(ctx context.Context, from *Client, source Repository, root digest.Digest, to *Client, target Repository) (*Arriving, error) {
	a := &Arriving{to: to, target: target}
	t, seen := newTree(from, source, &defaultCopyLimits), map[digest.Digest]bool{}
	level := []ocispec.Descriptor{{Digest: root}}
	for depth := 1; len(level) > 0; depth++ {
		var below []ocispec.Descriptor
		for _, d := range level {
			_, p, err := t.read(ctx, d, depth)
			if err != nil {
				return nil, fmt.Errorf("see what is to arrive: %w", err)
			}
			below = append(below, fresh(seen, p.manifests)...)
			for _, b := range fresh(seen, p.blobs) {
				a.blobs = append(a.blobs, BlobProgress{Digest: b.Digest, MediaType: b.MediaType, Total: b.Size, State: BlobWaiting})
			}
		}
		level = below
	}
	return a, nil
}

// fresh are those that were not seen before; foreign layers never arrive.
func fresh(seen map[digest.Digest]bool, list []ocispec.Descriptor) []ocispec.Descriptor {
	var out []ocispec.Descriptor
	for _, d := range list {
		if !seen[d.Digest] && !foreign(d) {
			seen[d.Digest] = true
			out = append(out, d)
		}
	}
	return out
}

// Look asks target for some blobs that it did not have at the last look. Bytes
// that are there count as arrived; none of them went through this machine. A
// question that fails is asked again at the next look.
func (a *Arriving) Look(ctx context.Context) Progress {
	missed := 0
	for i := range a.blobs {
		b := &a.blobs[i]
		if b.State != BlobWaiting || missed == glance || ctx.Err() != nil {
			continue
		}
		if there, err := a.to.HasBlob(ctx, a.target, b.Digest); err != nil || !there {
			missed++
			continue
		}
		b.Done, b.State = b.Total, BlobCopied
	}
	out := Progress{Blobs: slices.Clone(a.blobs)}
	for _, b := range a.blobs {
		out.Bytes, out.Total = out.Bytes+b.Done, out.Total+b.Total
		if b.State == BlobCopied {
			out.Blob++
		}
	}
	return out
}

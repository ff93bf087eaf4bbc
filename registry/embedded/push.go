package embedded

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry"
)

// Pusher is what pushing needs; *registry.Client is one.
type Pusher interface {
	HasBlob(ctx context.Context, repo registry.Repository, dg digest.Digest) (bool, error)
	PutStream(ctx context.Context, repo registry.Repository, d ocispec.Descriptor, open func() (io.ReadCloser, error)) error
	PutManifest(ctx context.Context, repo registry.Repository, reference string, m registry.Manifest) error
}

// Push builds the images (see Build), pushes what the repository does not have
// yet, and points the tags at the result. Without tags it is put by its
// digest, which is returned.
func Push(ctx context.Context, c Pusher, repo registry.Repository, tags []string, img ...Image) (digest.Digest, error) {
	b, err := Build(img...)
	if err != nil {
		return "", err
	}
	return b.Root.Descriptor.Digest, b.Push(ctx, c, repo, tags...)
}

// Push pushes blobs, children and root, in this order, and points the tags at
// the root. Without tags the root is put by its digest.
func (b Built) Push(ctx context.Context, c Pusher, repo registry.Repository, tags ...string) error {
	for _, blob := range b.Blobs {
		if err := pushBlob(ctx, c, repo, blob); err != nil {
			return err
		}
	}
	for _, m := range b.Children {
		if err := c.PutManifest(ctx, repo, m.Descriptor.Digest.String(), m); err != nil {
			return fmt.Errorf("push %s: %w", repo.At(m.Descriptor.Digest), err)
		}
	}
	if len(tags) == 0 {
		tags = []string{b.Root.Descriptor.Digest.String()}
	}
	for _, tag := range tags {
		if err := c.PutManifest(ctx, repo, tag, b.Root); err != nil {
			return fmt.Errorf("push %s as %s: %w", repo.At(b.Root.Descriptor.Digest), tag, err)
		}
	}
	return nil
}

func pushBlob(ctx context.Context, c Pusher, repo registry.Repository, b Blob) error {
	there, err := c.HasBlob(ctx, repo, b.Descriptor.Digest)
	if err == nil && !there {
		err = c.PutStream(ctx, repo, b.Descriptor, b.Open)
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", repo.At(b.Descriptor.Digest), err)
	}
	return nil
}

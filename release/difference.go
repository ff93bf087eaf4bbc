package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/release/diff"
)

// Diff tells what changes from one image to another: from nil is what prod
// points at. It reads manifests and configurations, never layers, and the
// evidence of both for vulnerabilities and base images.
func (d *Desk) Diff(ctx context.Context, service string, from *digest.Digest, to digest.Digest) (diff.Diff, error) {
	p, err := d.place(service)
	if err != nil {
		return diff.Diff{}, err
	}
	var before *diff.Image
	var fetched int64
	base, repo, err := d.base(ctx, p, from)
	if err != nil {
		return diff.Diff{}, err
	}
	if base.Digest != "" {
		image, n, err := d.portrait(ctx, p, repo, base)
		if err != nil {
			return diff.Diff{}, err
		}
		before, fetched = &image, n
	}
	root, err := d.read().Head(ctx, p.staging, to.String())
	if errors.Is(err, registry.ErrNotFound) {
		return diff.Diff{}, fault.New(fault.Failed, seeList(p), err, "%s is not in staging (any more)", p.staging.At(to))
	}
	if err != nil {
		return diff.Diff{}, err
	}
	after, n, err := d.portrait(ctx, p, p.staging, named{root.Digest, root.MediaType, root.Size})
	if err != nil {
		return diff.Diff{}, err
	}
	out := diff.Compare(before, after)
	out.FetchedBytes = fetched + n
	return out, nil
}

// base finds what the comparison starts from: prod's digest, or a digest that
// is named, in prod or else in staging.
func (d *Desk) base(ctx context.Context, p place, from *digest.Digest) (named, registry.Repository, error) {
	if from == nil {
		root, err := d.channelRoot(ctx, p)
		return root, p.prod, err
	}
	for _, repo := range []registry.Repository{p.prod, p.staging} {
		desc, err := d.read().Head(ctx, repo, from.String())
		if err == nil {
			return named{desc.Digest, desc.MediaType, desc.Size}, repo, nil
		}
		if !errors.Is(err, registry.ErrNotFound) {
			return named{}, repo, err
		}
	}
	return named{}, p.prod, fault.New(fault.Failed, "plimsoll history "+p.Name+" shows what was in prod", registry.ErrNotFound,
		"%s is neither in %s nor in %s", *from, p.prod, p.staging)
}

// portrait describes an image with what its evidence says, and counts the
// bytes that had to be read from the registry for it.
func (d *Desk) portrait(ctx context.Context, p place, repo registry.Repository, root named) (diff.Image, int64, error) {
	shelf := d.shelf(repo)
	defer shelf.flush()
	image, err := diff.Describe(ctx, shelf, root.descriptor())
	if err != nil {
		return diff.Image{}, 0, fmt.Errorf("describe %s: %w", repo.At(root.Digest), err)
	}
	tags, err := d.read().Tags(ctx, repo)
	if err != nil {
		return diff.Image{}, 0, err
	}
	f := gathering{desk: d, repo: repo, shelf: shelf, tags: tags, mu: &sync.Mutex{}}.gather(ctx, root.Digest, outlineOf(image))
	defer f.release()
	if f.err != nil {
		return diff.Image{}, 0, f.err
	}
	d.examine(p, &image, f.items)
	image.Tags = d.tagsOf(p, root.Digest)
	return image, shelf.fetched, nil
}

// tagsOf are the tags that staging had for a digest when it was listed last:
// they only tell the version of an image whose labels do not.
func (d *Desk) tagsOf(p place, dg digest.Digest) []string {
	var tags []string
	for tag, n := range d.remember(p).Tags {
		if n.Digest == dg {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

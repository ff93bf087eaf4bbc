package release

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"plimsoll/registry"
)

// attachment is a tag that carries something about a digest and is no name of
// a candidate: the referrers fallback tag (OCI distribution specification 1.1,
// "Referrers Tag Schema") and cosign's .sig, .att and .sbom.
var attachment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.[a-z]+)?$`) })

// sweep is how long the digests of tags out of view are believed. In view
// every tag is asked at every refresh, and so is every new name.
const sweep = time.Minute

// named is what a tag pointed at when it was asked last.
type named struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
}

func (n named) descriptor() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: n.MediaType, Digest: n.Digest, Size: n.Size}
}

// memory is what a service's listing remembers between refreshes: where tags
// pointed (never believed for those in view) and what images are (for good).
type memory struct {
	Swept  time.Time                 `json:"swept"` // when every tag was asked
	Tags   map[string]named          `json:"tags"`
	Images map[digest.Digest]outline `json:"images"`
	// Attached are the referrers of digests that are not candidates themselves:
	// platform manifests, and prod's digest where staging no longer lists it.
	Attached map[string]remembered `json:"attached"`

	changed bool
}

const memoryKind = "listing.v1"

// remember reads the memory of a service; an empty one if there is none.
func (d *Desk) remember(p place) *memory {
	m := &memory{}
	if found, err := d.Store.Snapshot(memoryKind, p.memoryKey(), m); err != nil || !found {
		m = &memory{}
	}
	if m.Tags == nil {
		m.Tags = map[string]named{}
	}
	if m.Images == nil {
		m.Images = map[digest.Digest]outline{}
	}
	if m.Attached == nil {
		m.Attached = map[string]remembered{}
	}
	return m
}

func (p place) memoryKey() string { return p.Name + " " + p.Staging }

// selected are the tags that may name candidates, by the service's rule. What
// no registry may call a tag is none.
func (p place) selected(tags []string) []string {
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		if tagName().MatchString(t) && !attachment().MatchString(t) && (p.Tags == nil || p.Tags.MatchString(t)) {
			out = append(out, t)
		}
	}
	return out
}

// heads asks what tags point at, 16 at a time. A tag that vanished since the
// list was read is left out; any other failure is the service's.
func (d *Desk) heads(ctx context.Context, repo registry.Repository, tags []string) (map[string]named, error) {
	answers := make([]named, len(tags))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, tag := range tags {
		group.Go(func() error {
			desc, err := d.read().Head(ctx, repo, tag)
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			answers[i] = named{desc.Digest, desc.MediaType, desc.Size}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return byTag(tags, answers), nil
}

// firsts is heads for tags that were never asked about: it reads the manifests
// at once, which the list needs next, so each costs one request and not two.
// Where a manifest cannot be read, HEAD says at least which digest that is.
func (d *Desk) firsts(ctx context.Context, s *shelf, tags []string) (map[string]named, error) {
	answers := make([]named, len(tags))
	group := errgroup.Group{}
	group.SetLimit(workers)
	for i, tag := range tags {
		group.Go(func() error {
			answers[i], _ = s.tagged(ctx, tag)
			return nil
		})
	}
	_ = group.Wait() // what failed is asked again
	found := byTag(tags, answers)
	more, err := d.heads(ctx, s.repo, without(tags, found))
	maps.Copy(found, more)
	return found, err
}

// byTag leaves out the tags without an answer.
func byTag(tags []string, answers []named) map[string]named {
	out := make(map[string]named, len(tags))
	for i, tag := range tags {
		if answers[i].Digest != "" {
			out[tag] = answers[i]
		}
	}
	return out
}

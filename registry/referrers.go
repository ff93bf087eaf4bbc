package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
)

// Fallback is the tag under which a registry without the referrers API keeps
// the referrers of a digest (distribution specification, "Referrers Tag Schema").
func Fallback(dg digest.Digest) string {
	algorithm, hex, _ := strings.Cut(dg.String(), ":")
	return cut(algorithm, 32) + "-" + cut(hex, 64)
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// Referrers lists what is attached to a digest: all pages of the referrers API
// and the fallback tag, together. tags is the tag list if the caller has it:
// then the fallback tag is asked for only if it is in it; nil: it is asked for.
// A list that cannot be read is an error, never an empty list.
func (c *Client) Referrers(ctx context.Context, repo Repository, dg digest.Digest, tags []string) (Referrers, error) {
	if err := dg.Validate(); err != nil {
		return Referrers{}, fmt.Errorf("list the referrers of a digest in %s: %w", repo, err)
	}
	found := collection{what: "the referrers of " + repo.At(dg), seen: map[digest.Digest]bool{}}
	api, err := c.referrersByAPI(ctx, repo, dg, &found)
	if err != nil {
		return Referrers{}, err
	}
	if tags == nil || slices.Contains(tags, Fallback(dg)) {
		if err := c.referrersByTag(ctx, repo, dg, &found); err != nil {
			return Referrers{}, err
		}
	}
	return Referrers{Descriptors: found.list, API: api}, nil
}

// collection gathers descriptors without duplicates, up to the limit.
type collection struct {
	what string
	list []ocispec.Descriptor
	seen map[digest.Digest]bool
}

// add takes the descriptors of an index.
func (f *collection) add(raw []byte) error {
	list, err := descriptors(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", f.what, err)
	}
	for _, d := range list {
		if f.seen[d.Digest] {
			continue
		}
		if len(f.list) == MaxPerDigest {
			return fmt.Errorf("%s are more than the %d that are read: %w", f.what, MaxPerDigest, ErrLimit)
		}
		f.seen[d.Digest] = true
		f.list = append(f.list, d)
	}
	return nil
}

// descriptors reads the manifests of an index of referrers.
func descriptors(raw []byte) ([]ocispec.Descriptor, error) {
	var index struct {
		MediaType string               `json:"mediaType"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("the list is no JSON: %w", redacted{err})
	}
	if index.MediaType != ocispec.MediaTypeImageIndex && index.MediaType != DockerList &&
		(index.MediaType != "" || index.Manifests == nil) {
		return nil, errors.New("the list is no index of referrers")
	}
	for i, d := range index.Manifests {
		if err := d.Digest.Validate(); err != nil || d.Size < 0 {
			return nil, fmt.Errorf("the list names a referrer without a usable digest or size: %q", clean.Text(d.Digest.String()))
		}
		index.Manifests[i] = cleaned(d)
	}
	return index.Manifests, nil
}

// cleaned is d with harmless text, and without what nobody may trust.
func cleaned(d ocispec.Descriptor) ocispec.Descriptor {
	d.MediaType, d.ArtifactType = clean.Text(d.MediaType), clean.Text(d.ArtifactType)
	d.URLs, d.Data, d.Platform = nil, nil, nil
	if len(d.Annotations) > 0 {
		annotations := make(map[string]string, len(d.Annotations))
		for k, v := range d.Annotations {
			annotations[clean.Text(k)] = clean.Text(v)
		}
		d.Annotations = annotations
	}
	return d
}

// referrersByAPI reads all pages of the referrers API; false if the registry has none.
func (c *Client) referrersByAPI(ctx context.Context, repo Repository, dg digest.Digest, found *collection) (bool, error) {
	h := c.host(repo.Host)
	if has, known := h.fact(h.referrers, repo); known && !has {
		return false, nil
	}
	list := listing{
		repo: repo, what: found.what, accept: ocispec.MediaTypeImageIndex, here: true,
		page: MaxReferrers, pages: MaxPerDigest,
	}
	begun := false
	err := c.pages(ctx, list, c.url(repo, "referrers/"+dg.String()), func(resp *http.Response, raw []byte) error {
		if !begun && mediaType(resp) == "text/html" {
			return errNoAPI
		}
		begun = true
		return found.add(raw)
	})
	switch {
	case err == nil:
		h.learn(h.referrers, repo, true)
		return true, nil
	case !begun && noSuchAPI(err):
		if !unknownName(err) {
			h.learn(h.referrers, repo, false)
		}
		return false, nil
	}
	return false, fmt.Errorf("list %s: %w", found.what, err)
}

// errNoAPI is an answer that only a web site gives.
var errNoAPI = errors.New("the registry has no referrers API")

// noSuchAPI tells whether an answer means that there is no referrers API. The
// specification asks for 404; seen besides: 405 (ECR), and redirects to a web
// site (ghcr.io to github.com with 303, registry.k8s.io to a page to log in).
func noSuchAPI(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return errors.Is(err, errNoAPI)
	}
	return status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed ||
		status.Status == http.StatusNotImplemented || redirects(status.Status)
}

// unknownName tells whether an answer is about a repository or manifest that
// does not exist: it says nothing about the API.
func unknownName(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Code == "NAME_UNKNOWN" || status.Code == "MANIFEST_UNKNOWN")
}

// referrersByTag reads the fallback tag; one that is not there lists nothing.
func (c *Client) referrersByTag(ctx context.Context, repo Repository, dg digest.Digest, found *collection) error {
	index, err := c.fallbackIndex(ctx, repo, dg)
	if err != nil || index.Raw == nil {
		return err
	}
	return found.add(index.Raw)
}

// fallbackIndex is the index under the fallback tag; empty if there is none.
// GitLab's registry takes the tag for another spelling of the digest and answers
// with the subject itself, whose platforms are no referrers.
func (c *Client) fallbackIndex(ctx context.Context, repo Repository, dg digest.Digest) (Manifest, error) {
	m, err := c.Manifest(ctx, repo, Fallback(dg))
	if errors.Is(err, ErrNotFound) || err == nil && dg.Algorithm().FromBytes(m.Raw) == dg {
		return Manifest{}, nil
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("list the referrers of %s: %w", repo.At(dg), err)
	}
	return m, nil
}

// HasReferrersAPI tells whether the registry itself keeps the referrers of this
// repository. The answer is remembered until Close, unless the registry says
// that the repository does not exist (false).
func (c *Client) HasReferrersAPI(ctx context.Context, repo Repository) (bool, error) {
	h := c.host(repo.Host)
	if has, known := h.fact(h.referrers, repo); known {
		return has, nil
	}
	found := collection{what: "the referrers of " + repo.At(emptyBlob), seen: map[digest.Digest]bool{}}
	return c.referrersByAPI(ctx, repo, emptyBlob, &found)
}

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
)

// attachPace is how patiently a fallback index is updated.
type attachPace struct {
	settle   time.Duration // least time after which a write is looked at again
	attempts int
}

var defaultPace = attachPace{settle: 250 * time.Millisecond, attempts: 25}

// Attach writes a manifest that has a subject, by digest, and sees to it that
// the subject's referrers list it: where the registry keeps no referrers
// itself, in the index under the fallback tag. Its blobs have to be there.
func (c *Client) Attach(ctx context.Context, repo Repository, m Manifest) error {
	d, subject, err := attachment(m)
	if err != nil {
		return fmt.Errorf("attach to an image in %s: %w", repo, err)
	}
	listed, err := c.putManifest(ctx, repo, d.Digest.String(), m, anytime)
	if err != nil {
		return err
	}
	// The header alone proves nothing: a registry without the API was seen to send it.
	h := c.host(repo.Host)
	if api, known := h.fact(h.referrers, repo); known && api && listed {
		return nil
	}
	found := collection{what: "the referrers of " + repo.At(subject), seen: map[digest.Digest]bool{}}
	api, err := c.referrersByAPI(ctx, repo, subject, &found)
	if err != nil || api && (listed || found.seen[d.Digest]) {
		return err
	}
	return c.listUnderTag(ctx, repo, subject, d)
}

// attachment is the descriptor of m as a referrer, and its subject.
func attachment(m Manifest) (ocispec.Descriptor, digest.Digest, error) {
	var body struct {
		ArtifactType string              `json:"artifactType"`
		Config       *ocispec.Descriptor `json:"config"`
		Subject      *ocispec.Descriptor `json:"subject"`
		Annotations  map[string]string   `json:"annotations"`
	}
	if err := json.Unmarshal(m.Raw, &body); err != nil {
		return ocispec.Descriptor{}, "", fmt.Errorf("its manifest is no JSON: %w", redacted{err})
	}
	if body.Subject == nil || body.Subject.Digest.Validate() != nil {
		return ocispec.Descriptor{}, "", fmt.Errorf("its manifest names no subject")
	}
	dg, kind, err := m.identity("")
	if err != nil {
		return ocispec.Descriptor{}, "", err
	}
	if body.ArtifactType == "" && body.Config != nil {
		body.ArtifactType = body.Config.MediaType
	}
	return ocispec.Descriptor{
		MediaType: kind, Digest: dg, Size: int64(len(m.Raw)),
		ArtifactType: body.ArtifactType, Annotations: body.Annotations,
	}, body.Subject.Digest, nil
}

// listUnderTag adds d to the fallback index. OCI has no conditional write, so
// whoever writes between our reading and our writing is overwritten, and we by
// others: after each write it waits longer than such a gap lasts, looks
// again, and repeats after a random time until the entry stays.
func (c *Client) listUnderTag(ctx context.Context, repo Repository, subject digest.Digest, d ocispec.Descriptor) error {
	settle, last := c.pace.settle, errors.New("others keep overwriting it")
	for range c.pace.attempts {
		start := c.now()
		done, err := c.addOnce(ctx, repo, subject, d)
		switch {
		case done:
			return nil
		case err != nil && !passing(err):
			return err
		case err != nil:
			last = err
		}
		settle = max(settle, 4*c.now().Sub(start))
		if err := c.sleep(ctx, settle+rand.N(settle)); err != nil { //nolint:gosec // jitter, no secret
			return fmt.Errorf("attach %s to %s: %w", d.Digest, repo.At(subject), err)
		}
	}
	return fault.New(fault.Failed, "run it again in a moment", last,
		"attach %s: it did not stay in the list %s", d.Digest, named(repo, Fallback(subject)))
}

// passing tells whether an error may be gone at the next attempt.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return temporary(&http.Response{StatusCode: status.Status}, nil)
	}
	return lost(err)
}

// addOnce is done if the index has d; else it writes the index with d, which
// has to be looked at again.
func (c *Client) addOnce(ctx context.Context, repo Repository, subject digest.Digest, d ocispec.Descriptor) (done bool, err error) {
	current, err := c.fallbackIndex(ctx, repo, subject)
	if err != nil {
		return false, err
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	if current.Raw != nil {
		if err := json.Unmarshal(current.Raw, &index); err != nil {
			return false, fmt.Errorf("the index %s is no JSON: %w", named(repo, Fallback(subject)), redacted{err})
		}
		if _, err := descriptors(current.Raw); err != nil {
			return false, fmt.Errorf("%s: %w", named(repo, Fallback(subject)), err)
		}
	}
	if has(index.Manifests, d.Digest) {
		return true, nil
	}
	if len(index.Manifests) >= MaxPerDigest {
		return false, fmt.Errorf("%s lists %d referrers already, the most that are read: %w", named(repo, Fallback(subject)), MaxPerDigest, ErrLimit)
	}
	index.Manifests = append(index.Manifests, d)
	raw, err := json.Marshal(index)
	if err != nil {
		return false, fmt.Errorf("write the index %s: %w", named(repo, Fallback(subject)), err)
	}
	_, err = c.putManifest(ctx, repo, Fallback(subject), Manifest{
		Descriptor: ocispec.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(raw)}, Raw: raw,
	}, never) // a late write would overwrite what came between
	return false, err
}

// has tells whether a list names a digest.
func has(list []ocispec.Descriptor, dg digest.Digest) bool {
	return slices.ContainsFunc(list, func(d ocispec.Descriptor) bool { return d.Digest == dg })
}

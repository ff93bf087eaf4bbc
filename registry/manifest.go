package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	_ "crypto/sha512" // digests may be sha512 (image specification, "Digests")

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// Media types of Docker's image manifest, version 2, schema 2.
const (
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// manifestTypes are the manifests that we can read.
var manifestTypes = []string{ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest, DockerList, DockerManifest}

var accept = strings.Join(manifestTypes, ", ")

// Head asks for the digest, size and type of a tag or digest. Where the answer
// to HEAD names no digest, the manifest is read instead.
func (c *Client) Head(ctx context.Context, repo Repository, reference string) (ocispec.Descriptor, error) {
	req, err := c.manifestRequest(ctx, http.MethodHead, repo, reference, nil)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	resp, err := c.exchange(ctx, pull(repo), req, AnswerTimeout)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if resp.StatusCode == http.StatusOK {
		defer discard(resp)
		if d, ok, err := headDescriptor(repo, reference, resp); ok || err != nil {
			return d, err
		}
	} else if err := c.failed(pull(repo), resp); headFails(resp.StatusCode) {
		return ocispec.Descriptor{}, err
	}
	m, err := c.Manifest(ctx, repo, reference)
	return m.Descriptor, err
}

// headFails tells whether a GET would not be answered better than the HEAD was.
func headFails(status int) bool {
	return status != http.StatusMethodNotAllowed && status != http.StatusNotImplemented && !redirects(status)
}

// headDescriptor reads the headers of a HEAD; false if they do not say enough.
func headDescriptor(repo Repository, reference string, resp *http.Response) (ocispec.Descriptor, bool, error) {
	d := ocispec.Descriptor{
		MediaType: mediaType(resp), Size: resp.ContentLength,
		Digest: digest.Digest(resp.Header.Get("Docker-Content-Digest")),
	}
	asked := digest.Digest(reference)
	byDigest := asked.Validate() == nil
	if d.Digest == "" && byDigest {
		d.Digest = asked
	}
	known := d.Digest.Validate() == nil && d.Size > 0 && slices.Contains(manifestTypes, d.MediaType)
	if !known {
		return d, false, nil
	}
	if byDigest && d.Digest.Algorithm() == asked.Algorithm() && d.Digest != asked {
		return ocispec.Descriptor{}, false, fmt.Errorf("%s: the registry answered with %s: %w", repo.At(asked), d.Digest, ErrMismatch)
	}
	if byDigest {
		d.Digest = asked
	}
	if d.Size > MaxManifest {
		return ocispec.Descriptor{}, false, tooLarge("the manifest "+named(repo, reference), MaxManifest)
	}
	return d, true, nil
}

// Manifest reads the manifest or index of a tag or digest. Its bytes match the digest that was asked
// for, or for a tag the one that the registry names; else the error has ErrMismatch in its chain.
func (c *Client) Manifest(ctx context.Context, repo Repository, reference string) (Manifest, error) {
	req, err := c.manifestRequest(ctx, http.MethodGet, repo, reference, nil)
	if err != nil {
		return Manifest{}, err
	}
	what := "the manifest " + named(repo, reference)
	resp, raw, err := c.fetch(ctx, pull(repo), req, MaxManifest, what)
	if err != nil {
		return Manifest{}, err
	}
	want := digest.Digest(reference)
	if want.Validate() != nil {
		want = digest.Digest(resp.Header.Get("Docker-Content-Digest"))
	}
	if want.Validate() != nil {
		want = digest.FromBytes(raw)
	}
	if got := want.Algorithm().FromBytes(raw); got != want {
		return Manifest{}, fmt.Errorf("%s: its bytes are %s, not %s: %w", what, got, want, ErrMismatch)
	}
	m := Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: mediaType(resp), Digest: want}}
	if err := m.complete(); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", what, err)
	}
	return m, nil
}

// complete fills the descriptor in from the bytes, and refuses bytes that
// different readers would read differently.
func (m *Manifest) complete() error {
	var body struct {
		MediaType    string          `json:"mediaType"`
		ArtifactType string          `json:"artifactType"`
		Manifests    json.RawMessage `json:"manifests"`
		Layers       json.RawMessage `json:"layers"`
		Config       json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(m.Raw, &body); err != nil {
		return fmt.Errorf("it is no JSON: %w", redacted{err})
	}
	index := body.Manifests != nil
	if index && (body.Layers != nil || body.Config != nil) {
		return fmt.Errorf("it claims to be an index and an image at once: %w", ErrMismatch)
	}
	given := m.Descriptor.MediaType
	if body.MediaType != "" && slices.Contains(manifestTypes, given) && body.MediaType != given {
		return fmt.Errorf("the registry calls it %s, it calls itself %s: %w", given, clean.Text(body.MediaType), ErrMismatch)
	}
	switch {
	case body.MediaType != "":
		given = body.MediaType
	case slices.Contains(manifestTypes, given):
	case index:
		given = ocispec.MediaTypeImageIndex
	case body.Config != nil:
		given = ocispec.MediaTypeImageManifest
	}
	if !slices.Contains(manifestTypes, given) {
		return fmt.Errorf("its type %q is no OCI or Docker schema 2 manifest", clean.Text(given))
	}
	if index != (given == ocispec.MediaTypeImageIndex || given == DockerList) {
		return fmt.Errorf("its content is not what its type %s says: %w", given, ErrMismatch)
	}
	m.Descriptor.MediaType, m.Descriptor.Size = given, int64(len(m.Raw))
	m.Descriptor.ArtifactType = clean.Text(body.ArtifactType)
	return nil
}

// PutManifest writes a manifest under a tag or under its digest. A tag is not
// written again after a lost connection or a failing server, because others may have moved
// it since: read it, then decide.
func (c *Client) PutManifest(ctx context.Context, repo Repository, reference string, m Manifest) error {
	late := anytime
	if digest.Digest(reference).Validate() != nil {
		late = soon
	}
	_, err := c.putManifest(ctx, repo, reference, m, late)
	if c.already(ctx, repo, reference, m.Descriptor.Digest, err) {
		return nil
	}
	return err
}

// putManifest also tells whether the registry lists the manifest's subject itself.
func (c *Client) putManifest(ctx context.Context, repo Repository, reference string, m Manifest, late lateness) (subject bool, err error) {
	dg, kind, err := m.identity(reference)
	if err != nil {
		return false, fmt.Errorf("write manifest %s: %w", named(repo, reference), err)
	}
	req, err := c.manifestRequest(ctx, http.MethodPut, repo, reference, m.Raw)
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", kind)
	in := push(repo)
	in.late = late
	resp, err := c.exchange(ctx, in, req, AnswerTimeout)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return false, c.failed(in, resp)
	}
	discard(resp)
	if got := digest.Digest(resp.Header.Get("Docker-Content-Digest")); got.Validate() == nil && got.Algorithm() == dg.Algorithm() && got != dg {
		return false, fmt.Errorf("write manifest %s: the registry stored %s instead of %s: %w", named(repo, reference), got, dg, ErrMismatch)
	}
	return resp.Header.Get("OCI-Subject") != "", nil
}

// identity is the digest and type under which m is written to reference.
func (m Manifest) identity(reference string) (digest.Digest, string, error) {
	if int64(len(m.Raw)) > MaxManifest {
		return "", "", tooLarge("the manifest", MaxManifest)
	}
	dg := m.Descriptor.Digest
	if asked := digest.Digest(reference); asked.Validate() == nil {
		if dg != "" && dg != asked {
			return "", "", fmt.Errorf("its digest is %s: %w", dg, ErrMismatch)
		}
		dg = asked
	}
	if dg == "" {
		dg = digest.FromBytes(m.Raw)
	}
	if dg.Validate() != nil || dg.Algorithm().FromBytes(m.Raw) != dg {
		return "", "", fmt.Errorf("its bytes are not %s: %w", dg, ErrMismatch)
	}
	full := Manifest{Raw: m.Raw, Descriptor: ocispec.Descriptor{MediaType: m.Descriptor.MediaType}}
	if err := full.complete(); err != nil {
		return "", "", err
	}
	return dg, full.Descriptor.MediaType, nil
}

// manifestRequest checks the reference, which becomes part of a URL.
func (c *Client) manifestRequest(ctx context.Context, method string, repo Repository, reference string, body []byte) (*http.Request, error) {
	if digest.Digest(reference).Validate() != nil && !tagName().MatchString(reference) {
		return nil, fault.New(fault.Usage, "a tag has letters, digits and . _ -, at most 128", nil,
			"%q is neither a tag nor a digest", clean.Text(reference))
	}
	req, err := request(ctx, method, c.url(repo, "manifests/"+reference), body)
	if err == nil && method != http.MethodPut {
		req.Header.Set("Accept", accept)
	}
	return req, err
}

// mediaType is the Content-Type of an answer without its parameters.
func mediaType(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	}
	return strings.ToLower(strings.TrimSpace(kind))
}

// named is a reference of a tag or digest for people.
func named(repo Repository, reference string) string {
	if digest.Digest(reference).Validate() == nil {
		return repo.String() + "@" + reference
	}
	return repo.String() + ":" + reference
}

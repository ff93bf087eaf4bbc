package registry

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Blob reads a blob that is no layer, at most limit and d.Size bytes, and
// verifies it. An empty digest or a size of less than zero is an error.
func (c *Client) Blob(ctx context.Context, repo Repository, d ocispec.Descriptor, limit int64) ([]byte, error) {
	if err := d.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("read a blob of %s: %w", repo, err)
	}
	what := "the blob " + repo.At(d.Digest)
	if d.Size < 0 || d.Size > limit {
		return nil, tooLarge(what, limit)
	}
	req, err := request(ctx, http.MethodGet, c.url(repo, "blobs/"+d.Digest.String()), nil)
	if err != nil {
		return nil, err
	}
	_, raw, err := c.fetch(ctx, pull(repo), req, d.Size, what)
	if err != nil {
		return nil, err
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest || int64(len(raw)) != d.Size {
		return nil, fmt.Errorf("%s: its %d bytes are %s: %w", what, len(raw), got, ErrMismatch)
	}
	return raw, nil
}

// HasBlob tells whether the repository has the blob.
func (c *Client) HasBlob(ctx context.Context, repo Repository, dg digest.Digest) (bool, error) {
	if err := dg.Validate(); err != nil {
		return false, fmt.Errorf("look for a blob in %s: %w", repo, err)
	}
	there, _, err := c.headBlob(ctx, repo, dg)
	return there, err
}

// headBlob tells whether the repository has the blob, and its bytes, -1 if the
// answer does not say.
func (c *Client) headBlob(ctx context.Context, repo Repository, dg digest.Digest) (there bool, size int64, err error) {
	req, err := request(ctx, http.MethodHead, c.url(repo, "blobs/"+dg.String()), nil)
	if err != nil {
		return false, 0, err
	}
	resp, err := c.exchange(ctx, pull(repo), req, AnswerTimeout)
	if err != nil {
		return false, 0, err
	}
	switch {
	case resp.StatusCode == http.StatusOK && resp.ContentLength > 0:
		discard(resp)
		return true, resp.ContentLength, nil
	case resp.StatusCode == http.StatusOK || redirects(resp.StatusCode): // it is there, or its bytes are elsewhere
		discard(resp)
		return true, -1, nil
	case resp.StatusCode == http.StatusNotFound:
		discard(resp)
		return false, 0, nil
	}
	return false, 0, c.failed(pull(repo), resp)
}

// emptyBlob is `{}`, the configuration of every artifact (image
// specification, "Guidance for an empty descriptor"): it is there as a rule.
var emptyBlob = ocispec.DescriptorEmptyJSON.Digest

// PutBlob writes a blob that is no layer, from memory: in one POST where the
// registry takes that (distribution specification, end-4b), else in two requests.
func (c *Client) PutBlob(ctx context.Context, repo Repository, raw []byte) error {
	dg := digest.FromBytes(raw)
	if dg == emptyBlob {
		if there, err := c.HasBlob(ctx, repo, dg); there && err == nil {
			return nil
		}
	}
	h := c.host(repo.Host)
	whole := true
	if can, known := h.fact(h.onePost, repo); known {
		whole = can
	}
	resp, err := c.openUpload(ctx, repo, dg, raw, whole)
	if err != nil {
		return err
	}
	h.learn(h.onePost, repo, whole && resp.StatusCode == http.StatusCreated)
	if resp.StatusCode == http.StatusCreated {
		discard(resp)
		return nil
	}
	return c.finishUpload(ctx, repo, dg, raw, resp)
}

// openUpload posts the whole blob, or asks for a place to put it. The answer is
// 201 or 202.
func (c *Client) openUpload(ctx context.Context, repo Repository, dg digest.Digest, raw []byte, whole bool) (*http.Response, error) {
	target, body := c.url(repo, "blobs/uploads/"), []byte(nil)
	if whole {
		target, body = target+"?digest="+url.QueryEscape(dg.String()), raw
	}
	req, err := request(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, err
	}
	if whole {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := c.exchange(ctx, push(repo), req, uploadTime(body))
	if err != nil {
		return nil, err
	}
	switch s := resp.StatusCode; {
	case s == http.StatusAccepted || s == http.StatusCreated && whole:
		return resp, nil
	case whole && refusesWhole(s):
		discard(resp)
		return c.openUpload(ctx, repo, dg, raw, false)
	}
	return nil, c.failed(push(repo), resp)
}

// refusesWhole tells whether a registry may dislike the whole blob in one POST
// rather than the identity or the number of requests: then two requests are tried.
func refusesWhole(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500 || status == http.StatusNotImplemented
}

// finishUpload puts the whole blob to the place that the registry named.
func (c *Client) finishUpload(ctx context.Context, repo Repository, dg digest.Digest, raw []byte, opened *http.Response) error {
	place, err := c.location(opened)
	discard(opened)
	if err != nil {
		return err
	}
	query := place.Query()
	query.Set("digest", dg.String())
	place.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, place.String(), bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("write a blob to %s: %w", repo, redacted{err})
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.exchange(ctx, push(repo), req, uploadTime(raw))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent {
		return c.failed(push(repo), resp)
	}
	discard(resp)
	return nil
}

// uploadTime is AnswerTimeout after the time that the body may take at 64 kB/s.
func uploadTime(body []byte) time.Duration {
	return AnswerTimeout + time.Duration(len(body)/(64<<10))*time.Second
}

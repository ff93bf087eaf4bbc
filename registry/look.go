package registry

import (
	"context"
	"net/http"
	"time"
)

// What is asked of a client not to do something, but to learn what could be done.

// Beside makes another client with the options of this one, after edit changed
// them. It shares no connection, credential or token with it; the caller closes it.
func (c *Client) Beside(edit func(*Options)) *Client {
	o := c.options
	edit(&o)
	return New(o)
}

// CanPush tells whether the identity may write to the repository: it opens an
// upload and cancels it. A refusal is the error.
func (c *Client) CanPush(ctx context.Context, repo Repository) error {
	_, err := c.TryPush(ctx, repo)
	return err
}

// TryPush is CanPush that also tells whether the registry did not let the
// upload be cancelled: some ask for the right to delete. Such an upload holds
// no bytes and expires. It is cancelled even if ctx ends once it is open.
func (c *Client) TryPush(ctx context.Context, repo Repository) (left bool, err error) {
	req, err := request(ctx, http.MethodPost, c.url(repo, "blobs/uploads/"), nil)
	if err != nil {
		return false, err
	}
	resp, err := c.exchange(ctx, push(repo), req, AnswerTimeout)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusCreated {
		return false, c.failed(push(repo), resp)
	}
	place, err := c.location(resp)
	discard(resp)
	if err != nil {
		return true, err
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), AnswerTimeout)
	defer done()
	cancel, err := request(ctx, http.MethodDelete, place.String(), nil)
	if err != nil {
		return true, err
	}
	// Whatever comes of it, the right to push is proved.
	resp, err = c.exchange(ctx, push(repo), cancel, AnswerTimeout)
	if err != nil {
		return true, nil //nolint:nilerr // told by left
	}
	defer discard(resp)
	return resp.StatusCode >= http.StatusMultipleChoices, nil
}

// Locks tells whether promoted manifests and tags can be locked on a host.
func (c *Client) Locks(name string) bool {
	_, ok := provided[Locker](c, name)
	return ok
}

// Challenged tells whether a host has asked this client to prove who it is.
// What it answered after that, it answered to the identity.
func (c *Client) Challenged(name string) bool { return c.host(name).login.current() != nil }

// Certificate is when the certificate that a host showed last ends; false
// before an answer over TLS.
func (c *Client) Certificate(name string) (ends time.Time, known bool) {
	h := c.host(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends, !h.ends.IsZero()
}

// keepCertificate remembers when the first certificate of the chain to end does.
func (h *host) keepCertificate(resp *http.Response) {
	if resp.TLS == nil || len(resp.TLS.PeerCertificates) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = resp.TLS.PeerCertificates[0].NotAfter
}

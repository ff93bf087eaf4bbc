package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// errRestart is in the chain of an error about a body that was refused for an
// old token and can be read only once: the whole transfer has to start again.
var errRestart = errors.New("the token was refused while sending; start the transfer again")

// authorized sends req with what the host is known to want, and once more with
// a new proof of identity if the host asks for one.
func (c *Client) authorized(ctx context.Context, h *host, in access, req *http.Request, limit time.Duration) (*http.Response, error) {
	if !h.owns(req.URL) { // an upload or download elsewhere: no credential
		req.Header.Del("Authorization")
		return c.sendAndFollow(ctx, h, in, req, limit)
	}
	if in.basic {
		if err := c.provePassword(ctx, h, req); err != nil {
			return nil, err
		}
		return c.sendAndFollow(ctx, h, in, req, limit)
	}
	if err := c.meet(ctx, h, req); err != nil {
		return nil, err
	}
	if err := c.prove(ctx, h, in.scopes(), req); err != nil {
		return nil, err
	}
	sent := req.Header.Get("Authorization")
	resp, err := c.sendAndFollow(ctx, h, in, req, limit)
	if err != nil {
		return nil, err
	}
	if !h.owns(resp.Request.URL) || !unauthorized(resp) && !c.tokenEnded(ctx, h, resp, sent) {
		h.login.answered()
		return resp, nil
	}
	return c.again(ctx, h, in, req, resp, sent, limit)
}

// again answers a 401: it proves the identity anew and repeats the request,
// unless nothing new could be said. Then the 401 is the answer.
func (c *Client) again(ctx context.Context, h *host, in access, req *http.Request, resp *http.Response, sent string, limit time.Duration) (*http.Response, error) {
	asked := challenged(resp)
	if asked == nil && !unauthorized(resp) {
		asked = h.login.current()
	}
	if asked == nil {
		return resp, nil
	}
	h.login.met(asked)
	h.login.drop(sent)
	scopes := in.scopes()
	if asked.scheme == "bearer" {
		scopes = in.wanted(asked)
	} else if sent != "" {
		h.login.refused() // its source may have a new one
	}
	repeat := req.Clone(ctx)
	if err := c.prove(ctx, h, scopes, repeat); err != nil {
		discard(resp)
		return nil, err
	}
	if repeat.Header.Get("Authorization") == sent {
		return resp, nil
	}
	discard(resp)
	if !replayable(req) {
		return nil, fmt.Errorf("%s %s: %w", req.Method, plain(req.URL), errRestart)
	}
	repeat, err := afresh(ctx, repeat)
	if err != nil {
		return nil, err
	}
	return c.sendAndFollow(ctx, h, in, repeat, limit)
}

// sendAndFollow sends req and follows the redirects of a GET.
func (c *Client) sendAndFollow(ctx context.Context, h *host, in access, req *http.Request, limit time.Duration) (*http.Response, error) {
	resp, err := c.send(ctx, h, req.Method, req, limit)
	if err != nil {
		return nil, err
	}
	return c.follow(ctx, h, in, req, resp, limit)
}

// meet asks a host that was never asked before how it wants to be asked, if req
// has a body: sending that body in vain costs more than the question.
func (c *Client) meet(ctx context.Context, h *host, req *http.Request) error {
	if req.Body == nil || req.Body == http.NoBody || h.login.known() {
		return nil
	}
	ping, err := request(ctx, http.MethodGet, h.base+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, h, http.MethodGet, ping, AnswerTimeout)
	if err != nil {
		return err
	}
	defer discard(resp)
	if asked := challenged(resp); unauthorized(resp) && asked != nil {
		h.login.met(asked)
	} else {
		h.login.answered()
	}
	return nil
}

// prove sets the Authorization that the host's challenge asks for; without a
// challenge or a credential it sets none.
func (c *Client) prove(ctx context.Context, h *host, scopes []string, req *http.Request) error {
	req.Header.Del("Authorization")
	asked := h.login.current()
	if asked == nil {
		return nil
	}
	if asked.scheme == "bearer" {
		token, err := c.token(ctx, h, asked, scopes)
		if err == nil && token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return err
	}
	return c.provePassword(ctx, h, req)
}

// provePassword sets the user name and password themselves, if there are any.
func (c *Client) provePassword(ctx context.Context, h *host, req *http.Request) error {
	req.Header.Del("Authorization")
	done, err := h.login.wait(ctx)
	if err != nil {
		return err
	}
	defer done()
	cred, err := h.login.credential(ctx, c.now())
	if err != nil {
		return err
	}
	if cred.password != "" {
		req.SetBasicAuth(cred.username, cred.password)
	}
	return nil
}

// tokenEnded tells whether a refusal is about a token that has ended: ECR says
// 403 where the specification wants 401. The answer can still be read. That to a
// HEAD has no words: then the registry is asked for them.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html
func (c *Client) tokenEnded(ctx context.Context, h *host, resp *http.Response, sent string) bool {
	if resp.StatusCode != http.StatusForbidden || !strings.HasPrefix(sent, "Basic ") {
		return false
	}
	if resp.Request.Method == http.MethodHead {
		ping, err := request(ctx, http.MethodGet, h.base+"/v2/", nil)
		if err != nil {
			return false
		}
		ping.Header.Set("Authorization", sent)
		if resp, err = c.send(ctx, h, http.MethodGet, ping, AnswerTimeout); err != nil {
			return false
		}
		defer discard(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(raw), resp.Body}
	return err == nil && resp.StatusCode == http.StatusForbidden && bytes.Contains(raw, []byte("authorization token has expired"))
}

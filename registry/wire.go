package registry

import (
	"context"
	"errors"
	"maps"
	"net/http"
)

// Wire is a provider's way to its own registry: on the client's connections,
// with its retries, limits, trace and read-only rule.
type Wire struct {
	client *Client
	name   string
}

// Purpose is what the client's identity may be used for.
func (w *Wire) Purpose() Purpose { return w.client.options.Purpose }

// URL is the address of path, such as "/oauth2/exchange", on the registry.
func (w *Wire) URL(path string) string { return w.client.host(w.name).base + path }

// Post sends a request about tokens to the registry, without a credential of the client, and reads
// an answer 200; another is an error with a StatusError in its chain. It is sent
// again after 429, 5xx and lost connections, and waits as long as Retry-After says. The caller
// registered what is secret in it.
func (w *Wire) Post(ctx context.Context, path, contentType string, body []byte) ([]byte, error) {
	h := w.client.host(w.name)
	req, err := request(ctx, http.MethodPost, h.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := w.client.askToken(ctx, h, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, w.client.failedAt(h, resp, "token service of ")
	}
	return readBody(resp, maxToken, "the token answer of "+h.name)
}

// Call is one request of a provider with the client's credential.
type Call struct {
	Method  string
	Path    string // with the query: "/acr/v1/…"
	Repo    Repository
	Actions string // of the token: "metadata_read"; "": pull
	Basic   bool   // no token: send the user name and password themselves
	Header  http.Header
	Body    []byte
	Type    string // of the body
	Most    int64  // bytes of the answer, 0: MaxTagPage
	What    string // the answer, for errors
}

// Do sends a request with the client's credential and returns its answer 200
// or 202; another is an error with a StatusError in its chain.
func (w *Wire) Do(ctx context.Context, call Call) ([]byte, error) {
	h := w.client.host(w.name)
	req, err := request(ctx, call.Method, h.base+call.Path, call.Body)
	if err != nil {
		return nil, err
	}
	if call.Type != "" {
		req.Header.Set("Content-Type", call.Type)
	}
	maps.Copy(req.Header, call.Header)
	in := access{repo: call.Repo, actions: call.Actions, basic: call.Basic}
	resp, err := w.client.exchange(ctx, in, req, AnswerTimeout)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return nil, w.client.failed(in, resp)
	}
	return readBody(resp, call.most(), call.What)
}

// Pages reads a list as long as a Link names the next page on this host and
// read says that it wants more.
func (w *Wire) Pages(ctx context.Context, call Call, read func(raw []byte) (more bool, err error)) error {
	list := listing{
		repo: call.Repo, what: call.What, actions: call.Actions, basic: call.Basic, header: call.Header, page: call.most(), pages: MaxTagPages,
	}
	err := w.client.pages(ctx, list, w.URL(call.Path), func(_ *http.Response, raw []byte) error {
		more, err := read(raw)
		if err == nil && !more {
			return errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a list whose rest nobody wants.
var errEnough = errors.New("enough")

func (call Call) most() int64 {
	if call.Most == 0 {
		return MaxTagPage
	}
	return call.Most
}

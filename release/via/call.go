package via

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"plimsoll/release/forge"
)

const (
	maxAnswer = 8 << 20
	callLimit = 15 * time.Second
)

// unsent is in the chain of an error after which certainly nothing was dispatched.
type unsent struct{ error }

// Unwrap keeps the cause.
func (u unsent) Unwrap() error { return u.error }

// Unsent tells whether a failed Dispatch certainly dispatched nothing. After any
// other failure a run may appear.
func Unsent(err error) bool {
	var u unsent
	return errors.As(err, &u)
}

// caller sends requests with a token, to one host.
type caller struct {
	now       func() time.Time
	agent     string
	tokens    *forge.Tokens
	transport *http.Transport
}

// request is one request of an API.
type request struct {
	method, url string
	header      http.Header
	body        any // nil: none
}

// reply is an answer of a server, whatever its status.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send asks once. Redirects are not followed: the token is for this host alone.
// An error is unsent if the request never left, or if the server's limit turned it away.
func (c caller) send(ctx context.Context, r request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, unsent{fmt.Errorf("write the request: %w", err)}
		}
		body = bytes.NewReader(raw)
	}
	var left atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }})
	req, err := http.NewRequestWithContext(traced, r.method, r.url, body)
	if err != nil {
		return reply{}, unsent{fmt.Errorf("ask %s: %w", text(r.url), err)}
	}
	req.Header = r.header.Clone()
	req.Header.Set("User-Agent", c.agent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	got, err := c.exchange(req)
	switch {
	case err != nil && !left.Load():
		return reply{}, unsent{err}
	case err != nil:
		return reply{}, err
	}
	if limit, ok := forge.Limit(got.status, got.header, got.body, c.now()); ok {
		if got.status == http.StatusServiceUnavailable {
			return reply{}, limit
		}
		return reply{}, unsent{limit}
	}
	return got, nil
}

func (c caller) exchange(req *http.Request) (reply, error) {
	client := http.Client{Transport: c.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req) //nolint:gosec // the host is the one of the accepted configuration
	if err != nil {
		return reply{}, fmt.Errorf("ask %s: %w", req.URL.Redacted(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("it is longer than %d MiB", maxAnswer>>20)
	}
	if err != nil {
		return reply{}, fmt.Errorf("read the answer of %s: %w", req.URL.Redacted(), err)
	}
	return reply{resp.StatusCode, resp.Header, raw}, nil
}

// said is what an API says of a failure; what is no JSON says nothing.
func (r reply) said() error {
	var body struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(r.body, &body) // as above
	return fmt.Errorf("%d %s %s", r.status, http.StatusText(r.status), text(body.Message))
}

// read reads an answer.
func (r reply) read(what string, into any) error {
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// refusedBy says of an answer to a dispatch whether it is certain that nothing came of it.
func (r reply) refusedBy(err error) error {
	if r.status >= 400 && r.status < 500 && r.status != http.StatusRequestTimeout || r.status/100 == 3 || r.page() {
		return unsent{err}
	}
	return err
}

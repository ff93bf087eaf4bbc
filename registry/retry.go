package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// retryPolicy says how often and after which waits a request is sent again.
type retryPolicy struct {
	attempts int           // sends of one request
	base     time.Duration // first wait; doubles each time
	max      time.Duration // longest wait of our own
	patience time.Duration // longest Retry-After that is waited for
	soon     time.Duration // longest wait before a write that must not come late
}

var defaultRetry = retryPolicy{
	attempts: 6, base: 200 * time.Millisecond, max: 5 * time.Second,
	patience: 30 * time.Second, soon: 2 * time.Second,
}

// next says whether a request that ended so is sent again, and after which wait.
func (p retryPolicy) next(attempt int, in access, req *http.Request, resp *http.Response, err error) (time.Duration, bool) {
	if attempt >= p.attempts || in.late == never || !repeatable(req, resp) || !temporary(resp, err) {
		return 0, false
	}
	wait := min(p.base<<(attempt-1), p.max)
	wait += rand.N(wait/2 + 1) //nolint:gosec // jitter, no secret
	if asked, ok := retryAfter(resp); ok {
		wait = max(asked, p.base)
	}
	if in.late == soon {
		// The world may change while we wait: only where the registry said that it did
		// nothing, and only for a moment.
		refused := statusOf(resp) == http.StatusTooManyRequests
		return wait, refused && attempt <= 2 && wait <= p.soon
	}
	return wait, wait <= p.patience
}

// repeatable tells whether sending req twice is harmless and possible.
func repeatable(req *http.Request, resp *http.Response) bool {
	if !replayable(req) {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost: // opens an upload; these two statuses say that none was opened
		s := statusOf(resp)
		return s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable
	}
	return false
}

// replayable tells whether the body of req, if any, can be had again.
func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// temporary tells whether the same request may succeed a moment later.
func temporary(resp *http.Response, err error) bool {
	if err != nil {
		return lost(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// lost tells whether an open connection broke; one that could not be opened is
// not tried again, so that a machine without a network answers at once.
func lost(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	text := err.Error() // net/http exports no error for these
	return strings.Contains(text, "http2: ") || strings.Contains(text, "stream error: ") ||
		strings.Contains(text, "server closed idle connection")
}

// retryAfter reads the header of RFC 9110, section 10.2.3.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

// afresh is req with its body from the start.
func afresh(ctx context.Context, req *http.Request) (*http.Request, error) {
	again := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("%s %s: read the body again: %w", req.Method, plain(req.URL), err)
		}
		again.Body = body
	}
	return again, nil
}

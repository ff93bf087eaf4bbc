package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// maxErrorBody is how much of an error answer is read.
const maxErrorBody = 64 << 10

// redacted is an error whose text is fit to print; its chain stays.
type redacted struct{ err error }

func (r redacted) Error() string { return clean.Text(clean.Redact(r.err.Error())) }
func (r redacted) Unwrap() error { return r.err }

// fetch sends a request whose answer is no layer, and reads the whole body, at
// most most bytes, within AnswerTimeout. An answer other than 200 is an error. what names
// the answer in errors.
func (c *Client) fetch(ctx context.Context, in access, req *http.Request, most int64, what string) (*http.Response, []byte, error) {
	for attempt := 1; ; attempt++ {
		resp, err := c.exchange(ctx, in, req, AnswerTimeout)
		if err != nil {
			return nil, nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, nil, c.failed(in, resp)
		}
		raw, err := readBody(resp, most, what)
		if err == nil {
			return resp, raw, nil
		}
		// A connection that broke in the middle of an answer.
		if attempt == 3 || !lost(err) || errors.Is(err, ErrLimit) || !replayable(req) {
			return nil, nil, c.explain(ctx, c.host(in.repo.Host), req, err)
		}
		if req, err = afresh(ctx, req); err != nil {
			return nil, nil, err
		}
	}
}

// readBody reads an answer of at most most bytes, and closes it.
func readBody(resp *http.Response, most int64, what string) ([]byte, error) {
	defer discard(resp)
	if resp.ContentLength > most {
		return nil, tooLarge(what, most)
	}
	return readAll(resp.Body, most, what)
}

// readAll reads at most most bytes; more is an error.
func readAll(r io.Reader, most int64, what string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if int64(len(raw)) > most {
		return nil, tooLarge(what, most)
	}
	return raw, nil
}

// tooLarge names a limit of size.
func tooLarge(what string, most int64) error {
	return fmt.Errorf("%s is larger than the %s that are accepted: %w", what, humanize.IBytes(uint64(max(most, 0))), ErrLimit) //nolint:gosec // not negative
}

// failed turns an answer that is no success into an error, and closes it: 401
// and 403 are refusals with the entry of the configuration to look at.
func (c *Client) failed(in access, resp *http.Response) error {
	return c.failedAt(c.host(in.repo.Host), resp, "")
}

func (c *Client) failedAt(h *host, resp *http.Response, who string) error {
	status := statusError(resp)
	discard(resp)
	if who == "" && !h.owns(resp.Request.URL) { // where a redirect led to: our identity was not shown there
		return status
	}
	if err := ruled(h, status); err != nil {
		return err
	}
	switch status.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		id := identityFor(h.entry, c.options.Purpose)
		return fault.New(fault.Refused, c.refusalHint(h), status,
			"%s%s refused the %s identity (%s)", who, h.name, c.options.Purpose, describe(id))
	case http.StatusTooManyRequests:
		return fault.New(fault.Failed, "wait a little and run it again", status, "%s%s asks for fewer requests", who, h.name)
	}
	return status
}

// refusalHint says which entry of the configuration decides.
func (c *Client) refusalHint(h *host) string {
	purpose := c.options.Purpose
	if !h.entry.Listed {
		return fmt.Sprintf("run docker login %s, or add %s under registries with a %s identity that may do this", h.name, h.name, purpose)
	}
	entry := Read
	if purpose == Promote && h.entry.Promote != nil || purpose == Evidence && h.entry.Evidence != nil {
		entry = purpose
	}
	if identityFor(h.entry, purpose) == nil {
		return fmt.Sprintf("%s has no identity for this: add one under registries → %s → %s", h.name, h.name, purpose)
	}
	hint := fmt.Sprintf("check registries → %s → %s: is the credential valid, and may it do this in the repository?", h.name, entry)
	if entry != purpose {
		hint += fmt.Sprintf(" (there is no %s entry)", purpose)
	}
	return hint
}

// statusError reads the error body of the distribution specification,
// "Error codes". Its text is made harmless.
func statusError(resp *http.Response) *StatusError {
	e := &StatusError{Method: resp.Request.Method, URL: plain(resp.Request.URL), Status: resp.StatusCode}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came of it is enough
	var body struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(raw, &body) == nil && len(body.Errors) > 0 {
		e.Code = clean.Text(clean.Redact(body.Errors[0].Code))
		e.Detail = clean.Text(clean.Redact(body.Errors[0].Message))
	} else if mediaType(resp) == "text/plain" {
		e.Detail = clean.Text(clean.Redact(strings.TrimSpace(string(raw))))
	}
	return e
}

// explain says what could not be asked, why, and what to look at.
func (c *Client) explain(ctx context.Context, h *host, req *http.Request, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", req.Method, plain(req.URL), context.Cause(ctx))
	}
	var broken *unreached
	if !errors.As(err, &broken) {
		return err
	}
	if errors.Is(err, ErrLimit) {
		return fmt.Errorf("%s %s: %w", req.Method, plain(broken.url), err)
	}
	where := h.name
	if !h.owns(broken.url) {
		where = fmt.Sprintf("%s for %s", clean.Text(broken.url.Host), h.name)
	}
	return fault.New(fault.Failed, networkHint(h, err), err, "%s %s: cannot reach %s", req.Method, plain(broken.url), where)
}

// networkHint is what to look at after a failure of the network.
func networkHint(h *host, err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var timeout net.Error
	switch {
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return fmt.Sprintf("it speaks http, not https: add plain-http: true under registries → %s if that is meant", h.name)
	case errors.As(err, &unknown):
		return fmt.Sprintf("its certificate is signed by an unknown authority: add ca: FILE under registries → %s", h.name)
	case errors.As(err, &name):
		return "its certificate is for another name: check the host name, or a proxy in between"
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s is not known here: check its spelling, the network, VPN and proxy", clean.Text(dns.Name))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check host and port, and whether the registry runs"
	case strings.Contains(err.Error(), "remote error: tls:"):
		return fmt.Sprintf("it does not accept the client certificate, or there is none: look at client-certificate under registries → %s", h.name)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time: check the network, VPN and proxy (HTTPS_PROXY)"
	case lost(err):
		return "the connection broke again and again: check the network, or a proxy in between"
	}
	return "check the network, VPN and proxy (HTTPS_PROXY)"
}

package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// What a connection may take and how many are kept.
const (
	dialTimeout  = 10 * time.Second
	idlePerHost  = 64
	maxRedirects = 10
)

// newTransport makes the pool of connections of a client, or of one host with
// its own certificate authority (PEM) or a certificate that it is shown; dial
// nil: net.Dialer.
func newTransport(ca []byte, client func() (*tls.Certificate, error), dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           4 * idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // digests are of the bytes as stored
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(ca)
		t.TLSClientConfig.RootCAs = pool
	}
	if client != nil {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return client() }
	}
	return t
}

// clientCertificate reads the certificate that a host is shown, once. A request
// reads it before it is sent, so that a file which cannot be used is said as such.
func clientCertificate(name string, c config.ClientCertificate) func() (*tls.Certificate, error) {
	return sync.OnceValues(func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fault.New(fault.Usage, "look at client-certificate under registries → "+name, redacted{err},
				"the client certificate for %s cannot be used", name)
		}
		return &pair, nil
	})
}

// pool is the connections for a URL: the registry's own host is shown the client
// certificate, and no other.
func (h *host) pool(u *url.URL) (*http.Transport, error) {
	if !h.owns(u) {
		return h.away, nil
	}
	if h.client != nil {
		if _, err := h.client(); err != nil {
			return nil, err
		}
	}
	return h.transport, nil
}

// errSlow is the cause that ends an answer which is not there in time.
var errSlow = fmt.Errorf("no complete answer within %v: %w", AnswerTimeout, ErrLimit)

// send sends one request on the connections of h and returns the answer's
// header. With a limit, the body must end within it too.
func (c *Client) send(ctx context.Context, h *host, method string, req *http.Request, limit time.Duration) (*http.Response, error) {
	pool, err := h.pool(req.URL)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.options.UserAgent)
	cancel := func() {}
	if limit > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errSlow)
	}
	req = req.WithContext(ctx)
	start := c.now()
	resp, err := pool.RoundTrip(req)
	took := c.now().Sub(start)
	if c.options.Trace != nil {
		c.options.Trace(method, bare(req.URL), statusOf(resp), took)
	}
	if err != nil {
		err = &unreached{url: req.URL, err: endedBy(ctx, err)}
		cancel()
		return nil, err
	}
	if h.owns(req.URL) {
		h.keepSkew(resp, start.Add(took/2))
		h.keepCertificate(resp)
	}
	resp.Body = &timedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, url: req.URL}
	return resp, nil
}

// timedBody ends the time limit of an answer when its body is closed.
type timedBody struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // it lives exactly as long as the answer
	cancel context.CancelFunc
	url    *url.URL
}

// unreached is a failure of the network on the way to or from a URL, or the end
// of the time for it.
type unreached struct {
	url *url.URL
	err error
}

func (u *unreached) Error() string { return clean.Text(clean.Redact(u.err.Error())) }
func (u *unreached) Unwrap() error { return u.err }

// Read names the limit if the time is over.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, &unreached{url: b.url, err: endedBy(b.ctx, err)}
	}
	return n, err //nolint:wrapcheck // a reader hands io.EOF through
}

// Close ends the answer and its time limit.
func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close() //nolint:wrapcheck // nobody can act on it
}

// endedBy is the reason for which ctx ended if it did, else err.
func endedBy(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// follow goes after the redirects of a GET. Credentials are set anew for each
// hop, and only on the registry's own host, scheme and port.
func (c *Client) follow(ctx context.Context, h *host, in access, req *http.Request, resp *http.Response, limit time.Duration) (*http.Response, error) {
	authorization := req.Header.Get("Authorization")
	for hops := 0; req.Method == http.MethodGet && redirects(resp.StatusCode); hops++ {
		if hops == maxRedirects {
			discard(resp)
			return nil, fmt.Errorf("GET %s: more than %d redirects: %w", plain(req.URL), maxRedirects, ErrLimit)
		}
		next, err := location(resp)
		if err == nil && in.here && !h.owns(next) {
			return resp, nil
		}
		discard(resp)
		if err != nil {
			return nil, err
		}
		hop := req.Clone(ctx)
		hop.URL, hop.Host = next, ""
		hop.Header.Del("Authorization")
		if h.owns(next) && authorization != "" {
			hop.Header.Set("Authorization", authorization)
		}
		if resp, err = c.send(ctx, h, hop.Method, hop, limit); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// redirects tells whether a GET answered so goes on elsewhere.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// location is where the answer's Location points to, an upload or a redirect,
// if it is a place that the registry may send us to.
func (c *Client) location(resp *http.Response) (*url.URL, error) { return location(resp) }

func location(resp *http.Response) (*url.URL, error) {
	asked := resp.Request.URL
	next, err := resp.Location()
	if err == nil && asked.Scheme == "https" && next.Scheme == "http" && next.Host == asked.Host {
		next.Scheme = "https" // a registry behind a proxy that does not tell it about TLS
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %d without a usable Location", resp.Request.Method, plain(asked), resp.StatusCode)
	}
	if err := mayGo(asked, next); err != nil {
		return nil, fmt.Errorf("%s %s: %w", resp.Request.Method, plain(asked), err)
	}
	return next, nil
}

// mayGo refuses places that no registry has a reason to send its clients to:
// from https to http, to a cloud's metadata service, from elsewhere to this machine.
func mayGo(from, to *url.URL) error {
	if to.Scheme != "https" && to.Scheme != "http" || to.Host == "" || to.User != nil {
		return fmt.Errorf("it points to %s, which is no web address", clean.Text(plain(to)))
	}
	if from.Scheme == "https" && to.Scheme == "http" {
		return fmt.Errorf("it points from https to http (%s), which is not followed", clean.Text(to.Host))
	}
	if address(from) == address(to) {
		return nil
	}
	ip, err := netip.ParseAddr(to.Hostname())
	local := strings.EqualFold(to.Hostname(), "localhost") || err == nil && ip.Unmap().IsLoopback()
	if local && !isLoopback(from.Hostname()) || err == nil && (ip.Unmap().IsLinkLocalUnicast() || ip.IsUnspecified()) {
		return fmt.Errorf("it points to %s, an address of this machine or network", clean.Text(to.Host))
	}
	return nil
}

// isLoopback tells whether name is this machine.
func isLoopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// bare is u without user, query and fragment, which may hold secrets.
func bare(u *url.URL) string {
	return clean.Text((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// plain is bare for messages.
func plain(u *url.URL) string { return clean.Redact(bare(u)) }

// statusOf is the status of an answer, 0 without one.
func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// discard reads the small rest of an answer, so that its connection can be
// used again, and closes it.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

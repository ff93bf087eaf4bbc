package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// Sizes of answers, in bytes; more is an error that names the limit.
const (
	maxAnswer = 1 << 20  // of an endpoint or a command
	maxPage   = 16 << 20 // of an API that lists: a hundred check runs carry their reports
)

const (
	maxRedirects = 5
	shortly      = 300 * time.Millisecond // before a failing server is asked once more
)

// web is the connections of all sources, one pool for each set of authorities.
type web struct {
	roots *x509.CertPool
	mu    sync.Mutex
	pools map[string]*http.Transport // by extra authority, PEM
}

func newWeb(roots *x509.CertPool) *web {
	return &web{roots: roots, pools: map[string]*http.Transport{}}
}

// pool is the connections to servers that the system trusts, or that ca signed for.
func (w *web) pool(ca []byte) (*http.Transport, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.pools[string(ca)]; t != nil {
		return t, nil
	}
	roots := w.roots
	if len(ca) > 0 {
		if roots == nil {
			roots, _ = x509.SystemCertPool() // without one, ca stands alone
		}
		if roots == nil {
			roots = x509.NewCertPool()
		}
		if roots = roots.Clone(); !roots.AppendCertsFromPEM(ca) {
			return nil, fault.New(fault.Usage, "give a PEM file with certificates", nil, "its ca holds no certificate")
		}
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: atOnce,
		MaxResponseHeaderBytes: 256 << 10, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	w.pools[string(ca)] = t
	return t, nil
}

func (w *web) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.pools {
		t.CloseIdleConnections()
	}
}

// call is one GET.
type call struct {
	url    string
	header http.Header
	secret bool   // header holds a credential: it goes to this host only
	strict bool   // no redirect is followed
	ca     []byte // PEM of an extra authority
	max    int64  // bytes of the answer
}

// reply is an answer of a server, whatever its status.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// fetch asks once, and once more where patience is likely to help: after a rate
// limit that ends in time, and after a failure of the server or the way to it.
func (s *Sources) fetch(ctx context.Context, c call) (reply, error) {
	r, err := s.exchange(ctx, c)
	wait, again := shortly, err != nil && ctx.Err() == nil && retryable(err) || r.status >= 500
	limit, limited := limitOf(r, s.Now())
	if limited {
		wait, again = limit.Until.Sub(s.Now()), true
	}
	if again && inTime(ctx, wait) {
		if err := s.wait(ctx, max(wait, 0)); err != nil {
			return reply{}, err
		}
		r, err = s.exchange(ctx, c)
		limit, limited = limitOf(r, s.Now())
	}
	switch {
	case err != nil:
		return reply{}, err
	case limited:
		return reply{}, limit
	}
	return r, nil
}

// inTime tells whether a wait leaves time to ask again.
func inTime(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > wait+time.Second/2
}

// errRefused is in the chain of an error about a redirect that is not followed.
var errRefused = errors.New("the redirect was not followed")

// retryable tells whether a failed exchange may go better a moment later.
func retryable(err error) bool {
	var cert *tls.CertificateVerificationError
	return !errors.Is(err, errRefused) && !errors.Is(err, errTooLong) && !errors.As(err, &cert)
}

// exchange sends the request and reads the whole answer.
func (s *Sources) exchange(ctx context.Context, c call) (reply, error) {
	pool, err := s.web.pool(c.ca)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return reply{}, fmt.Errorf("ask %s: %w", clean.Text(c.url), err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "plimsoll/"+s.Version)
	client := http.Client{Transport: pool, CheckRedirect: c.redirected}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, ofSource{fmt.Errorf("ask %s: %w", req.URL.Redacted(), err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readAll(resp.Body, c.max)
	if err != nil {
		return reply{}, ofSource{fmt.Errorf("read the answer of %s: %w", req.URL.Redacted(), err)}
	}
	return reply{resp.StatusCode, resp.Header, body}, nil
}

// redirected follows to the same host only where a credential is sent along,
// and never from TLS to plain HTTP.
func (c call) redirected(to *http.Request, via []*http.Request) error {
	from := via[0]
	switch {
	case c.strict:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: it redirects more than %d times", errRefused, maxRedirects)
	case from.URL.Scheme == "https" && to.URL.Scheme != "https":
		return fmt.Errorf("%w: %s leads away from TLS", errRefused, to.URL.Redacted())
	case c.secret && to.URL.Host != from.URL.Host:
		return fmt.Errorf("%w: %s is another host, which must not get the token", errRefused, to.URL.Redacted())
	}
	return nil
}

// errTooLong is an answer beyond its limit.
var errTooLong = errors.New("the answer is too long")

func readAll(r io.Reader, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("it broke off: %w", err)
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("%w: more than %d MiB", errTooLong, most>>20)
	}
	return raw, nil
}

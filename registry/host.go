package registry

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"plimsoll/config"
)

// host is what a client knows about one registry host.
type host struct {
	name      string // as the configuration and references write it
	entry     config.Registry
	base      string                           // scheme://address of its API
	address   string                           // of base, with the port
	scheme    string                           // of base
	transport *http.Transport                  // to the registry itself
	away      *http.Transport                  // to where it redirects to
	client    func() (*tls.Certificate, error) // what is shown in TLS; nil: nothing
	login     *login
	provider  Provider // nil: none

	mu        sync.Mutex
	skew      time.Duration
	dated     bool
	ends      time.Time       // of the certificate that it showed last
	referrers map[string]bool // by repository path: whether it has the referrers API
	onePost   map[string]bool // by repository path: whether it takes a blob in one POST
	checked   map[string]bool // by repository path: whether the name is one
	lacks     map[string]bool // what its provider does not offer this identity
}

// dockerHub are the names of Docker Hub; its API answers under another one.
var dockerHub = map[string]bool{"docker.io": true, "index.docker.io": true}

// host returns what is known about name, which starts with nothing.
func (c *Client) host(name string) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, ok := c.hosts[name]; ok {
		return h
	}
	entry := c.options.Registries(name)
	h := &host{
		name: name, entry: entry, transport: c.transport, away: c.transport,
		referrers: map[string]bool{}, onePost: map[string]bool{}, checked: map[string]bool{}, lacks: map[string]bool{},
	}
	h.base = "https://" + name
	switch {
	case entry.PlainHTTP:
		h.base = "http://" + name
	case dockerHub[name]:
		h.base = "https://registry-1.docker.io"
	}
	if u, err := url.Parse(h.base); err == nil {
		h.scheme, h.address = u.Scheme, address(u)
	}
	if len(entry.CA) > 0 {
		h.away = newTransport(entry.CA, nil, c.options.Dial)
		h.transport = h.away
	}
	if entry.Client != nil && c.options.As == nil {
		h.client = clientCertificate(name, *entry.Client)
		h.transport = newTransport(entry.CA, h.client, c.options.Dial)
	}
	if c.options.Providers != nil {
		h.provider = c.options.Providers(name, entry, &Wire{client: c, name: name})
	}
	h.login = newLogin(name, entry, c.options.Purpose, h.provider)
	h.login.given = c.options.As
	c.hosts[name] = h
	return h
}

// forget drops the credential and all tokens.
func (h *host) forget() {
	h.login.forget()
	if h.provider != nil {
		h.provider.Close()
	}
}

// owns tells whether u lies on the registry's own scheme, host and port.
func (h *host) owns(u *url.URL) bool {
	return h.scheme == u.Scheme && (h.base == u.Scheme+"://"+u.Host || h.address == address(u))
}

// keepSkew remembers how far the registry's clock is from ours.
func (h *host) keepSkew(resp *http.Response, received time.Time) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.skew, h.dated = date.Sub(received).Round(time.Second), true
}

// fact reads what was learned about a repository.
func (h *host) fact(facts map[string]bool, repo Repository) (value, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	value, known = facts[repo.Path]
	return value, known
}

// learn keeps a fact about a repository.
func (h *host) learn(facts map[string]bool, repo Repository, value bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	facts[repo.Path] = value
}

// address is the host and port of u in one spelling.
func address(u *url.URL) string {
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(name, port)
}

// sleep waits for d, or returns why ctx ended, at once.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// TraceToken is the method that Options.Trace is told for a request to a token
// service, so that it can be told apart from a request to the registry.
const TraceToken = "TOKEN"

// Options are what a Client needs to know.
type Options struct {
	// Registries returns the configuration of a host; nil: no host is listed.
	Registries func(host string) config.Registry
	Purpose    Purpose // "": Read
	ReadOnly   bool    // refuse every write before anything is sent
	// As is a credential that every host is shown in place of the identities of its
	// entry; nil: those. Its secrets are registered.
	As        *Credential
	UserAgent string // "": plimsoll
	// Providers makes what a cloud adds for a host; it returns nil for one that
	// has none, and does not use the wire before it returns. nil: no host has any.
	Providers func(host string, entry config.Registry, wire *Wire) Provider
	// Dial opens connections in place of net.Dialer; nil: net.Dialer. With
	// a proxy in the environment it is asked for the proxy's address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Trace is told of each request that was sent, after its answer's header
	// came: its method (TraceToken for a token request), its URL without query,
	// the status (0: no answer) and the time that it took. It is called from
	// many goroutines at once; nil: nobody is told.
	Trace func(method, url string, status int, d time.Duration)
}

// Client talks to any number of registries with the credentials of one
// purpose. It is safe for concurrent use. Connections, challenges and tokens
// are kept until Close.
//
// What the rest of this package builds on:
//
//   - c.url(repo, path) is the URL of path in the repository:
//     c.url(repo, "blobs/sha256:…") is https://host/v2/<repo.Path>/blobs/sha256:….
//   - c.do(ctx, access, req) sends one request with credentials; see there.
//     access is pull(repo), push(repo), or push(repo, from) for a mount.
//   - c.fetch(ctx, access, req, max, what) is do for an answer that is no layer: it
//     reads the whole body within AnswerTimeout and turns a failure into an error.
//   - c.failed(access, resp) turns an answer that is no success into an error
//     and closes it; c.location(resp) is where an upload goes on.
type Client struct {
	options Options
	policy  retryPolicy
	pace    attachPace
	sleep   func(context.Context, time.Duration) error
	now     func() time.Time

	mu        sync.Mutex
	hosts     map[string]*host
	transport *http.Transport // shared by all hosts without a CA of their own
}

// New makes a client. It is cheap and asks nothing of the network.
func New(o Options) *Client {
	if o.Purpose == "" {
		o.Purpose = Read
	}
	if o.UserAgent == "" {
		o.UserAgent = "plimsoll"
	}
	if o.Registries == nil {
		o.Registries = (&config.Config{}).Registry
	}
	return &Client{
		options: o, policy: defaultRetry, pace: defaultPace, sleep: sleep, now: time.Now,
		hosts: map[string]*host{}, transport: newTransport(nil, nil, o.Dial),
	}
}

// Close drops idle connections and forgets credentials, tokens and what was
// learned about hosts. A later request starts afresh.
func (c *Client) Close() {
	c.mu.Lock()
	hosts := c.hosts
	c.hosts = map[string]*host{}
	c.mu.Unlock()
	for _, h := range hosts {
		h.forget()
		h.transport.CloseIdleConnections()
		h.away.CloseIdleConnections()
	}
	c.transport.CloseIdleConnections()
}

// Purpose is what the client's credentials may be used for.
func (c *Client) Purpose() Purpose { return c.options.Purpose }

// Skew is how far the clock of host is ahead of ours, by the Date of its newest
// answer (whole seconds); false before an answer with a Date.
func (c *Client) Skew(host string) (time.Duration, bool) {
	c.mu.Lock()
	h := c.hosts[host]
	c.mu.Unlock()
	if h == nil {
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.skew, h.dated
}

// access says what a request needs: the repository and the rights that its
// token must carry.
type access struct {
	repo Repository
	push bool
	from []Repository // of the same host: to be read too, for a mount
	late lateness     // whether the request may still be sent after a wait
	here bool         // redirects to another host are an answer, not a way

	actions string // of the token, in place of pull and push
	basic   bool   // no token: the user name and password themselves
}

// lateness says how late a request may be repeated.
type lateness int

const (
	anytime lateness = iota
	soon             // writes of a tag: only if the registry said that it did nothing, and after a moment at most
	never            // the caller looks again before it repeats
)

// pull is the right to read repo.
func pull(repo Repository) access { return access{repo: repo} }

// push is the right to write repo, and to read each of from in order to mount
// its blobs.
func push(repo Repository, from ...Repository) access {
	return access{repo: repo, push: true, from: from}
}

// url is the URL of path in repo, such as "tags/list" or "blobs/sha256:…".
func (c *Client) url(repo Repository, path string) string {
	return c.host(repo.Host).base + "/v2/" + repo.Path + "/" + path
}

// request makes a request whose body, if any, can be sent again.
func request(ctx context.Context, method, url string, body []byte) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, redacted{err})
	}
	return req, nil
}

// do sends req with the credentials of the client's purpose and returns the
// answer, whatever its status; the caller closes its body. The time to the
// end of the body is bounded by ctx alone: do is for layers.
//
// Credentials go only to the host of in.repo: a request whose URL names another
// host (an upload Location, say) is sent without. Answers 401 are met with a
// new token, redirects of a GET are followed, without credentials on
// another host. A request whose answer is 429 or 5xx, or whose connection was lost, is sent
// again if that is harmless: GET, HEAD, PUT and DELETE with no body or one that
// can be had again (http.Request.GetBody), a POST without body after 429 or 503.
//
// A body that can be read only once is sent at most once. If it was
// refused for an old token the error has errRestart in its chain; the token has been
// dropped, so starting the whole transfer again gets a new one.
func (c *Client) do(ctx context.Context, in access, req *http.Request) (*http.Response, error) {
	return c.exchange(ctx, in, req, 0)
}

// exchange is do with a limit on the time from sending the request to the last
// byte of its answer; 0: none.
func (c *Client) exchange(ctx context.Context, in access, req *http.Request, limit time.Duration) (*http.Response, error) {
	if err := c.mayWrite(req); err != nil {
		return nil, err
	}
	h := c.host(in.repo.Host)
	if _, known := h.fact(h.checked, in.repo); !known {
		if err := in.repo.check(); err != nil {
			return nil, err
		}
		h.learn(h.checked, in.repo, true)
	}
	for attempt := 1; ; attempt++ {
		resp, err := c.authorized(ctx, h, in, req, limit)
		wait, again := c.policy.next(attempt, in, req, resp, err)
		if !again || ctx.Err() != nil {
			return resp, c.explain(ctx, h, req, err)
		}
		discard(resp)
		if err := c.sleep(ctx, wait); err != nil {
			return nil, c.explain(ctx, h, req, err)
		}
		if req, err = afresh(ctx, req); err != nil {
			return nil, err
		}
	}
}

// mayWrite refuses a write of a read-only client.
func (c *Client) mayWrite(req *http.Request) error {
	if !c.options.ReadOnly || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return nil
	}
	return fault.New(fault.Usage, "run it again without --read-only", nil,
		"nothing was written to %s: this run is read-only", req.URL.Host)
}

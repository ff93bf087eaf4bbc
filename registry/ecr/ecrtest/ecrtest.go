package ecrtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
)

// Region is the only region of this AWS.
const Region = "eu-west-1"

// What permissions are made of: the actions that reading and writing need.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
var (
	Pull = []string{
		"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability",
		"ecr:ListImages", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:DescribeImageScanFindings",
	}
	Push = append([]string{"ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"}, Pull...)
)

// Cloud is one AWS with its identities and registries.
type Cloud struct {
	t       testing.TB
	ca      *registrytest.CA
	address string

	mu         sync.Mutex
	now        func() time.Time
	principals map[string]*Principal // by ARN
	keys       map[string]*session   // by access key id
	tokens     map[string]*session   // by the password of a registry
	sites      map[string]*Registry  // by host
	log        []Request
	secrets    []string
	tokenLife  time.Duration
	refusals   int // of ECR's interface, still to come
}

// Principal is a user or a role.
type Principal struct {
	ARN string // arn:aws:iam::ACCOUNT:user/NAME or :role/NAME
	// Key and Secret are a user's access key; a role has none.
	Key, Secret string
	// Trusts are the ARNs that may take this role, and the web identity token that may.
	Trusts []string
	Token  string
	// Names is what the names of its sessions have to fit, with *; "": any.
	Names string
	// Portal is the access token with which IAM Identity Center gives the role out.
	Portal string
	// Allows are the actions by ARN of a repository, with * as in policies.
	Allows map[string][]string
}

// session is a principal with keys or a token that end.
type session struct {
	principal   *Principal
	arn         string // who it is, as GetCallerIdentity tells
	key, secret string
	token       string    // of the session, "" for a user's own keys
	ends        time.Time // zero: never
}

// Request is one request that reached the cloud.
type Request struct {
	Host, Method, Path string
	Action             string // of ECR's or STS's interface
	Principal          string // ARN of the caller, "" without one
	Status             int
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s%s %s by %q: %d", r.Method, r.Host, r.Path, r.Action, r.Principal, r.Status)
}

// New starts a cloud that ends with the test.
func New(t testing.TB, people ...*Principal) *Cloud {
	t.Helper()
	c := &Cloud{
		t: t, ca: registrytest.NewCA(t), now: time.Now, principals: map[string]*Principal{}, keys: map[string]*session{},
		tokens: map[string]*session{}, sites: map[string]*Registry{}, tokenLife: 12 * time.Hour,
	}
	for _, p := range people {
		c.principals[p.ARN] = p
		if p.Key != "" {
			c.keys[p.Key] = &session{principal: p, arn: p.ARN, key: p.Key, secret: p.Secret}
			c.secrets = append(c.secrets, p.Secret)
		}
		for _, secret := range []string{p.Token, p.Portal} {
			if secret != "" {
				c.secrets = append(c.secrets, secret)
			}
		}
	}
	c.address = c.ca.Serve(t, http.HandlerFunc(c.serve), "sts."+Region+".amazonaws.com", "portal.sso."+Region+".amazonaws.com", "api.ecr."+Region+".amazonaws.com", "*.dkr.ecr."+Region+".amazonaws.com")
	return c
}

// Dial connects every name of the cloud to its listener.
func (c *Cloud) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(address); strings.HasSuffix(host, ".amazonaws.com") {
		address = c.address
	}
	return (&net.Dialer{}).DialContext(ctx, network, address) //nolint:wrapcheck // a dialer's own error is what the client reads
}

// HTTP reaches the interfaces of STS and ECR.
func (c *Cloud) HTTP() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.ca.PEM)
	tr := &http.Transport{DialContext: c.Dial, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	c.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// Entry adds what a client needs to reach the cloud to an entry.
func (c *Cloud) Entry(e config.Registry) config.Registry {
	e.Listed, e.CA = true, c.ca.PEM
	return e
}

// Client is a client of the cloud for a purpose.
func (c *Cloud) Client(purpose registry.Purpose, entries map[string]config.Registry,
	providers func(string, config.Registry, *registry.Wire) registry.Provider, more ...func(*registry.Options),
) *registry.Client {
	o := registry.Options{
		Purpose: purpose, Dial: c.Dial, Providers: providers,
		Registries: func(host string) config.Registry { return c.Entry(entries[host]) },
	}
	for _, m := range more {
		m(&o)
	}
	client := registry.New(o)
	c.t.Cleanup(client.Close)
	return client
}

// SetNow sets the clock that tokens and keys are judged by.
func (c *Cloud) SetNow(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Allow puts other permissions in place of a principal's.
func (c *Cloud) Allow(arn string, allows map[string][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.principals[arn].Allows = allows
}

// EndTokens makes all tokens of registries that were given out end now.
func (c *Cloud) EndTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.tokens {
		s.ends = c.now()
	}
}

// Throttle lets the next n questions to ECR's interface fail for coming too fast.
func (c *Cloud) Throttle(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = n
}

// Requests are those that came so far to hosts that end in suffix.
func (c *Cloud) Requests(suffix string) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.log), func(r Request) bool { return !strings.HasSuffix(r.Host, suffix) })
}

// Actions counts the successful questions of one kind to STS or ECR.
func (c *Cloud) Actions(action string) int {
	n := 0
	for _, r := range c.Requests("") {
		if r.Action == action && r.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// Secrets are all secrets so far: none may be seen anywhere but in requests.
func (c *Cloud) Secrets() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.secrets)
}

// serve parts the names.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	entry := Request{Host: r.Host, Method: r.Method, Path: r.URL.Path}
	c.mu.Lock()
	site := c.sites[r.Host]
	c.mu.Unlock()
	switch {
	case strings.HasPrefix(r.Host, "sts."):
		entry.Action, entry.Principal = c.sts(seen, r)
	case strings.HasPrefix(r.Host, "portal.sso."):
		entry.Action, entry.Principal = c.portal(seen, r)
	case strings.HasPrefix(r.Host, "api.ecr."):
		entry.Action, entry.Principal = c.api(seen, r)
	case site != nil:
		entry.Principal = site.serve(seen, r)
	default:
		http.Error(seen, "no such name", http.StatusNotFound)
	}
	entry.Status = seen.status
	c.mu.Lock()
	c.log = append(c.log, entry)
	c.mu.Unlock()
	if seen.status == cut {
		panic(http.ErrAbortHandler)
	}
}

// cut is the status of a request whose connection is cut in place of an answer.
const cut = 0

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status.
func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// may tells whether a principal may do something with a repository.
func (p *Principal) may(action, resource string) bool {
	for pattern, actions := range p.Allows {
		if ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(resource, "/", "|")); ok && slices.Contains(actions, action) {
			return true
		}
	}
	return false
}

// issue makes a secret that is watched.
func (c *Cloud) issue(prefix string) string {
	s := prefix + rand.Text()
	c.secrets = append(c.secrets, s)
	return s
}

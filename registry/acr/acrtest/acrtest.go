package acrtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
)

// The names under which the cloud answers; everything else is refused.
const (
	Entra   = "login.microsoftonline.com"
	Manager = "management.azure.com"
	// Metadata is where a machine in Azure asks for its identity.
	Metadata = "169.254.169.254"
	Tenant   = "72f988bf-0000-4000-8000-2d7cd011db47"
)

// Cloud is one Azure with its authority, its Resource Manager and its registries.
type Cloud struct {
	t         testing.TB
	ca        *registrytest.CA
	address   string
	plain     string // address of the metadata service, which speaks no TLS
	key       []byte // of its tokens
	mu        sync.Mutex
	now       func() time.Time
	people    map[string]*Principal // by client id or token file content
	sites     map[string]*Registry  // by host
	log       []Request
	signedIn  string // object of the person who typed the device code
	issued    int    // tokens
	secrets   []string
	imports   []*importRun
	refusals  int // of the exchange, still to come
	importing Importing
}

// Principal is somebody who can get tokens.
type Principal struct {
	Name   string // upn of a person; "" for an application
	Object string // oid
	Client string // appid
	Secret string // of the application, or the content of its federated token file
	// Roles by registry host: data plane actions (pull, push, metadata_read,
	// metadata_write, deleted_read, deleted_restore) and of the control plane read, importImage and
	// roleAssignments, to read those.
	Roles    map[string][]string
	Assigned []Assignment // beside them
}

// Request is one request that reached the cloud.
type Request struct {
	Host, Method, Path string
	Principal          string // object id of the token that it carried, "" without one
	Status             int
}

// Importing says how imports behave.
type Importing struct {
	Polls  int    // questions that are answered 202 before the image is there
	Never  bool   // answered 202 for ever
	Arrive bool   // with Never: the image arrives all the same
	Fail   string // the operation ends with this code
	Refuse string // the order is refused with this code
}

// New starts a cloud that ends with the test.
func New(t testing.TB, people ...*Principal) *Cloud {
	t.Helper()
	c := &Cloud{
		t: t, ca: registrytest.NewCA(t), key: []byte(t.Name()), now: time.Now,
		people: map[string]*Principal{}, sites: map[string]*Registry{},
	}
	for _, p := range people {
		c.people[p.Object] = p
	}
	names := []string{Entra, Manager, "*.azurecr.io", "dev.azure.com"}
	c.address = c.ca.Serve(t, http.HandlerFunc(c.serve), names...)
	metadata := httptest.NewServer(http.HandlerFunc(c.metadata))
	t.Cleanup(metadata.Close)
	c.plain = metadata.Listener.Addr().String()
	return c
}

// Dial connects every name of the cloud to its listener.
func (c *Cloud) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	if host == Metadata {
		address = c.plain
	}
	if host == Entra || host == Manager || host == "dev.azure.com" || strings.HasSuffix(host, ".azurecr.io") {
		address = c.address
	}
	return (&net.Dialer{}).DialContext(ctx, network, address) //nolint:wrapcheck // the transport names the address
}

// Transport reaches the authority and Resource Manager.
func (c *Cloud) Transport() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.ca.PEM)
	tr := &http.Transport{DialContext: c.Dial, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	c.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// CA is the certificate of the cloud's authority, for config.Registry.
func (c *Cloud) CA() []byte { return c.ca.PEM }

// Entry adds what a client needs to reach the cloud to an entry.
func (c *Cloud) Entry(e config.Registry) config.Registry {
	e.Listed, e.CA = true, c.ca.PEM
	return e
}

// SetNow sets the clock that tokens are judged by.
func (c *Cloud) SetNow(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *Cloud) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

// Throttle lets the next n exchanges fail with 429.
func (c *Cloud) Throttle(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = n
}

// Import says how the imports from now on behave.
func (c *Cloud) Import(i Importing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.importing = i
}

// Requests are those that came so far to hosts that end in suffix.
func (c *Cloud) Requests(suffix string) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.log), func(r Request) bool { return !strings.HasSuffix(r.Host, suffix) })
}

// Forget empties the list of requests.
func (c *Cloud) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = nil
}

// serve parts the names.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	who := c.bearer(r)
	switch c.mu.Lock(); r.Host {
	case Entra:
		c.mu.Unlock()
		c.entra(seen, r)
	case Manager:
		c.mu.Unlock()
		c.manager(seen, r)
	case "dev.azure.com":
		c.mu.Unlock()
		c.pipelines(seen, r)
	default:
		site := c.sites[r.Host]
		c.mu.Unlock()
		if site == nil {
			http.Error(seen, "no such registry", http.StatusNotFound)
			break
		}
		site.serve(seen, r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, Request{Host: r.Host, Method: r.Method, Path: r.URL.Path, Principal: who, Status: seen.status})
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the status.
func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// may tells whether a principal has a right in a registry.
func (c *Cloud) may(object, host, action string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[object]
	return p != nil && slices.Contains(p.Roles[host], action)
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

func (r Request) String() string {
	return fmt.Sprintf("%s %s%s by %q: %d", r.Method, r.Host, r.Path, r.Principal, r.Status)
}

// Revoke takes a right from a principal.
func (c *Cloud) Revoke(object, host, action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[object]
	p.Roles[host] = slices.DeleteFunc(slices.Clone(p.Roles[host]), func(a string) bool { return a == action })
}

// Assign gives a principal a role in Resource Manager.
func (c *Cloud) Assign(object string, a Assignment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people[object].Assigned = append(c.people[object].Assigned, a)
}

// Grant gives a principal a right.
func (c *Cloud) Grant(object, host, action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[object]
	p.Roles[host] = append(slices.Clone(p.Roles[host]), action)
}

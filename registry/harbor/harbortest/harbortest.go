package harbortest

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/harbor"
	"plimsoll/registry/registrytest"
)

// Host is the name of the Harbor.
const Host = "harbor.example.com"

// Accounts' permissions, as robot accounts have them, by project: "acme: repository:pull".
var (
	Pull = []string{"repository:pull"}
	Push = []string{"repository:pull", "repository:push"}
	Look = []string{"artifact:read", "artifact-addition:read", "immutable-tag:list"}
)

// Account is a robot or a person.
type Account struct {
	Name, Password string
	May            map[string][]string // permissions by project
}

// Project is one project with its rules.
type Project struct {
	Name string
	// Immutable are the rules of immutability, as the API gives them.
	Immutable []map[string]any
	// Full lets no byte more in; Prevent gives no image out that is not scanned, or has findings.
	Full, Prevent bool
}

// Image is what Harbor knows of a manifest besides its bytes.
type Image struct {
	Status   string           // of the scan: Pending, Running, Success, Error …; "" never scanned
	At       string           // generated_at of the report
	Findings []map[string]any // of the report; nil with Success: Harbor has no report
}

// Harbor is one Harbor.
type Harbor struct {
	Backend string // the real registry

	ca      *registrytest.CA
	address string
	proxy   *httputil.ReverseProxy
	client  *registry.Client // to the backend

	mu       sync.Mutex
	accounts []Account
	projects map[string]*Project
	images   map[digest.Digest]*Image
	tokens   map[string]token
	log      []string
}

// New starts a Harbor that ends with the test.
func New(t testing.TB, backend string, accounts ...Account) *Harbor {
	t.Helper()
	h := &Harbor{
		Backend: backend, ca: registrytest.NewCA(t), accounts: accounts, projects: map[string]*Project{},
		images: map[digest.Digest]*Image{}, tokens: map[string]token{}, client: registrytest.Client(t),
	}
	h.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: backend})
			p.Out.Host = p.In.Host // a Location names the host that was asked
			p.Out.Header.Set("X-Forwarded-Proto", "https")
			p.Out.Header.Del("Authorization")
		},
		FlushInterval: -1,
	}
	h.address = h.ca.Serve(t, http.HandlerFunc(h.serve), Host)
	return h
}

// Client is a client of the Harbor for a purpose, with the provider.
func (h *Harbor) Client(t testing.TB, purpose registry.Purpose, entry config.Registry) *registry.Client {
	t.Helper()
	c := registry.New(registry.Options{
		Purpose: purpose, Dial: h.Dial, Providers: harbor.Provider,
		Registries: func(string) config.Registry { return h.Entry(entry) },
	})
	t.Cleanup(c.Close)
	return c
}

// Entry adds what a client needs to reach the Harbor to an entry.
func (h *Harbor) Entry(e config.Registry) config.Registry {
	e.Host, e.Listed, e.Harbor, e.CA = Host, true, true, h.ca.PEM
	return e
}

// Address is where it listens; its certificate, by the authority CA, is for that, too.
func (h *Harbor) Address() string { return h.address }

// CA is the certificate of its authority, PEM.
func (h *Harbor) CA() []byte { return h.ca.PEM }

// Dial connects the name of the Harbor to its listener.
func (h *Harbor) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if name, _, _ := net.SplitHostPort(address); name == Host {
		address = h.address
	}
	return (&net.Dialer{}).DialContext(ctx, network, address) //nolint:wrapcheck // a dialer's own error is what the client reads
}

// Create makes a project: a push makes its repositories.
func (h *Harbor) Create(p Project) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.projects[p.Name] = &p
}

// Change changes a project.
func (h *Harbor) Change(name string, change func(*Project)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h.projects[name])
}

// Scanned lets the scanner say something of an image.
func (h *Harbor) Scanned(dg digest.Digest, i Image) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.images[dg] = &i
}

// Repository is one of its repositories.
func (h *Harbor) Repository(path string) registry.Repository {
	return registry.Repository{Host: Host, Path: path}
}

// Behind is the same repository at the real registry, which asks nobody who he is.
func (h *Harbor) Behind(path string) registry.Repository {
	return registry.Repository{Host: h.Backend, Path: path}
}

// Requests are those that came so far: method, path and account.
func (h *Harbor) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log)
}

// serve parts the paths.
func (h *Harbor) serve(w http.ResponseWriter, r *http.Request) {
	who := ""
	switch path := r.URL.EscapedPath(); {
	case path == "/service/token":
		who = h.issue(w, r)
	case strings.HasPrefix(path, "/v2"):
		who = h.registry(w, r)
	case strings.HasPrefix(path, "/api/v2.0/"):
		who = h.api(w, r)
	default:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no such page")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, r.Method+" "+r.URL.EscapedPath()+" "+who)
}

// account is who shows a name and a password; nil: nobody does, or they are wrong.
func (h *Harbor) account(r *http.Request) *Account {
	name, password, ok := r.BasicAuth()
	for i := range h.accounts {
		if a := &h.accounts[i]; ok && a.Name == name && a.Password == password {
			return a
		}
	}
	return nil
}

// may tells whether an account has a permission in a project.
func (a *Account) may(project, permission string) bool {
	return a != nil && slices.Contains(a.May[project], permission)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

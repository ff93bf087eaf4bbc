package registry

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/olareg/olareg"
	olaregconfig "github.com/olareg/olareg/config"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"plimsoll/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wrap changes what a registry answers.
type wrap func(next http.Handler) http.Handler

// before answers those requests itself for which answer says so.
func before(answer func(w http.ResponseWriter, r *http.Request) bool) wrap {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !answer(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// olaregHandler is a registry in memory.
func olaregHandler(t testing.TB, referrers bool) http.Handler {
	t.Helper()
	yes := true
	server := olareg.New(olaregconfig.Config{
		Storage: olaregconfig.ConfigStorage{StoreType: olaregconfig.StoreMem, GC: olaregconfig.ConfigGC{Frequency: -1}},
		API:     olaregconfig.ConfigAPI{DeleteEnabled: &yes, Referrer: olaregconfig.ConfigAPIReferrer{Enabled: &referrers}},
	})
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// quiet keeps the servers' own complaints away: olareg answers a whole POST twice.
var quiet = log.New(io.Discard, "", 0)

// serve starts a handler on a loopback port and returns its address.
func serve(t testing.TB, h http.Handler) (host string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// start serves a registry behind wrappers.
func start(t testing.TB, wraps ...wrap) (host string) {
	t.Helper()
	return serve(t, wrapped(olaregHandler(t, true), wraps))
}

// startPlain serves a registry without the referrers API.
func startPlain(t testing.TB, wraps ...wrap) (host string) {
	t.Helper()
	return serve(t, wrapped(olaregHandler(t, false), wraps))
}

func wrapped(h http.Handler, wraps []wrap) http.Handler {
	for _, w := range wraps {
		h = w(h)
	}
	return h
}

// record is one request that a client traced.
type record struct {
	method, url string
	status      int
}

// trace keeps the requests of a client.
type trace struct {
	mu   sync.Mutex
	list []record
}

func (tr *trace) add(method, url string, status int, _ time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.list = append(tr.list, record{method, url, status})
}

func (tr *trace) take() []record {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	list := tr.list
	tr.list = nil
	return list
}

// client makes a client that knows every host by plain http with the given entry.
func client(t testing.TB, o Options, entry config.Registry) (*Client, *trace) {
	t.Helper()
	tr := &trace{}
	o.Trace = tr.add
	entry.PlainHTTP, entry.Listed = true, true
	o.Registries = func(host string) config.Registry {
		e := entry
		e.Host = host
		return e
	}
	c := New(o)
	c.policy.base = time.Millisecond
	c.pace.settle = 30 * time.Millisecond
	t.Cleanup(c.Close)
	return c, tr
}

func anonymous(t testing.TB) (*Client, *trace) {
	t.Helper()
	return client(t, Options{}, config.Registry{})
}

// image is the manifest of an image with one blob as its config and no layers.
func image(t testing.TB, text string) (Manifest, []byte) {
	t.Helper()
	blob := []byte(`{"architecture":"amd64","os":"linux","author":"` + text + `"}`)
	return manifest(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(blob), Size: int64(len(blob))},
		Layers: []ocispec.Descriptor{},
	}), blob
}

// statement is the manifest of a referrer of subject.
func statement(t testing.TB, subject ocispec.Descriptor, text string) Manifest {
	t.Helper()
	return manifest(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.example.evidence", Config: ocispec.DescriptorEmptyJSON,
		Layers: []ocispec.Descriptor{ocispec.DescriptorEmptyJSON}, Subject: &subject,
		Annotations: map[string]string{"text": text},
	})
}

func manifest(t testing.TB, body any) Manifest {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Raw: raw}
	if err := m.complete(); err != nil {
		t.Fatal(err)
	}
	m.Descriptor.Digest = digest.FromBytes(raw)
	return m
}

// pushImage writes an image under a tag.
func pushImage(t testing.TB, c *Client, repo Repository, tag, text string) Manifest {
	t.Helper()
	m, blob := image(t, text)
	must(t, c.PutBlob(t.Context(), repo, blob))
	must(t, c.PutManifest(t.Context(), repo, tag, m))
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

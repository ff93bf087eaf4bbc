package release_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// person is somebody with a key.
type person struct {
	id     string
	signer evidence.Signer
	key    config.Key
}

func newPerson(t testing.TB, id string) person {
	t.Helper()
	signer, key := evidencetest.Signer(t)
	key.Path = id + ".pub"
	return person{id, signer, key}
}

func (p person) group(name string) config.Group {
	if strings.Contains(p.id, "@") {
		return config.Group{Name: name, People: []config.Person{{ID: p.id, Key: p.key}}}
	}
	return config.Group{Name: name, Keys: []config.Key{p.key}}
}

// world is two registries, people with keys, one service, and a desk over them.
type world struct {
	t                         testing.TB
	staging, prod             registry.Repository
	config                    *config.Config
	store                     *store.Store
	ci, scanner, qa, owner    person
	stranger                  person
	now                       time.Time
	desk                      *release.Desk
	signer                    person // who uses the desk
	mu                        sync.Mutex
	asked                     []string // METHOD path, since the last call of requests
	writer                    *registry.Client
	stagingFaults, prodFaults func(w http.ResponseWriter, r *http.Request) bool
	noReferrers               bool
	edits                     []func(*config.Config) // of the configuration, before the desk is made
}

type option func(*world)

// withoutReferrers makes both registries keep referrers under fallback tags.
func withoutReferrers(w *world) { w.noReferrers = true }

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	if story, ok := t.(*testing.T); ok {
		story.Parallel() // attaching under a fallback tag waits; let the waits overlap
	}
	w := &world{t: t, now: time.Now().UTC().Truncate(time.Second)}
	for _, o := range options {
		o(w)
	}
	w.staging = registry.Repository{Host: w.serve(func(rw http.ResponseWriter, r *http.Request) bool {
		return w.stagingFaults != nil && w.stagingFaults(rw, r)
	}), Path: "team/chat"}
	w.prod = registry.Repository{Host: w.serve(func(rw http.ResponseWriter, r *http.Request) bool { return w.prodFaults != nil && w.prodFaults(rw, r) }), Path: "team/chat"}
	w.ci, w.scanner, w.stranger = newPerson(t, "ci"), newPerson(t, "scanner"), newPerson(t, "stranger")
	w.qa, w.owner = newPerson(t, "qa@example.com"), newPerson(t, "owner@example.com")
	w.signer = w.owner
	w.config = w.configuration()
	for _, e := range w.edits {
		e(w.config)
	}
	var err error
	if w.store, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.writer = w.client(registry.Promote, false)
	w.desk = w.newDesk(w.store)
	return w
}

// serve starts a registry whose requests fail first where a story says so.
func (w *world) serve(fault func(http.ResponseWriter, *http.Request) bool) string {
	r, err := embedded.Start(embedded.Options{NoReferrers: w.noReferrers, Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
			if !fault(rw, q) {
				next.ServeHTTP(rw, q)
			}
		})
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = r.Close() })
	return r.Host()
}

func (w *world) configuration() *config.Config {
	registries := map[string]config.Registry{}
	for _, host := range []string{w.staging.Host, w.prod.Host} {
		registries[host] = config.Registry{Host: host, Read: &config.Identity{Anonymous: true}, PlainHTTP: true, Listed: true}
	}
	return &config.Config{
		Path: "plimsoll.yaml", Registries: registries,
		Trust: map[string]config.Group{
			"ci": w.ci.group("ci"), "scanner": w.scanner.group("scanner"), "qa-leads": w.qa.group("qa-leads"),
			"release-owners": w.owner.group("release-owners"),
		},
		Services: []config.Service{{
			Name: "chat", Staging: w.staging.String(), Prod: w.prod.String(), Ledger: w.prod.String() + "-ledger", Channel: "live",
			Tags: regexp.MustCompile(`^(v|main-)`), Limit: 50, Deliver: config.Deliver{Tag: true},
			Gates: config.Gates{
				E2E:     &config.E2EGate{Signers: []string{"ci"}, MaxAge: 72 * time.Hour, Suites: []string{"smoke"}},
				Scan:    &config.ScanGate{Signers: []string{"scanner"}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour},
				SignOff: &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.BiggerChange},
			},
			Records: []string{"release-owners"}, Copy: config.CopyTrusted, Window: 90 * 24 * time.Hour,
		}},
	}
}

func (w *world) client(p registry.Purpose, traced bool) *registry.Client {
	o := registry.Options{Registries: w.config.Registry, Purpose: p}
	if traced {
		o.Trace = func(method, address string, _ int, _ time.Duration) {
			u, _ := url.Parse(address)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked = append(w.asked, method+" "+u.Host+u.Path)
		}
	}
	c := registry.New(o)
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) newDesk(s *store.Store) *release.Desk {
	return release.New(release.Options{
		Config: w.config, Store: s, Now: func() time.Time { return w.now }, Actor: "somebody", Version: "test",
		Client: func(p registry.Purpose) *registry.Client { return w.client(p, true) },
		Signer: func(context.Context) (evidence.Signer, error) { return w.signer.signer, nil },
	})
}

// requests are those since the last call, without method GET or HEAD on /v2/ itself.
func (w *world) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.asked
	w.asked = nil
	return out
}

// count counts the requests that contain every part.
func count(requests []string, parts ...string) int {
	n := 0
	for _, r := range requests {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(r, p) }) {
			n++
		}
	}
	return n
}

// image is an ordinary image; edit changes it.
func image(name string, created time.Time, edit ...func(*embedded.Image)) embedded.Image {
	img := embedded.Image{
		Layers: []embedded.Layer{
			{Files: []embedded.File{{Path: "etc/os-release", Content: []byte(strings.Repeat("base", 500))}}, CreatedBy: "FROM alpine", Compression: embedded.Plain},
			{Files: []embedded.File{{Path: "app", Content: []byte(name)}}, CreatedBy: "COPY app /", Compression: embedded.Plain},
		},
		Config: ocispec.Image{Created: &created, Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, Config: ocispec.ImageConfig{
			User: "1000", Entrypoint: []string{"/app"}, Env: []string{"LOG=info", "API_KEY=" + name},
			Labels: map[string]string{"org.opencontainers.image.revision": "aaaa" + digest.FromString(name).Encoded()[:8], "org.opencontainers.image.source": "https://github.com/acme/chat"},
		}},
	}
	for _, e := range edit {
		e(&img)
	}
	return img
}

func arm64(img *embedded.Image) { img.Config.Architecture = "arm64" }

func (w *world) push(repo registry.Repository, tags string, images ...embedded.Image) digest.Digest {
	w.t.Helper()
	dg, err := embedded.Push(w.t.Context(), w.writer, repo, strings.Fields(tags), images...)
	if err != nil {
		w.t.Fatal(err)
	}
	return dg
}

// sign attaches a statement by a person, in staging.
func (w *world) sign(p person, about digest.Digest, predicateType string, predicate any) digest.Digest {
	w.t.Helper()
	statement, err := evidence.NewStatement(predicateType, w.staging.String(), about, predicate)
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := evidence.Sign(w.t.Context(), p.signer, statement)
	if err != nil {
		w.t.Fatal(err)
	}
	desc, err := w.writer.Head(w.t.Context(), w.staging, about.String())
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := evidence.Manifest(bundle, predicateType, &desc, w.now)
	return w.attach(raw, evidence.EmptyConfig(), bundle)
}

func (w *world) attach(manifest []byte, blobs ...[]byte) digest.Digest {
	w.t.Helper()
	for _, b := range blobs {
		if err := w.writer.PutBlob(w.t.Context(), w.staging, b); err != nil {
			w.t.Fatal(err)
		}
	}
	m := registry.Manifest{Raw: manifest, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}}
	if err := w.writer.Attach(w.t.Context(), w.staging, m); err != nil {
		w.t.Fatal(err)
	}
	return m.Descriptor.Digest
}

// tested attaches a result of the smoke tests.
func (w *world) tested(p person, about digest.Digest, result string) digest.Digest {
	predicate := map[string]any{
		"result": result, "configuration": []map[string]any{{"name": "smoke"}},
		"passedTests": []string{"a", "b"}, "failedTests": []string{}, evidence.FinishedOn: w.now.Add(-time.Minute).Format(time.RFC3339),
	}
	if result == "FAILED" {
		predicate["passedTests"], predicate["failedTests"] = []string{"a"}, []string{"b"}
	}
	return w.sign(p, about, evidence.TestResult, predicate)
}

// scanned attaches a Trivy report with one vulnerability for each "ID SEVERITY".
func (w *world) scanned(p person, about digest.Digest, findings ...string) digest.Digest {
	list := []map[string]any{}
	for _, f := range findings {
		id, severity, _ := strings.Cut(f, " ")
		list = append(list, map[string]any{"VulnerabilityID": id, "PkgName": "openssl", "InstalledVersion": "3.0.1", "FixedVersion": "3.0.2", "Severity": severity})
	}
	report := map[string]any{
		"SchemaVersion": 2, "ArtifactName": w.staging.At(about), "ArtifactType": "container_image",
		"Results": []map[string]any{{"Target": "alpine", "Class": "os-pkgs", "Type": "alpine", "Vulnerabilities": list}},
	}
	at := w.now.Add(-time.Minute).Format(time.RFC3339)
	return w.sign(p, about, evidence.Vuln, map[string]any{
		"invocation": map[string]any{}, "scanner": map[string]any{
			"uri": "pkg:github/aquasecurity/trivy@0.74.0", "version": "0.74.0", "db": map[string]any{}, "result": report,
		},
		"metadata": map[string]any{"scanStartedOn": at, "scanFinishedOn": at},
	})
}

// good attaches what an ordinary candidate needs.
func (w *world) good(about digest.Digest) {
	w.t.Helper()
	w.tested(w.ci, about, "PASSED")
	children := w.children(about)
	if len(children) == 0 {
		children = []digest.Digest{about}
	}
	for _, c := range children { // a scan that names no platform covers an image of one platform only
		w.scanned(w.scanner, c, "CVE-2026-1 LOW")
	}
}

// list reads the service, which must work.
func (w *world) list() release.ServiceView {
	w.t.Helper()
	v, err := w.desk.List(w.t.Context(), "chat")
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func candidate(t testing.TB, v release.ServiceView, dg digest.Digest) release.Candidate {
	t.Helper()
	for _, c := range v.Candidates {
		if c.Digest == dg {
			return c
		}
	}
	t.Fatalf("%s is not listed: %+v", dg, v.Candidates)
	return release.Candidate{}
}

func check(t testing.TB, checks []gates.Check, gate string) gates.Check {
	t.Helper()
	for _, c := range checks {
		if c.Gate == gate {
			return c
		}
	}
	t.Fatalf("no check %s in %+v", gate, checks)
	return gates.Check{}
}

// approve signs as qa, with a desk of its own.
func (w *world) approve(dg digest.Digest, decision string) release.SignOff {
	w.t.Helper()
	defer func(was person) { w.signer = was }(w.signer)
	w.signer = w.qa
	s, err := w.desk.Approve(w.t.Context(), release.ApproveRequest{Service: "chat", Digest: dg, Decision: decision})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// promote does it all: evidence, sign-off, promotion.
func (w *world) promote(dg digest.Digest) release.Outcome {
	w.t.Helper()
	w.good(dg)
	w.approve(dg, evidence.Approved)
	o, err := w.desk.Promote(w.t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

package operation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
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
	"plimsoll/registry/registrytest"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fate decides when this "machine" dies: at one write to a registry or to the
// journal, before it or after it took effect. A dead machine reaches nothing.
type fate struct {
	mu     sync.Mutex
	writes int
	at     int  // 0: never
	after  bool // the write takes effect, its answer is lost
	dead   bool
	log    []string                  // every request: "METHOD path"
	hook   func(q *http.Request) int // a status to answer with in place of the registry; 0: pass
	skew   time.Duration             // of the registries' clocks
}

// strike counts a write and tells whether it may take effect, and whether its
// answer arrives.
func (f *fate) strike() (effect, answer bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return false, false
	}
	f.writes++
	if f.at == f.writes {
		f.dead = true
		return f.after, false
	}
	return true, true
}

func (f *fate) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *fate) set(at int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.at, f.after, f.dead, f.log = 0, at, after, false, nil
}

func (f *fate) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func (f *fate) on(hook func(q *http.Request) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// wrap stands between the machine and a registry.
func (f *fate) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("User-Agent") != machine { // the test itself, or another machine
			h.ServeHTTP(w, q)
			return
		}
		f.mu.Lock()
		f.log = append(f.log, q.Method+" "+q.URL.Path)
		hook, skew := f.hook, f.skew
		f.mu.Unlock()
		if skew != 0 {
			w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		}
		if hook != nil {
			if status := hook(q); status != 0 {
				w.WriteHeader(status)
				return
			}
		}
		effect, answer := !f.gone(), !f.gone()
		if q.Method != http.MethodGet && q.Method != http.MethodHead {
			effect, answer = f.strike()
		}
		switch {
		case answer:
			h.ServeHTTP(w, q)
			return
		case effect:
			h.ServeHTTP(httptest.NewRecorder(), q)
		}
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusTeapot) // no client tries that again
	})
}

const machine = "the-machine"

var errDead = errors.New("this machine is dead")

// mortal is a journal that dies with the machine.
type mortal struct {
	*store.Store
	fate    *fate
	mu      sync.Mutex
	release func() error
}

func (m *mortal) PutOperation(op store.Operation) error {
	effect, answer := m.fate.strike()
	if effect {
		if err := m.Store.PutOperation(op); err != nil {
			return err
		}
	}
	if !answer {
		return errDead
	}
	return nil
}

func (m *mortal) Audit(action, service, actor string, data any) (store.AuditEntry, error) {
	effect, answer := m.fate.strike()
	var e store.AuditEntry
	var err error
	if effect {
		e, err = m.Store.Audit(action, service, actor, data)
	}
	if !answer {
		return e, errDead
	}
	return e, err
}

func (m *mortal) Lease(identity, owner string, ttl time.Duration) (func() error, func() error, error) {
	release, renew, err := m.Store.Lease(identity, owner, ttl)
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	m.release = release
	m.mu.Unlock()
	return func() error {
		if m.fate.gone() {
			return errDead
		}
		return release()
	}, renew, nil
}

// revive starts the machine again; the lease of its dead process is free.
func (m *mortal) revive(t *testing.T) {
	t.Helper()
	m.fate.set(0, false)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.release != nil {
		if err := m.release(); err != nil {
			t.Fatal(err)
		}
	}
}

// verdicts is a judge that says what the test wants.
type verdicts struct {
	mu         sync.Mutex
	judged     int
	judgement  Judgement
	err        error
	objections []string
	onObject   func()
}

func (v *verdicts) Judge(context.Context, Question) (Judgement, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.judged++
	return v.judgement, v.err
}

func (v *verdicts) Objections(context.Context, Question) ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.onObject != nil {
		v.onObject()
	}
	return v.objections, nil
}

// world is two registries, a person with a key, and a machine.
type world struct {
	t        *testing.T
	fate     *fate
	staging  registry.Repository
	prod     registry.Repository
	books    registry.Repository
	owner    evidence.Signer
	ci       evidence.Signer
	config   *config.Config
	judge    *verdicts
	journal  *mortal
	runner   *Runner
	hands    *registry.Client // of the test itself
	images   map[string]digest.Digest
	promoted int
	sent     atomic.Int64 // requests of the machine, to any registry
}

type setting func(*world, *embedded.Options)

// distribution makes prod the CNCF registry, as a process: no referrers API,
// no upload in one request.
func distribution(w *world, _ *embedded.Options) { w.prod.Host = registrytest.Distribution(w.t) }

func noReferrers(_ *world, o *embedded.Options) { o.NoReferrers = true }

func newWorld(t *testing.T, settings ...setting) *world {
	t.Helper()
	w := &world{t: t, fate: &fate{}, owner: newSigner(t), ci: newSigner(t), images: map[string]digest.Digest{}}
	o := embedded.Options{Wrap: w.fate.wrap}
	for _, s := range settings {
		s(w, &o)
	}
	stagingHost, prodHost := registrytest.Embedded(t, o), w.prod.Host
	if prodHost == "" {
		prodHost = registrytest.Embedded(t, o)
	}
	w.staging = registry.Repository{Host: stagingHost, Path: "team/chat"}
	w.prod = registry.Repository{Host: prodHost, Path: "chat"}
	w.books = registry.Repository{Host: prodHost, Path: "chat-ledger"}
	w.hands = registrytest.Client(t)
	w.config = &config.Config{Dir: t.TempDir(), Trust: map[string]config.Group{
		"ci":             {Name: "ci", Keys: []config.Key{{Public: w.ci.Public()}}},
		"release-owners": {Name: "release-owners", People: []config.Person{{ID: "owner@example.com", Key: config.Key{Public: w.owner.Public()}}}},
	}, Services: []config.Service{{
		Name: "chat", Staging: w.staging.String(), Prod: w.prod.String(), Ledger: w.books.String(), Channel: "live",
		Deliver: config.Deliver{Tag: true}, Records: []string{"release-owners"}, Copy: config.CopyTrusted,
	}}}
	rules := gates.NewPolicy(w.config, w.config.Services[0])
	w.judge = &verdicts{judgement: Judgement{Verdict: gates.Ready, Policy: rules.Digest(), Document: rules.Document(), Tags: []string{"v1"}}}
	db, err := store.Open(memoryDir(t))
	if err != nil {
		t.Fatal(err)
	}
	w.journal = &mortal{Store: db, fate: w.fate}
	w.runner = w.newRunner()
	return w
}

// twoReleases is a world that had one release in prod and now has another.
func twoReleases(t *testing.T, settings ...setting) (w *world, one, two digest.Digest) {
	t.Helper()
	w = newWorld(t, settings...)
	one, two = w.image("v1"), w.image("v2")
	w.mustPromote(one)
	w.mustPromote(two)
	return w, one, two
}

// memoryDir is a directory in memory where there is one: hundreds of stores on
// a busy disk wait for it, and these machines die by decree, not by power cut.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "plimsoll-operation")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newSigner(t *testing.T) evidence.Signer {
	t.Helper()
	s, _ := evidencetest.Signer(t)
	return s
}

func (w *world) newRunner() *Runner {
	return &Runner{
		Config: w.config, Journal: w.journal, Judge: w.judge, Actor: "laptop", Commands: true, Version: "test",
		Client: w.client,
		Signer: func(context.Context) (evidence.Signer, string, error) { return w.owner, "owner@example.com", nil },
		pause:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// client makes clients as the command line does: one for each purpose.
func (w *world) client(p registry.Purpose) *registry.Client {
	anonymous := &config.Identity{Anonymous: true}
	trace := func(method, _ string, _ int, _ time.Duration) {
		if method != registry.TraceToken {
			w.sent.Add(1)
		}
	}
	c := registry.New(registry.Options{Purpose: p, UserAgent: machine, Trace: trace, Registries: func(host string) config.Registry {
		return config.Registry{Host: host, PlainHTTP: true, Listed: true, Read: anonymous, Promote: anonymous}
	}})
	if p == registry.Promote {
		w.promoted++
	}
	w.t.Cleanup(c.Close)
	return c
}

// image pushes a candidate with a signed test result to staging.
func (w *world) image(name string) digest.Digest {
	w.t.Helper()
	img := embedded.Image{Layers: []embedded.Layer{
		{Files: []embedded.File{{Path: "base", Content: []byte("the same in all")}}},
		{Files: []embedded.File{{Path: "app", Content: []byte(name)}}},
	}}
	d, err := embedded.Push(context.Background(), w.hands, w.staging, []string{name}, img)
	if err != nil {
		w.t.Fatal(err)
	}
	w.images[name] = d
	w.attach(d, w.ci, evidence.TestResult)
	return d
}

// index pushes a candidate for two platforms.
func (w *world) index(name string) digest.Digest {
	w.t.Helper()
	var imgs []embedded.Image
	for _, arch := range []string{"amd64", "arm64"} {
		imgs = append(imgs, embedded.Image{
			Layers:       []embedded.Layer{{Files: []embedded.File{{Path: "app", Content: []byte(name + arch)}}}},
			Config:       ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: arch}},
			Attestations: []embedded.Attestation{embedded.Provenance{}.Attestation()},
		})
	}
	d, err := embedded.Push(context.Background(), w.hands, w.staging, []string{name}, imgs...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.attach(d, w.ci, evidence.TestResult)
	return d
}

// attach signs a statement about a digest in staging and attaches it.
func (w *world) attach(subject digest.Digest, by evidence.Signer, kind string) digest.Digest {
	w.t.Helper()
	ctx := context.Background()
	statement, err := evidence.NewStatement(kind, "chat", subject, map[string]any{"result": "PASSED"})
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := evidence.Sign(ctx, by, statement)
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := w.hands.Head(ctx, w.staging, subject.String())
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := evidence.Manifest(bundle, kind, &d, time.Now())
	for _, blob := range [][]byte{bundle, evidence.EmptyConfig()} {
		if err := w.hands.PutBlob(ctx, w.staging, blob); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.hands.Attach(ctx, w.staging, registry.Manifest{Raw: raw}); err != nil {
		w.t.Fatal(err)
	}
	return digest.FromBytes(raw)
}

func (w *world) promote(d digest.Digest) (Outcome, error) {
	return w.runner.Promote(context.Background(), PromoteRequest{Service: "chat", Digest: d, Reason: "it is ready"}, nil)
}

func (w *world) rollback() (Outcome, error) {
	return w.runner.Rollback(context.Background(), RollbackRequest{Service: "chat", Reason: "it broke"}, nil)
}

func (w *world) mustPromote(d digest.Digest) Outcome {
	w.t.Helper()
	o, err := w.promote(d)
	if err != nil {
		w.t.Fatalf("promote %s: %v", short(d), err)
	}
	return o
}

// live is what the channel points at.
func (w *world) live() digest.Digest {
	w.t.Helper()
	d, err := w.hands.Head(context.Background(), w.prod, "live")
	if notFound(err) {
		return ""
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Digest
}

// point moves the channel past the gate.
func (w *world) point(d digest.Digest) {
	w.t.Helper()
	ctx := context.Background()
	m, err := w.hands.Manifest(ctx, w.prod, d.String())
	if err == nil {
		err = w.hands.PutManifest(ctx, w.prod, "live", m)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// chain reads the ledger as an empty laptop does.
func (w *world) chain() ledger.Chain {
	w.t.Helper()
	groups := []config.Group{w.config.Trust["release-owners"]}
	c, err := ledger.New(w.hands, w.books, nil).Read(context.Background(), groups, w.prod, "live")
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// records are the verified records that were not abandoned.
func (w *world) records() []ledger.Record {
	w.t.Helper()
	var out []ledger.Record
	for _, r := range w.chain().Records {
		if !r.Verified {
			w.t.Errorf("record %s: %s", r.Tag, r.Problem)
		}
		if r.State() != ledger.Abandoned {
			out = append(out, r)
		}
	}
	return out
}

func (w *world) stillOpen() []Pending {
	w.t.Helper()
	p, err := w.runner.Pending()
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// whole sees to it that what the channel points at is all there, with its
// release tag and a record.
func (w *world) whole() {
	w.t.Helper()
	ctx := context.Background()
	d := w.live()
	if d == "" {
		return
	}
	if err := registry.Complete(ctx, w.hands, w.prod, d); err != nil {
		w.t.Errorf("prod is not whole: %v", err)
	}
	tag, err := w.hands.Head(ctx, w.prod, ReleaseTag(d))
	if err != nil || tag.Digest != d {
		w.t.Errorf("release tag of %s: %v", short(d), err)
	}
	if w.chain().Current(d) == nil {
		w.t.Errorf("the channel points at %s, which has no record", short(d))
	}
}

func (w *world) auditActions() []string {
	w.t.Helper()
	var out []string
	for e, err := range w.journal.AuditEntries() {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, e.Action)
	}
	return out
}

package trust_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"plimsoll/config"
	"plimsoll/gates/evidence/sigstoretest"
	"plimsoll/release/trust"
)

// repository is a TUF repository, as tuf-repo-cdn.sigstore.dev is one: all files
// at their names, consistent snapshots, one key for all roles.
type repository struct {
	t       *testing.T
	key     ed25519.PrivateKey
	version int64
	expires time.Time // of the timestamp; the others live longer
	files   map[string][]byte
}

func newRepository(t *testing.T, expires time.Time, root []byte) *repository {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &repository{t: t, key: key, expires: expires, files: map[string][]byte{}}
	r.rotate(key)
	r.publish(root)
	return r
}

func (r *repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	raw, ok := r.files[strings.TrimPrefix(req.URL.Path, "/")]
	if !ok {
		http.NotFound(w, req)
		return
	}
	_, _ = w.Write(raw)
}

// rotate publishes the next root.json, with another key, signed by both.
func (r *repository) rotate(to ed25519.PrivateKey) {
	r.t.Helper()
	version := int64(1)
	for r.files[fmt.Sprintf("%d.root.json", version)] != nil {
		version++
	}
	root := metadata.Root(time.Now().AddDate(1, 0, 0))
	root.Signed.Version = version
	key, err := metadata.KeyFromPublicKey(to.Public())
	must(r.t, err)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		must(r.t, root.Signed.AddKey(key, role))
	}
	sign(r.t, root, to)
	if !r.key.Equal(to) {
		sign(r.t, root, r.key)
	}
	r.key = to
	r.write(fmt.Sprintf("%d.root.json", version), root)
}

// publish makes a new version with that trusted root.
func (r *repository) publish(root []byte) {
	r.t.Helper()
	r.version++
	later := r.expires.AddDate(0, 1, 0)
	file, err := metadata.TargetFile().FromBytes("trusted_root.json", root, "sha256")
	must(r.t, err)
	r.files["targets/"+fmt.Sprintf("%x", []byte(file.Hashes["sha256"]))+".trusted_root.json"] = root
	targets, snapshot, timestamp := metadata.Targets(later), metadata.Snapshot(later), metadata.Timestamp(r.expires)
	targets.Signed.Targets["trusted_root.json"] = file
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = r.version, r.version, r.version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	sign(r.t, targets, r.key)
	sign(r.t, snapshot, r.key)
	sign(r.t, timestamp, r.key)
	r.write(fmt.Sprintf("%d.targets.json", r.version), targets)
	r.write(fmt.Sprintf("%d.snapshot.json", r.version), snapshot)
	r.write("timestamp.json", timestamp)
}

func (r *repository) write(name string, m interface{ ToBytes(bool) ([]byte, error) }) {
	r.t.Helper()
	raw, err := m.ToBytes(false)
	must(r.t, err)
	r.files[name] = raw
}

func sign[T metadata.Roles](t *testing.T, m *metadata.Metadata[T], key ed25519.PrivateKey) {
	t.Helper()
	s, err := signature.LoadSigner(key, crypto.Hash(0))
	must(t, err)
	_, err = m.Sign(s)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyless is a configuration that trusts a workflow, with a root from r.
func (r *repository) keyless() *config.Config {
	return &config.Config{
		TrustRoot: config.TrustRoot{TUF: "https://" + tufs, Init: r.files["1.root.json"]},
		Trust:     map[string]config.Group{"gh": {Name: "gh", Workflow: []config.Workflow{{Issuer: "https://issuer", Identity: "https://me"}}}},
	}
}

func TestTheTrustedRootIsFetchedOnceAndThenKnownOffline(t *testing.T) {
	now := time.Now()
	root := sigstoretest.New(t).Root(t)
	repo := newRepository(t, now.AddDate(0, 0, 7), root)
	host(t, tufs, repo)
	_, o := openStore(t)
	cfg := repo.keyless()

	untrusted := o
	untrusted.Trusted = false
	if g := trust.Complete(t.Context(), cfg, nil, untrusted).Trust["gh"]; g.Root != nil || !strings.Contains(g.RootProblem, "plimsoll trust") || requests(tufs) > 0 {
		t.Fatalf("a configuration that nobody trusts asked the network: %d requests, %q", requests(tufs), g.RootProblem)
	}
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; string(g.Root) != string(root) || g.RootProblem != "" {
		t.Fatalf("fetched %d bytes, %q", len(g.Root), g.RootProblem)
	}
	host(t, tufs, http.NotFoundHandler())
	done := trust.Complete(t.Context(), cfg, nil, untrusted)
	if g := done.Trust["gh"]; string(g.Root) != string(root) || string(done.TrustRoot.Raw) != string(root) || requests(tufs) > 0 {
		t.Fatalf("not known offline: %q, %d requests", g.RootProblem, requests(tufs))
	}
	if trust.Due(cfg, o) {
		t.Error("due at once")
	}
	o.Now = func() time.Time { return now.Add(25 * time.Hour) }
	if !trust.Due(cfg, o) {
		t.Error("not due after a day")
	}
	if _, err := trust.Renew(t.Context(), cfg, o); err == nil || trust.Due(cfg, o) {
		t.Errorf("due again right after it failed with %v", err)
	}
}

func TestARenewedRootIsTakenAndAFailureKeepsTheOldOne(t *testing.T) {
	now := time.Now()
	first, second := sigstoretest.New(t).Root(t), sigstoretest.New(t).Root(t)
	repo := newRepository(t, now.AddDate(0, 0, 7), first)
	host(t, tufs, repo)
	_, o := openStore(t)
	cfg := repo.keyless()
	trust.Complete(t.Context(), cfg, nil, o)

	// Another key signs from now on, and the first one is forgotten everywhere.
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	repo.rotate(key)
	repo.publish(second)
	if until, err := trust.Renew(t.Context(), cfg, o); err != nil || !until.Equal(repo.expires.UTC().Truncate(time.Second)) && until.Sub(repo.expires).Abs() > time.Second {
		t.Fatalf("renewed until %s (%s): %v", until, repo.expires, err)
	}
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; string(g.Root) != string(second) {
		t.Error("the new root is not used")
	}

	host(t, tufs, http.NotFoundHandler())
	if _, err := trust.Renew(t.Context(), cfg, o); err == nil {
		t.Error("renewed from nothing")
	}
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; string(g.Root) != string(second) {
		t.Error("the kept root was lost")
	}
}

func TestAnExpiredRootIsAProblemAfterAWarning(t *testing.T) {
	now := time.Now()
	repo := newRepository(t, now.AddDate(0, 0, 7), sigstoretest.New(t).Root(t))
	host(t, tufs, repo)
	_, o := openStore(t)
	cfg := repo.keyless()
	trust.Complete(t.Context(), cfg, nil, o)
	host(t, tufs, http.NotFoundHandler())

	var noted string
	o.Note = func(format string, args ...any) { noted = fmt.Sprintf(format, args...) }
	o.Now = func() time.Time { return now.AddDate(0, 0, 6) }
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root == nil || !strings.Contains(noted, "could not be renewed") {
		t.Errorf("a day before it expires: %q, noted %q", g.RootProblem, noted)
	}
	o.Now = func() time.Time { return now.AddDate(0, 0, 8) }
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root != nil || !strings.Contains(g.RootProblem, "expired on") {
		t.Errorf("after it expired: %q", g.RootProblem)
	}
	// What the repository still gives is expired as well: frozen by somebody on the way.
	host(t, tufs, repo)
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root != nil || !strings.Contains(g.RootProblem, "expired") {
		t.Errorf("a frozen repository: %q", g.RootProblem)
	}
}

func TestARepositoryThatForgesIsRefused(t *testing.T) {
	now := time.Now()
	root := sigstoretest.New(t).Root(t)
	for name, forge := range map[string]func(*repository){
		"another signer": func(r *repository) {
			_, r.key, _ = ed25519.GenerateKey(rand.Reader)
			r.publish(root)
		},
		"other bytes": func(r *repository) {
			for name := range r.files {
				if strings.HasPrefix(name, "targets/") {
					r.files[name] = append([]byte(" "), r.files[name][1:]...)
				}
			}
		},
		"no trusted root": func(r *repository) { r.publish([]byte(`{}`)) },
		"an endless file": func(r *repository) { r.files["timestamp.json"] = make([]byte, 1<<20) },
		"nothing":         func(r *repository) { clear(r.files) },
		"no JSON":         func(r *repository) { r.files["timestamp.json"] = []byte("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t, now.AddDate(0, 0, 7), root)
			cfg := repo.keyless()
			forge(repo)
			host(t, tufs, repo)
			_, o := openStore(t)
			g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]
			if g.Root != nil || !strings.Contains(g.RootProblem, "fetch the trusted root of https://"+tufs) {
				t.Errorf("got %d bytes, %q", len(g.Root), g.RootProblem)
			}
		})
	}
}

func TestAnOlderVersionIsNotTakenAgain(t *testing.T) {
	repo := newRepository(t, time.Now().AddDate(0, 0, 7), sigstoretest.New(t).Root(t))
	old := repo.files["timestamp.json"]
	repo.publish(sigstoretest.New(t).Root(t))
	host(t, tufs, repo)
	_, o := openStore(t)
	cfg := repo.keyless()
	trust.Complete(t.Context(), cfg, nil, o)
	repo.files["timestamp.json"] = old
	if _, err := trust.Renew(t.Context(), cfg, o); err == nil {
		t.Error("the repository was rolled back unnoticed")
	}
}

func TestARootInAFileNeedsNoNetwork(t *testing.T) {
	host(t, tufs, http.NotFoundHandler())
	root := sigstoretest.New(t).Root(t)
	_, o := openStore(t)
	cfg := &config.Config{
		TrustRoot: config.TrustRoot{File: "trusted_root.json", Raw: root},
		Trust:     map[string]config.Group{"gh": {Workflow: []config.Workflow{{Issuer: "x", Identity: "y"}}}, "ci": {}},
	}
	done := trust.Complete(t.Context(), cfg, nil, o)
	if string(done.Trust["gh"].Root) != string(root) || done.Trust["ci"].Root != nil || trust.Due(cfg, o) || requests(tufs) > 0 {
		t.Errorf("got %+v", done.Trust)
	}
	cfg.TrustRoot.Raw = []byte(`{"mediaType":"text/plain"}`)
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root != nil || !strings.Contains(g.RootProblem, "no trusted root") {
		t.Errorf("a file that is none gave %q", g.RootProblem)
	}
}

func TestADamagedCacheIsFetchedAnew(t *testing.T) {
	repo := newRepository(t, time.Now().AddDate(0, 0, 7), sigstoretest.New(t).Root(t))
	host(t, tufs, repo)
	_, o := openStore(t)
	cfg := repo.keyless()
	trust.Complete(t.Context(), cfg, nil, o)
	files, err := filepath.Glob(filepath.Join(o.Dir, "tuf", "*", "*.json"))
	must(t, err)
	if len(files) < 5 {
		t.Fatalf("only %q were kept", files)
	}
	for _, f := range files {
		must(t, os.WriteFile(f, []byte("{damaged"), 0o600))
	}
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root == nil {
		t.Errorf("got %q", g.RootProblem)
	}
}

func TestTUFIsAskedOverTLSOnly(t *testing.T) {
	repo := newRepository(t, time.Now().AddDate(0, 0, 7), sigstoretest.New(t).Root(t))
	cfg := repo.keyless()
	cfg.TrustRoot.TUF = "http://" + tufs
	_, o := openStore(t)
	if g := trust.Complete(t.Context(), cfg, nil, o).Trust["gh"]; g.Root != nil || !strings.Contains(g.RootProblem, "use https") {
		t.Errorf("got %q", g.RootProblem)
	}
}

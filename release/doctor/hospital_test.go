package doctor_test

import (
	"context"
	"crypto"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/release/doctor"
	"plimsoll/store"
)

// The passwords, searched for in all output.
const (
	viewerSecret = "canary-of-the-viewer"
	robotSecret  = "canary-of-the-robot"
	ciSecret     = "canary-of-the-pipeline"
)

// cloud gives the identities of a role that is assumed, and knows what the
// registry keeps.
type cloud struct {
	names map[string]string // role → account
	guard *guard
	ends  time.Time
	keeps registry.Retention
	items []registry.Item // of prod; nil: the list is not for this identity
}

func (c *cloud) Credential(_ context.Context, id config.Identity) (registry.Credential, error) {
	name := c.names[id.AWS.Role]
	return registry.Credential{Username: name, Password: c.guard.passwords[name], Subject: "role/" + name, Expires: c.ends}, nil
}

func (c *cloud) Close() {}

func (c *cloud) Retention(context.Context, registry.Repository) (registry.Retention, error) {
	return c.keeps, nil
}

func (c *cloud) Lock(context.Context, registry.Repository, digest.Digest, string) error {
	return registry.ErrUnsupported
}

func (c *cloud) List(_ context.Context, _ registry.Repository, yield func([]registry.Item) bool) error {
	if c.items == nil {
		return registry.ErrUnsupported
	}
	yield(c.items)
	return nil
}

// hospital is a registry with three accounts, a service in it, and a desk.
type hospital struct {
	t      *testing.T
	guard  *guard
	cloud  *cloud
	config *config.Config
	store  *store.Store
	now    time.Time
	key    crypto.PublicKey
	signer evidence.Signer
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	h := &hospital{t: t, now: time.Now().UTC().Truncate(time.Second)}
	h.guard = &guard{passwords: map[string]string{"viewer": viewerSecret, "robot": robotSecret, "ci": ciSecret}}
	guarded(t, h.guard)
	h.guard.allow("viewer", "staging", false)
	h.guard.allow("viewer", "prod", false)
	h.guard.allow("robot", "staging", false)
	h.guard.allow("robot", "prod", true)
	h.guard.allow("ci", "staging", true)
	h.cloud = &cloud{
		names: map[string]string{"look": "viewer", "promote": "robot"}, guard: h.guard, ends: h.now.Add(3*time.Hour + 20*time.Second),
		keeps: registry.Retention{Known: true, Untagged: 100 * 24 * time.Hour, Detail: "the cloud's own rule"},
	}
	var err error
	if h.store, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	h.configure()
	h.fill()
	return h
}

func (h *hospital) configure() {
	file := filepath.Join(h.t.TempDir(), "owner.key")
	if err := os.WriteFile(file, []byte("not opened"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	trust := map[string]config.Group{}
	for _, name := range []string{"ci", "scanner", "qa", "owners"} {
		signer, key := evidencetest.Signer(h.t)
		key.Path = name + ".pub"
		g := config.Group{Name: name, Keys: []config.Key{key}}
		if name == "qa" || name == "owners" {
			g = config.Group{Name: name, People: []config.Person{{ID: name + "@example.com", Key: key}}}
		}
		if name == "owners" {
			h.signer, h.key = signer, key.Public
		}
		trust[name] = g
	}
	host := h.guard.host
	h.config = &config.Config{
		Path: "plimsoll.yaml", Signing: config.Signing{Key: file}, Trust: trust,
		Registries: map[string]config.Registry{host: {
			Host: host, Listed: true, PlainHTTP: true,
			Read: &config.Identity{AWS: &config.AWSIdentity{Role: "look"}}, Promote: &config.Identity{AWS: &config.AWSIdentity{Role: "promote"}},
		}},
		Services: []config.Service{{
			Name: "chat", Staging: host + "/staging/chat", Prod: host + "/prod/chat", Ledger: host + "/prod/chat-ledger", Channel: "live",
			Limit: 50, Deliver: config.Deliver{Tag: true}, Records: []string{"owners"}, Copy: config.CopyTrusted, Window: 90 * 24 * time.Hour,
			Gates: config.Gates{
				E2E: &config.E2EGate{Signers: []string{"ci"}}, Scan: &config.ScanGate{Signers: []string{"scanner"}},
				BaseImage: &config.BaseImageGate{Signers: []string{"ci"}},
				SignOff:   &config.SignOffGate{Signers: []string{"qa"}, Quorum: 1, When: config.Always},
			},
		}},
	}
}

// fill puts an image into staging and prod, and adopts it.
func (h *hospital) fill() {
	h.t.Helper()
	staging := h.as("ci")
	h.push(staging, h.staging(), "v1", "one")
	dg := h.push(h.as("robot"), h.prod(), "live", "one")
	h.cloud.items = []registry.Item{{Digest: dg, Lock: registry.Lock{Delete: true}}}
	if _, err := h.desk().Adopt(h.t.Context(), release.AdoptRequest{Service: "chat", Reason: "story"}, nil); err != nil {
		h.t.Fatal(err)
	}
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	h.guard.requests = nil
}

func (h *hospital) staging() registry.Repository {
	return registry.Repository{Host: h.guard.host, Path: "staging/chat"}
}

func (h *hospital) prod() registry.Repository {
	return registry.Repository{Host: h.guard.host, Path: "prod/chat"}
}

func (h *hospital) push(c *registry.Client, repo registry.Repository, tag, content string) digest.Digest {
	h.t.Helper()
	dg, err := embedded.Push(h.t.Context(), c, repo, []string{tag}, embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app", Content: []byte(content)}}}}})
	if err != nil {
		h.t.Fatal(err)
	}
	return dg
}

// as is a client of one account.
func (h *hospital) as(account string) *registry.Client {
	c := registry.New(registry.Options{
		Registries: h.config.Registry, Purpose: registry.Promote,
		As: &registry.Credential{Username: account, Password: h.guard.passwords[account]},
	})
	h.t.Cleanup(c.Close)
	return c
}

func (h *hospital) desk() *release.Desk {
	kept := map[registry.Purpose]*registry.Client{}
	return release.New(release.Options{
		Config: h.config, Store: h.store, Now: func() time.Time { return h.now }, Actor: "somebody", Version: "test",
		Client: func(p registry.Purpose) *registry.Client {
			if c := kept[p]; c != nil && p != registry.Promote {
				return c
			}
			kept[p] = registry.New(registry.Options{Registries: h.config.Registry, Purpose: p, Providers: func(string, config.Registry, *registry.Wire) registry.Provider { return h.cloud }})
			h.t.Cleanup(kept[p].Close)
			return kept[p]
		},
		Signer: func(context.Context) (evidence.Signer, error) { return h.signer, nil },
		Public: func() crypto.PublicKey { return h.key },
	})
}

// everything is what can be asked for.
var everything = release.DoctorRequest{Promotion: true, CI: "ci:" + ciSecret}

func (h *hospital) examine(r release.DoctorRequest) doctor.Report {
	h.t.Helper()
	left := h.guard.left()
	report, err := h.desk().Doctor(h.t.Context(), "", r)
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := json.Marshal(report)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, secret := range []string{viewerSecret, robotSecret, ciSecret} {
		if strings.Contains(string(raw), secret) {
			h.t.Errorf("the report holds a secret: %s", raw)
		}
	}
	if n := h.guard.left() - left; n != 0 {
		h.t.Errorf("%d uploads were left open", n)
	}
	return report
}

// fact is the fact of that id whose subject ends so.
func fact(t *testing.T, r doctor.Report, id, subject string) doctor.Fact {
	t.Helper()
	for _, s := range r.Services {
		for _, f := range s.Facts {
			if f.ID == id && strings.HasSuffix(f.Subject, subject) {
				return f
			}
		}
	}
	t.Fatalf("no fact %s about %s in %+v", id, subject, r)
	return doctor.Fact{}
}

// is demands a status, and a remedy for whatever is not as it should be.
func is(t *testing.T, f doctor.Fact, want doctor.Status, says string) {
	t.Helper()
	if f.Status != want || !strings.Contains(f.Summary+" "+f.Detail+" "+f.Hint, says) {
		t.Errorf("%s of %s is %s, expected %s and %q: %s (%s) → %s", f.ID, f.Subject, f.Status, want, says, f.Summary, f.Detail, f.Hint)
	}
	if f.Status == doctor.Broken && f.Hint == "" {
		t.Errorf("%s is broken and nothing says what to do", f.ID)
	}
}

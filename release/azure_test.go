package release_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/acr"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/store"
)

// The principals of the cloud.
const (
	pipeline = "aaaaaaaa-0000-4000-8000-00000000000c" // CI: pushes to staging
	everyday = "aaaaaaaa-0000-4000-8000-00000000000e" // reads both
	approver = "aaaaaaaa-0000-4000-8000-00000000000a" // attaches sign-offs in staging
	promoter = "aaaaaaaa-0000-4000-8000-000000000009" // writes prod
)

// azure is a world whose two registries are Azure's.
type azure struct {
	*world
	cloud            *acrtest.Cloud
	source, target   *acrtest.Registry
	dir              string // of the store
	clients          string // ends the names of its applications: MSAL keeps tokens of machines for the process
	mu               sync.Mutex
	uploaded, output bytes.Buffer
}

// machineIdentity is a principal as a machine in Azure gets it.
func (a *azure) machineIdentity(client string) *config.Identity {
	return &config.Identity{Azure: &config.AzureIdentity{Method: "managed-identity", ClientID: client + a.clients}}
}

func newAzure(t *testing.T, imports bool) *azure {
	t.Helper()
	w := newWorld(t)
	pull := []string{"pull", "metadata_read"}
	push := []string{"pull", "push", "metadata_read"}
	all := []string{"pull", "push", "metadata_read", "metadata_write", "deleted_read", "deleted_restore", "read", "importImage"}
	host := func(name string) string { return name + ".azurecr.io" }
	a := &azure{world: w, dir: t.TempDir(), clients: "-" + digest.FromString(t.Name()).Encoded()[:8]}
	a.cloud = acrtest.New(t,
		&acrtest.Principal{Object: pipeline, Client: "app-ci" + a.clients, Roles: map[string][]string{host("acmestaging"): push}},
		&acrtest.Principal{Object: everyday, Client: "app-look" + a.clients, Roles: map[string][]string{host("acmestaging"): pull, host("acmeprod"): append([]string{"read"}, pull...)}},
		&acrtest.Principal{Object: approver, Client: "app-sign" + a.clients, Roles: map[string][]string{host("acmestaging"): push}},
		&acrtest.Principal{Object: promoter, Client: "app-promote" + a.clients, Roles: map[string][]string{host("acmestaging"): {"pull"}, host("acmeprod"): all}},
	)
	a.source, a.target = a.cloud.Add("acmestaging", w.staging.Host), a.cloud.Add("acmeprod", w.prod.Host)
	a.recordUploads()
	w.staging, w.prod = a.source.Repository(w.staging.Path), a.target.Repository(w.prod.Path)
	s := &w.config.Services[0]
	s.Staging, s.Prod, s.Ledger = w.staging.String(), w.prod.String(), w.prod.String()+"-ledger"
	entries := map[string]config.Registry{
		w.staging.Host: {Host: w.staging.Host, Read: a.machineIdentity("app-look"), Evidence: a.machineIdentity("app-sign")},
		w.prod.Host:    {Host: w.prod.Host, Read: a.machineIdentity("app-look"), Promote: a.machineIdentity("app-promote")},
	}
	if imports {
		e := entries[w.prod.Host]
		e.Import = &config.Import{Subscription: "sub", ResourceGroup: "prod", Source: config.ImportSource{Subscription: "sub", ResourceGroup: "staging"}}
		entries[w.prod.Host] = e
	}
	for name, e := range entries {
		entries[name] = a.cloud.Entry(e)
	}
	w.config.Registries = entries
	w.writer = a.cloud.Client(registry.Promote, entries, nil, func(o *registry.Options) {
		o.As = &registry.Credential{RefreshToken: a.source.Refresh(pipeline)}
	})
	a.open(entries)
	return a
}

// open makes the desk, with a store of its own.
func (a *azure) open(entries map[string]config.Registry) {
	a.t.Helper()
	var err error
	if a.store, err = store.Open(a.dir); err != nil {
		a.t.Fatal(err)
	}
	providers := acr.Providers(acr.Options{Transport: a.cloud.Transport(), Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	a.desk = release.New(release.Options{
		Config: a.config, Store: a.store, Now: func() time.Time { return a.now }, Actor: "somebody", Version: "test",
		Client: func(p registry.Purpose) *registry.Client {
			return a.cloud.Client(p, entries, providers, func(o *registry.Options) {
				o.Trace = func(method, address string, status int, _ time.Duration) { a.say("%s %s %d", method, address, status) }
			})
		},
		Signer: func(context.Context) (evidence.Signer, error) { return a.signer.signer, nil },
	})
}

// recordUploads keeps every byte that reaches the two registries.
func (a *azure) recordUploads() {
	keep := func(_ http.ResponseWriter, r *http.Request) bool {
		raw, err := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.uploaded.Write(raw)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		return err != nil
	}
	a.stagingFaults, a.prodFaults = keep, keep
}

// say keeps what a person, a log or a program could see.
func (a *azure) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(&a.output, format+"\n", args...)
}

func (a *azure) promoteAloud(dg digest.Digest) (release.Outcome, error) {
	out, err := a.desk.Promote(a.t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, func(p release.Progress) {
		a.say("%+v %+v", p, p.Copy)
	})
	a.say("%s %v %s", asJSON(a.t, out), err, fault.HintOf(err))
	return out, err
}

// ready pushes a candidate that may be promoted, as CI and QA do.
func (a *azure) ready(tag string, images ...embedded.Image) digest.Digest {
	a.t.Helper()
	dg := a.push(a.staging, tag, images...)
	a.good(dg)
	a.approve(dg, evidence.Approved)
	return dg
}

func TestAPromotionOnAzureUsesEachIdentityForItsPartOnly(t *testing.T) {
	for name, imports := range map[string]bool{"Azure copies": true, "this machine copies": false} {
		t.Run(name, func(t *testing.T) {
			a := newAzure(t, imports)
			a.cloud.Import(acrtest.Importing{Polls: 2})
			dg := a.ready("v1", image("app", a.now), image("app", a.now, arm64))
			out, err := a.promoteAloud(dg)
			if said := a.output.String(); imports != strings.Contains(said, "Azure copies "+dg.Encoded()[:12]+" by itself") {
				t.Errorf("how it was copied was not said:\n%s", said)
			}
			if err != nil || out.Referrers.Arrived != out.Referrers.Expected || out.Referrers.Expected < 4 || len(out.Warnings) != 0 {
				t.Fatalf("%+v, %v", out, err)
			}
			if orders := a.cloud.Imports(); imports != (len(orders) == 1+out.Referrers.Expected) {
				t.Errorf("imports %v of %d referrers", orders, out.Referrers.Expected)
			}
			if l := a.target.Locks(a.prod.Path, dg.String()); l["deleteEnabled"] {
				t.Error("it is not locked")
			}
			for _, r := range a.cloud.Requests("") {
				if why := a.wrong(r); why != "" {
					t.Errorf("%s: %s", r, why)
				}
			}
		})
	}
}

// wrong tells why a request must not have been sent under its identity.
func (a *azure) wrong(r acrtest.Request) string {
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasPrefix(r.Path, "/oauth2/")
	switch {
	case r.Status >= http.StatusBadRequest || r.Principal == "":
		return ""
	case r.Host == a.prod.Host && writes && r.Principal != promoter:
		return "only the promotion identity writes prod"
	case r.Host == a.prod.Host && r.Principal != promoter && r.Principal != everyday:
		return "neither CI nor the approver is known in prod"
	case r.Host == a.staging.Host && r.Principal == promoter:
		return "the promotion identity has nothing to do in staging"
	case r.Host == a.staging.Host && writes && r.Principal != pipeline && r.Principal != approver:
		return "only CI and the approver write staging"
	case r.Host == acrtest.Manager && writes && r.Principal != promoter:
		return "only the promotion identity imports"
	}
	return ""
}

func TestTheRecordNamesTheIdentityThatWroteAndItsEnd(t *testing.T) {
	a := newAzure(t, false)
	first := a.ready("v1", image("one", a.now))
	if _, err := a.promoteAloud(first); err != nil {
		t.Fatal(err)
	}
	a.now = a.now.Add(time.Minute)
	second := a.ready("v2", image("two", a.now))
	if _, err := a.promoteAloud(second); err != nil {
		t.Fatal(err)
	}
	if _, err := a.desk.Rollback(t.Context(), release.RollbackRequest{Service: "chat", Reason: "story"}, nil); err != nil {
		t.Fatal(err)
	}
	h, err := a.desk.History(t.Context(), "chat")
	if err != nil || len(h) != 3 {
		t.Fatalf("%v %+v", err, h)
	}
	for _, e := range h {
		i := e.Identity
		if i == nil || i.Registry != a.prod.Host || i.Subject != "app app-promote"+a.clients+" ("+promoter+")" || time.Until(i.ExpiresOn) < time.Hour || time.Until(i.ExpiresOn) > 4*time.Hour {
			t.Errorf("%s: %+v", e.Action, i)
		}
	}
	v, err := a.desk.Verify(t.Context(), a.prod.At(second))
	if err != nil || v.Identity == nil || *v.Identity != *h[1].Identity {
		t.Errorf("%v: %+v", err, v.Identity)
	}
}

// TestAPromotionOutlivesItsTokens lets all tokens end when the second layer has
// arrived: those of the registries, and those of Microsoft Entra.
func TestAPromotionOutlivesItsTokens(t *testing.T) {
	a := newAzure(t, false)
	layers := func(img *embedded.Image) {
		for n := range 6 {
			img.Layers = append(img.Layers, embedded.Layer{Compression: embedded.Plain, Files: []embedded.File{{Path: "f", Random: 2 << 20, Seed: uint64(n + 1)}}})
		}
	}
	dg := a.ready("v1", image("big", a.now, layers))
	arrived, ended := 0, 0
	a.prodFaults = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/blobs/uploads/") {
			return false
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if arrived++; arrived == 2 {
			ended = len(a.cloud.Requests(a.prod.Host))
			a.cloud.SetNow(func() time.Time { return time.Now().Add(80 * time.Minute) })
		}
		return false
	}
	if _, err := a.promoteAloud(dg); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range a.cloud.Requests(a.prod.Host)[ended:] {
		if r.Status == http.StatusUnauthorized && r.Principal == promoter {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no token was refused: nothing had ended")
	}
}

func TestNoSecretOfTheCloudIsSeenAnywhere(t *testing.T) {
	a := newAzure(t, true)
	dg := a.ready("v1", image("app", a.now))
	a.cloud.Revoke(promoter, a.prod.Host, "push") // first it goes wrong
	if _, err := a.promoteAloud(dg); fault.CodeOf(err) != fault.Refused {
		t.Fatal(err)
	}
	a.cloud.Grant(promoter, a.prod.Host, "push")
	a.cloud.Import(acrtest.Importing{Polls: 1, Fail: "InvalidImage"})
	if out, err := a.promoteAloud(dg); err != nil || len(out.Warnings) == 0 {
		t.Fatalf("%+v, %v", out.Warnings, err)
	}
	a.readEverything(dg)
	places := a.files()
	a.mu.Lock()
	defer a.mu.Unlock()
	places["what reached the registries"], places["what was said"] = a.uploaded.Bytes(), a.output.Bytes()
	places["signed payloads"] = payloads(a.uploaded.Bytes())
	secrets := a.cloud.Secrets()
	if len(secrets) < 20 || len(places["signed payloads"]) == 0 {
		t.Fatalf("%d secrets, %d bytes of payloads: the story does not tell enough", len(secrets), len(places["signed payloads"]))
	}
	for name, raw := range places {
		for _, secret := range secrets {
			if mark := secret[strings.LastIndexByte(secret, '.')+1:]; bytes.Contains(raw, []byte(mark)) {
				t.Errorf("%s holds the secret …%s", name, mark)
			}
		}
	}
}

// readEverything asks the desk for all that it tells.
func (a *azure) readEverything(dg digest.Digest) {
	a.t.Helper()
	ctx := a.t.Context()
	view, err := a.desk.List(ctx, "chat")
	a.say("%s %v", asJSON(a.t, view), err)
	history, err := a.desk.History(ctx, "")
	a.say("%s %v", asJSON(a.t, history), err)
	proof, err := a.desk.Verify(ctx, a.prod.At(dg))
	a.say("%s %v", asJSON(a.t, proof), err)
	report, err := a.desk.Doctor(ctx, "", release.DoctorRequest{Promotion: true, CI: a.source.Refresh(pipeline)})
	a.say("%s %v", asJSON(a.t, report), err)
	operations, err := a.store.Operations(false)
	a.say("%s %v", asJSON(a.t, operations), err)
	for entry, err := range a.store.AuditEntries() {
		a.say("%s %v", asJSON(a.t, entry), err)
	}
}

// files are the bytes of the store's files.
func (a *azure) files() map[string][]byte {
	a.t.Helper()
	names, err := filepath.Glob(filepath.Join(a.dir, "*"))
	if err != nil || len(names) == 0 {
		a.t.Fatal(names, err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			a.t.Fatal(err)
		}
		out[filepath.Base(name)] = raw
	}
	return out
}

// payloads are the statements inside signed bundles, which hold them in base64.
func payloads(raw []byte) []byte {
	var out []byte
	for _, m := range regexp.MustCompile(`"payload":"([^"]+)"`).FindAllSubmatch(raw, -1) {
		if decoded, err := base64.StdEncoding.DecodeString(string(m[1])); err == nil && json.Valid(decoded) {
			out = append(out, decoded...)
		}
	}
	return out
}

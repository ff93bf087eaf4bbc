package release_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/release/operation"
)

// verify is asked where nothing of staging is to be had.
func (w *world) verify(dg digest.Digest) release.Verification {
	w.t.Helper()
	w.requests()
	w.stagingFaults = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusUnauthorized)
		return true
	}
	defer func() { w.stagingFaults = nil }()
	auditor := release.New(release.Options{
		Config: w.config, Store: w.store, Now: func() time.Time { return w.now }, ReadOnly: true,
		Client: func(p registry.Purpose) *registry.Client {
			if p != registry.Read {
				w.t.Errorf("verify asked for the identity %v", p)
			}
			return w.client(p, true)
		},
	})
	v, err := auditor.Verify(w.t.Context(), w.prod.At(dg))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range w.requests() {
		if strings.Contains(r, w.staging.Host) || !strings.HasPrefix(r, "GET") && !strings.HasPrefix(r, "HEAD") {
			w.t.Errorf("verify asked %s", r)
		}
	}
	return v
}

func TestVerifyJudgesUnderThePolicyThatTheRecordNames(t *testing.T) {
	platform := newPerson(t, "platform@example.com")
	w := newWorld(t, owned(platform))
	w.mustRatify(platform)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.promote(dg)
	then := w.policy().Digest

	w.edit(func(c *config.Config) { // every key of the evidence is another one now
		c.Trust["ci"], c.Trust["scanner"] = w.stranger.group("ci"), w.stranger.group("scanner")
		c.Trust["qa-leads"] = w.stranger.group("qa-leads")
	})
	w.mustRatify(platform)
	for range 2 {
		v := w.verify(dg)
		if !v.Promoted || v.Policy != then || !v.PolicyFound || !v.PolicySigned || v.PolicyBy != platform.id {
			t.Errorf("%+v", v)
		}
		if !slices.Equal(v.Problems, []string{"the policy has changed since"}) {
			t.Errorf("%q", v.Problems)
		}
		if c := check(t, v.Checks, gates.E2E); c.Summary != "1 of 1 pieces of evidence verified again in prod" {
			t.Errorf("%+v", c)
		}
		w.laptop() // and where nothing is remembered
	}
}

// BuildKit signs nothing: its provenance counts because the builders signed something
// about the index that it is part of; so that travels to prod, and is asked for there.
func TestVerifyTakesBuildKitsProvenanceAsTheGateDid(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.edits = append(w.edits, noSignOff, func(c *config.Config) {
			c.Services[0].Gates.BaseImage = &config.BaseImageGate{Signers: []string{"builders"}, Pinned: true}
			c.Services[0].Copy = config.CopyUsed
			c.Trust["builders"] = w.stranger.group("builders")
		})
	})
	built := func(img *embedded.Image) {
		img.Attestations = []embedded.Attestation{embedded.Provenance{
			Repository: "https://github.com/acme/chat.git", Revision: "abc", Started: w.now, Finished: w.now,
			Bases: []embedded.Base{{Name: "debian", Tag: "13", Digest: digest.FromString("debian"), Pinned: true, Platform: "linux/amd64"}},
		}.Attestation()}
	}
	dg := w.push(w.staging, "v1", image("app", w.now, built))
	w.scanned(w.scanner, w.children(dg)[0])
	w.tested(w.ci, dg, "PASSED")
	voucher := w.sign(w.stranger, dg, "https://example.com/built/v1", map[string]any{})
	if err := w.try(dg); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(dg); !v.Promoted || len(v.Problems) != 0 || check(t, v.Checks, gates.BaseImage).Summary != "2 of 2 pieces of evidence verified again in prod" {
		t.Errorf("%+v", v)
	}
	w.deleteFrom(w.prod, voucher)
	w.laptop()
	v := w.verify(dg)
	if c := check(t, v.Checks, gates.BaseImage); c.Summary != "0 of 2 pieces of evidence verified again in prod" || len(c.Reasons) != 2 {
		t.Errorf("nobody vouches for it any more: %+v", c)
	}
}

// A record is written before the channel moves; it alone promotes nothing.
func TestAPromotionThatStoppedBeforeTheMoveIsNone(t *testing.T) {
	w := newWorld(t, func(w *world) { w.edits = append(w.edits, noSignOff) })
	dg := w.ready("v1")
	w.prodFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		refused := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/live")
		if refused {
			rw.WriteHeader(http.StatusForbidden)
		}
		return refused
	}
	if err := w.try(dg); err == nil {
		t.Fatal("promoted though the channel cannot be written")
	}
	mine := w.store
	w.laptop()
	if v := w.verify(dg); v.Promoted || v.Record == nil || !mentions(v.Problems, "the promotion was not finished") {
		t.Errorf("%+v", v)
	}
	w.store, w.prodFaults = mine, nil
	w.desk = w.newDesk(mine)
	if err := w.try(dg); err != nil {
		t.Fatal(err)
	}
	w.laptop()
	if v := w.verify(dg); !v.Promoted || !v.InProd || len(v.Problems) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestVerifySaysThatAPolicyIsNotToBeFound(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.promote(dg)
	w.removePolicies()
	w.edit(func(c *config.Config) { c.Trust["ci"] = w.stranger.group("ci") })
	w.laptop()
	v := w.verify(dg)
	if !v.Promoted || v.PolicyFound || v.PolicySigned {
		t.Errorf("%+v", v)
	}
	for _, says := range []string{"is not in the ledger", "verifies with no key of that gate"} {
		if !slices.ContainsFunc(v.Problems, func(p string) bool { return strings.Contains(p, says) }) {
			t.Errorf("%q is not in %q", says, v.Problems)
		}
	}
}

// removePolicies deletes what was written down, as somebody with the right to would.
func (w *world) removePolicies() {
	w.t.Helper()
	books := registry.Repository{Host: w.prod.Host, Path: w.prod.Path + "-ledger"}
	tags, err := w.writer.Tags(w.t.Context(), books)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, tag := range tags {
		if !strings.HasPrefix(tag, "policy-") {
			continue
		}
		q, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, "http://"+books.Host+"/v2/"+books.Path+"/manifests/"+tag, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			w.t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}

// yes lets everything through: a client that somebody changed.
type yes struct{ policy gates.Policy }

func (y yes) Judge(context.Context, operation.Question) (operation.Judgement, error) {
	return operation.Judgement{Verdict: gates.Ready, Policy: y.policy.Digest(), Document: y.policy.Document(), Tags: []string{"v1"}}, nil
}

func (yes) Objections(context.Context, operation.Question) ([]string, error) { return nil, nil }

func TestAPromotionUnderAPolicyThatNoOwnerSignedIsNone(t *testing.T) {
	platform := newPerson(t, "platform@example.com")
	w := newWorld(t, owned(platform))
	w.mustRatify(platform)
	signed := w.config
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.edit(lax)
	w.now = w.now.Add(time.Minute)
	runner := operation.Runner{
		Config: w.config, Journal: w.store, Judge: yes{gates.NewPolicy(w.config, w.config.Services[0])}, Now: func() time.Time { return w.now },
		Client: func(p registry.Purpose) *registry.Client { return w.client(p, false) },
		Signer: func(context.Context) (evidence.Signer, string, error) { return w.owner.signer, w.owner.id, nil },
	}
	if _, err := runner.Promote(t.Context(), operation.PromoteRequest{Service: "chat", Digest: dg}, nil); err != nil {
		t.Fatal(err)
	}
	w.config = signed
	w.laptop()
	v := w.verify(dg)
	if v.Promoted || v.PolicySigned || !v.PolicyFound || !slices.ContainsFunc(v.Problems, func(p string) bool { return strings.Contains(p, "no owner of the policy signed") }) {
		t.Errorf("%+v", v)
	}
}

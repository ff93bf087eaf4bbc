package release_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
)

// bakery is the registry that base images come from.
type bakery struct {
	*world
	base registry.Repository
	down atomic.Bool
}

// withBakery lets base images be 90 days old, and come from a registry of their own.
func withBakery(t *testing.T) *bakery {
	b := &bakery{}
	b.world = newWorld(t, func(w *world) {
		b.base = registry.Repository{Host: w.serve(func(rw http.ResponseWriter, _ *http.Request) bool {
			if b.down.Load() {
				rw.WriteHeader(http.StatusForbidden)
			}
			return b.down.Load()
		}), Path: "library/debian"}
		w.edits = append(w.edits, noSignOff, func(c *config.Config) {
			c.Registries[b.base.Host] = config.Registry{Host: b.base.Host, Read: &config.Identity{Anonymous: true}, PlainHTTP: true, Listed: true}
			c.Services[0].Gates.BaseImage = &config.BaseImageGate{
				Signers: []string{"ci"}, Pinned: true, Repositories: []string{b.base.Host + "/library/*"}, MaxBaseAge: 90 * 24 * time.Hour,
			}
		})
	})
	b.requests()
	return b
}

// bake pushes a base image of two platforms; the one for arm64 is a day younger.
func (b *bakery) bake(tag string, ago time.Duration) digest.Digest {
	made := b.now.Add(-ago)
	return b.push(b.base, tag, image(tag, made), image(tag, made.Add(24*time.Hour), arm64))
}

// on is a build for a platform that began from a base image.
func (b *bakery) on(base digest.Digest, platform string, edit ...func(*embedded.Image)) func(*embedded.Image) {
	return func(img *embedded.Image) {
		for _, e := range edit {
			e(img)
		}
		img.Attestations = []embedded.Attestation{embedded.Provenance{
			Repository: "https://github.com/acme/chat.git", Revision: "abc", Started: b.now.Add(-time.Hour), Finished: b.now.Add(-time.Hour),
			Bases: []embedded.Base{{Name: b.base.String(), Tag: "13", Digest: base, Pinned: true, Platform: platform}},
		}.Attestation()}
	}
}

// candidate is an image of two platforms on a base, with everything that the gates ask for.
func (b *bakery) candidate(tag string, base digest.Digest) digest.Digest {
	b.t.Helper()
	dg := b.push(b.staging, tag, image(tag, b.now, b.on(base, "linux/amd64")), image(tag, b.now, b.on(base, "linux/arm64", arm64)))
	b.good(dg)
	return dg
}

// asked counts the requests to the registry of base images since the last time.
func (b *bakery) asked() int { return count(b.requests(), b.base.Host) }

func (b *bakery) check(v []gates.Check, status gates.Status, words ...string) {
	b.t.Helper()
	c := check(b.t, v, gates.BaseImage)
	text := c.Summary + "\n" + strings.Join(c.Reasons, "\n")
	if c.Status != status || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
		b.t.Errorf("%s, want %s with %q:\n%s", c.Status, status, words, text)
	}
}

func TestAnOldBaseImageBlocksAndAYoungOnePasses(t *testing.T) {
	b := withBakery(t)
	old := b.candidate("v1", b.bake("11", 800*24*time.Hour))
	young := b.candidate("v2", b.bake("13", 48*time.Hour))
	b.requests()
	b.check(b.gates(old).Checks, gates.Stale, "old base", "linux/amd64: "+b.base.String()+":13@sha256:", "800 d ago", "linux/arm64: ", "799 d ago", "at most 90 d old")
	if n := b.asked(); n == 0 || n > 5+1 { // index, and manifest and configuration of two platforms; the first request learns how to log in
		t.Errorf("%d requests", n)
	}
	b.check(b.gates(young).Checks, gates.Pass, "pinned", "the oldest base image is of", "(48 h old)", "(24 h old)")
	if v := b.gates(young); v.Verdict != gates.Ready {
		t.Errorf("%+v", v)
	}
	if _, err := b.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: young, Reason: "story"}, nil); err != nil {
		t.Error(err)
	}
}

func TestABaseImageIsAskedForOnce(t *testing.T) {
	b := withBakery(t)
	base := b.bake("13", 48*time.Hour)
	for _, tag := range []string{"v1", "v2", "v3", "v4"} {
		b.candidate(tag, base)
	}
	b.requests()
	for _, c := range b.list().Candidates {
		b.check(c.Checks, gates.Pass, "pinned")
	}
	if n := b.asked(); n == 0 || n > 5+1 {
		t.Errorf("%d requests for one base image of four candidates", n)
	}
	b.down.Store(true)
	dg := b.list().Candidates[0].Digest
	b.check(b.gates(dg).Checks, gates.Pass)
	b.desk = b.newDesk(b.store) // another run on this machine
	b.check(b.gates(dg).Checks, gates.Pass)
	b.list()
	if n := b.asked(); n != 0 {
		t.Errorf("%d requests for what is known", n)
	}
}

func TestARegistryOfBaseImagesThatIsDownIsAnErrorAndNotForGood(t *testing.T) {
	b := withBakery(t)
	base := b.bake("13", 48*time.Hour)
	dg := b.candidate("v1", base)
	b.candidate("v2", base)
	b.down.Store(true)
	b.requests()
	for _, c := range b.list().Candidates {
		b.check(c.Checks, gates.Error, "base of unknown age", b.base.Host+" did not say when it was made", "403")
	}
	if n := b.asked(); n == 0 || n > 4 { // one for each platform of the base
		t.Errorf("%d requests to a registry that refuses", n)
	}
	b.list()
	if n := b.asked(); n != 0 {
		t.Errorf("a list asked again at once: %d requests", n)
	}
	b.check(b.gates(dg).Checks, gates.Error)
	if b.asked() == 0 {
		t.Error("gates believed a failure")
	}
	if _, err := b.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, nil); err == nil {
		t.Error("promoted on a base of unknown age")
	}
	b.down.Store(false)
	b.check(b.gates(dg).Checks, gates.Pass)
	b.check(candidate(t, b.list(), dg).Checks, gates.Pass)
}

func TestABaseImageThatIsNotThereOrNotForThePlatformIsAnError(t *testing.T) {
	b := withBakery(t)
	for word, base := range map[string]digest.Digest{
		"404": digest.FromString("nowhere"),
		`for the platform "linux/arm64" it has not one image; it has linux/amd64, linux/amd64`: b.push(b.base, "twins", image("a", b.now), image("b", b.now)),
	} {
		b.check(b.gates(b.candidate("v1", base)).Checks, gates.Error, word)
	}
	undated := func(img *embedded.Image) { img.Config.Created = nil }
	b.check(b.gates(b.candidate("v2", b.push(b.base, "undated", image("c", b.now, undated)))).Checks, gates.Error, "created in its configuration is missing")
	epoch := b.push(b.base, "epoch", image("d", time.Unix(0, 0)))
	b.check(b.gates(b.candidate("v3", epoch)).Checks, gates.Error, "is 1970-01-01")
}

func TestWhatCIDidNotSignSendsNobodyToARegistry(t *testing.T) {
	b := withBakery(t)
	base := b.bake("13", 48*time.Hour)
	dg := b.push(b.staging, "v1", image("v1", b.now, b.on(base, "linux/amd64")))
	b.sign(b.stranger, dg, evidence.TestResult, map[string]any{"result": "PASSED"})
	b.requests()
	b.check(b.gates(dg).Checks, gates.Missing)
	b.config.Services[0].Gates.BaseImage.Repositories = []string{"docker.io/library/*"}
	b.desk = b.newDesk(b.store)
	b.tested(b.ci, dg, "PASSED")
	b.check(b.gates(dg).Checks, gates.Fail, "1 not allowed")
	b.config.Services[0].Gates.BaseImage.Repositories, b.config.Services[0].Gates.BaseImage.MaxBaseAge = nil, 0
	b.desk = b.newDesk(b.store)
	b.check(b.gates(dg).Checks, gates.Pass)
	if n := b.asked(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestAnImageOfDockerHubIsAskedForWhereItLies: nothing is behind the address here.
func TestAnImageOfDockerHubIsAskedForWhereItLies(t *testing.T) {
	b := withBakery(t)
	b.config.Services[0].Gates.BaseImage.Repositories = []string{"docker.io/library/*"}
	b.config.Registries["docker.io"] = config.Registry{Host: "docker.io", Read: &config.Identity{Anonymous: true}, Listed: true}
	b.base = registry.Repository{Host: "index.docker.io", Path: "debian"}
	dg := b.candidate("v1", digest.FromString("debian"))
	ctx, stop := context.WithCancel(t.Context())
	b.requests()
	client := registry.New(registry.Options{
		Registries: b.config.Registry, Purpose: registry.Read,
		Trace: func(_, address string, _ int, _ time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.world.asked = append(b.world.asked, address)
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "127.0.0.1:") {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			stop() // it is not asked again and again
			return nil, errors.New("there is no network here")
		},
	})
	t.Cleanup(client.Close)
	desk := release.New(release.Options{Config: b.config, Store: b.store, Client: func(registry.Purpose) *registry.Client { return client }})
	v, err := desk.Gates(ctx, "chat", dg)
	if err != nil {
		t.Fatal(err)
	}
	b.check(v.Checks, gates.Error, "index.docker.io/debian:13@sha256:", "docker.io did not say when it was made")
	if asked := b.requests(); count(asked, "https://registry-1.docker.io/v2/") == 0 || count(asked, "index.docker.io") != 0 {
		t.Errorf("asked %q", asked)
	}
}

// TestVerifyAsksNoRegistryOfBaseImages: it tells how the base was judged, and verifies
// what that rests on; how old the base is today is no question to it.
func TestVerifyAsksNoRegistryOfBaseImages(t *testing.T) {
	b := withBakery(t)
	dg := b.candidate("v1", b.bake("13", 48*time.Hour))
	if err := b.try(dg); err != nil {
		t.Fatal(err)
	}
	b.down.Store(true)
	b.now = b.now.Add(365 * 24 * time.Hour)
	b.laptop()
	b.requests()
	v := b.verify(dg)
	if c := check(t, v.Checks, gates.BaseImage); !v.Promoted || len(v.Problems) != 0 || c.Status != gates.Pass || !strings.Contains(c.Summary, "verified again") {
		t.Errorf("%+v", v)
	}
	if n := b.asked(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

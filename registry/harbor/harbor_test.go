package harbor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/harbor/harbortest"
	"plimsoll/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "canary-7f31-harbor"

// world is a Harbor with one project, a robot that reads and one that promotes.
type world struct {
	*harbortest.Harbor
	t    *testing.T
	repo registry.Repository
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("READ_TOKEN", canary+"-read")
	t.Setenv("PROMOTE_TOKEN", canary+"-promote")
	h := harbortest.New(t, registrytest.Embedded(t),
		harbortest.Account{Name: "robot$read", Password: canary + "-read", May: map[string][]string{"acme": append(harbortest.Look, harbortest.Pull...)}},
		harbortest.Account{Name: "robot$promote", Password: canary + "-promote", May: map[string][]string{"acme": harbortest.Push}},
	)
	h.Create(harbortest.Project{Name: "acme"})
	return &world{Harbor: h, t: t, repo: h.Repository("acme/team/app")}
}

// client shows the robot of the purpose.
func (w *world) client(purpose registry.Purpose) *registry.Client {
	return w.Client(w.t, purpose, config.Registry{
		Read:    &config.Identity{Username: "robot$read", PasswordEnv: "READ_TOKEN"},
		Promote: &config.Identity{Username: "robot$promote", PasswordEnv: "PROMOTE_TOKEN"},
	})
}

// push puts an image into the real registry.
func (w *world) push(tag string) registry.Manifest {
	w.t.Helper()
	c := registrytest.Client(w.t)
	image := embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app", Content: []byte(tag)}}}}}
	_, err := embedded.Push(w.t.Context(), c, w.Behind("acme/team/app"), []string{tag}, image)
	must(w.t, err)
	m, err := c.Manifest(w.t.Context(), w.Behind("acme/team/app"), tag)
	must(w.t, err)
	return m
}

func TestAnImageIsCopiedWithTokensOfTheHarbor(t *testing.T) {
	w := newWorld(t)
	source := registry.Repository{Host: registrytest.Embedded(t), Path: "app"}
	plain := registrytest.Client(t)
	dg, err := embedded.Push(t.Context(), plain, source, []string{"v1"}, embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "a", Content: []byte("a")}}}}})
	must(t, err)
	promote := w.client(registry.Promote)
	must(t, promote.CanPush(t.Context(), w.repo))
	_, err = registry.Copy(t.Context(), registry.CopyRequest{From: plain, Source: source, To: promote, Target: w.repo, Root: dg})
	must(t, err)
	must(t, registry.Complete(t.Context(), w.client(registry.Read), w.repo, dg))
	err = w.client(registry.Read).CanPush(t.Context(), w.repo)
	if fault.CodeOf(err) != fault.Refused {
		t.Errorf("the everyday robot may write: %v", err)
	}
}

func TestTheScanOfAProjectIsRead(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	w.Scanned(m.Descriptor.Digest, harbortest.Image{Status: "Success", At: "2026-11-24T05:00:00Z", Findings: []map[string]any{
		{"id": "CVE-1", "package": "openssl", "version": "3.0", "fix_version": "3.1", "severity": "High", "description": "bad\u001b[31m", "links": []string{"https://avd.example.com/CVE-1"}},
		{"id": "CVE-2", "package": "bash", "version": "5", "severity": "Negligible"},
	}})
	s, err := w.client(registry.Read).Scan(t.Context(), w.repo, m.Descriptor.Digest)
	must(t, err)
	if s.State != registry.Scanned || !s.Finished.Equal(time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)) || len(s.Findings) != 2 {
		t.Fatalf("%+v", s)
	}
	if f := s.Findings[0]; f.ID != "CVE-1" || f.Fixed != "3.1" || f.Severity != "High" || f.URL != "https://avd.example.com/CVE-1" || strings.ContainsRune(f.Title, '\x1b') {
		t.Errorf("%+v", f)
	}
	path := "GET /api/v2.0/projects/acme/repositories/team%252Fapp/artifacts/" + m.Descriptor.Digest.String()
	if log := strings.Join(w.Requests(), "\n"); log != path+" robot$read\n"+path+"/additions/vulnerabilities robot$read" {
		t.Errorf("%s", log)
	}
}

func TestAScanThatHasNoReportIsNoPass(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	for status, c := range map[string]struct {
		state registry.ScanState
		says  string
	}{
		"": {state: registry.NoScan}, "Pending": {state: registry.Scanning}, "Running": {state: registry.Scanning}, "Scheduled": {state: registry.Scanning},
		"Error": {says: `"Error"`}, "Stopped": {says: `"Stopped"`}, "New Word": {says: `"New Word"`}, "Success": {says: "no report"},
	} {
		w.Scanned(m.Descriptor.Digest, harbortest.Image{Status: status})
		s, err := w.client(registry.Read).Scan(t.Context(), w.repo, m.Descriptor.Digest)
		if c.says == "" && (err != nil || s.State != c.state) || c.says != "" && (!errors.Is(err, registry.ErrUnscanned) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: %+v, %v", status, s, err)
		}
	}
	w.Scanned(m.Descriptor.Digest, harbortest.Image{Status: "Success", At: "2026-11-24T05:00:00Z", Findings: []map[string]any{}})
	if s, err := w.client(registry.Read).Scan(t.Context(), w.repo, m.Descriptor.Digest); err != nil || s.State != registry.Scanned || len(s.Findings) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhoMayNotReadAScanIsToldThePermission(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	_, err := w.client(registry.Promote).Scan(t.Context(), w.repo, m.Descriptor.Digest)
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(fault.HintOf(err), "artifact:read") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	t.Setenv("READ_TOKEN", "wrong")
	_, err = w.client(registry.Read).Scan(t.Context(), w.repo, m.Descriptor.Digest)
	if fault.CodeOf(err) != fault.Refused || strings.Contains(err.Error()+fault.HintOf(err), "wrong") {
		t.Errorf("%v", err)
	}
	t.Setenv("READ_TOKEN", canary+"-read")
	_, err = w.client(registry.Read).Scan(t.Context(), w.repo, digest.FromString("gone"))
	if !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	_, err = w.client(registry.Read).Scan(t.Context(), w.Repository("app"), m.Descriptor.Digest)
	if fault.CodeOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
}

func needs(m registry.Manifest) registry.Needs {
	return registry.Needs{Moves: []string{"live"}, Adds: []string{"release-1"}, Lists: []string{registry.Fallback(m.Descriptor.Digest)}}
}

func TestRulesOfImmutabilityAreFoundBeforeAnythingIsCopied(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	disabled := harbortest.Rule(1, "matches", "**", "**")
	disabled["disabled"] = true
	for name, c := range map[string]struct {
		rules []map[string]any
		says  string
	}{
		"no rule":                         {},
		"a rule that is off":              {rules: []map[string]any{disabled}},
		"release tags only":               {rules: []map[string]any{harbortest.Rule(1, "matches", "release-*", "**")}},
		"another repository":              {rules: []map[string]any{harbortest.Rule(1, "matches", "**", "other/*")}},
		"everything":                      {rules: []map[string]any{harbortest.Rule(7, "matches", "**", "**")}, says: "rule 7: repositories matches **, tags matches **"},
		"everything but the lists":        {rules: []map[string]any{harbortest.Rule(7, "excludes", "sha256-*", "team/**")}, says: "the channel live"},
		"everything but channel and list": {rules: []map[string]any{harbortest.Rule(7, "excludes", "{live,sha256-*}", "**")}},
		"the channel, by a class":         {rules: []map[string]any{disabled, harbortest.Rule(8, "matches", "[k-m]iv?", "{team,x}/app")}, says: "rule 8"},
		"a pattern without an end":        {rules: []map[string]any{harbortest.Rule(7, "matches", "[", "**")}, says: "pattern"},
		"a selector that is new":          {rules: []map[string]any{harbortest.Rule(7, "resembles", "live", "**")}, says: "not known"},
	} {
		w.Change("acme", func(p *harbortest.Project) { p.Immutable = c.rules })
		err := w.client(registry.Read).Ready(t.Context(), w.repo, needs(m))
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(c.says, "rule") && !strings.Contains(fault.HintOf(err), "exclude live for team/app") {
			t.Errorf("%s: %s", name, fault.HintOf(err))
		}
	}
}

func TestAllPagesOfRulesAreRead(t *testing.T) {
	w := newWorld(t)
	var rules []map[string]any
	for i := range 120 {
		rules = append(rules, harbortest.Rule(i, "matches", fmt.Sprintf("v%d", i), "**"))
	}
	w.Change("acme", func(p *harbortest.Project) {
		p.Immutable = append(rules, harbortest.Rule(999, "matches", "live", "**"))
	})
	if err := w.client(registry.Read).Ready(t.Context(), w.repo, registry.Needs{Moves: []string{"live"}}); err == nil || !strings.Contains(err.Error(), "rule 999") {
		t.Errorf("got %v", err)
	}
}

func TestWhoMayNotReadTheRulesGoesOnWithoutThem(t *testing.T) {
	w := newWorld(t)
	w.Change("acme", func(p *harbortest.Project) { p.Immutable = []map[string]any{harbortest.Rule(1, "matches", "**", "**")} })
	must(t, w.client(registry.Promote).Ready(t.Context(), w.repo, registry.Needs{Moves: []string{"live"}}))
	err := w.client(registry.Read).Ready(t.Context(), w.Repository("gone/app"), registry.Needs{Moves: []string{"live"}})
	if !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "no project gone") {
		t.Errorf("got %v", err)
	}
}

func TestAnImmutableTagIsDoneOrStops(t *testing.T) {
	w := newWorld(t)
	first := w.push("release-1")
	second := w.push("v2")
	w.Change("acme", func(p *harbortest.Project) {
		p.Immutable = []map[string]any{harbortest.Rule(1, "matches", "release-*", "**")}
	})
	promote := w.client(registry.Promote)
	must(t, promote.PutManifest(t.Context(), w.repo, "release-1", first)) // 412, and it is the same digest
	err := promote.PutManifest(t.Context(), w.repo, "release-1", second)
	if !errors.Is(err, registry.ErrImmutable) || fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "configured as immutable") {
		t.Errorf("got %v", err)
	}
	if d, err := promote.Head(t.Context(), w.repo, "release-1"); err != nil || d.Digest != first.Descriptor.Digest {
		t.Errorf("%v, %v", d.Digest, err)
	}
}

func TestAFullProjectIsNoRefusalOfTheIdentity(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	w.Change("acme", func(p *harbortest.Project) { p.Full = true })
	promote := w.client(registry.Promote)
	for what, err := range map[string]error{
		"a manifest": promote.PutManifest(t.Context(), w.repo, "v2", m), "a blob": promote.PutBlob(t.Context(), w.repo, []byte("new bytes")),
	} {
		if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "no room left") || !strings.Contains(err.Error(), "upper limit of 10.0 GiB") ||
			!strings.Contains(fault.HintOf(err), "quota") {
			t.Errorf("%s: %v (%s)", what, err, fault.HintOf(err))
		}
	}
}

func TestAnImageThatTheProjectKeepsBackIsSaid(t *testing.T) {
	w := newWorld(t)
	m := w.push("v1")
	w.Scanned(m.Descriptor.Digest, harbortest.Image{Status: "Success", Findings: []map[string]any{{"id": "CVE-1"}}})
	w.Change("acme", func(p *harbortest.Project) { p.Prevent = true })
	_, err := w.client(registry.Read).Manifest(t.Context(), w.repo, m.Descriptor.Digest.String())
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "cannot be pulled due to configured policy") || !strings.Contains(fault.HintOf(err), "rule of the Harbor project") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

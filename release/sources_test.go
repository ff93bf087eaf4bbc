package release_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry/embedded"
	"plimsoll/release"
)

// lab is a source of test results by digest; what it does not know is absent.
type lab struct {
	mu    sync.Mutex
	says  map[string]string // state by digest
	asked []string
	down  bool
}

// withLab lets the e2e gate of the service ask a source named lab, and no signer.
func (w *world) withLab() *lab {
	w.t.Helper()
	l := &lab{says: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = append(l.asked, r.URL.Path)
		state, ok := l.says[strings.Split(r.URL.Path, "/")[1]]
		switch {
		case l.down:
			rw.WriteHeader(http.StatusForbidden)
		case !ok:
			rw.WriteHeader(http.StatusNotFound)
		default:
			_, _ = fmt.Fprintf(rw, `{"state":%q,"passed":2,"total":2,"end":%q}`, state, w.now.Add(-time.Minute).Format(time.RFC3339))
		}
	}))
	w.t.Cleanup(server.Close)
	w.config.Sources = map[string]config.Source{"lab": {Keep: time.Minute, Timeout: 10 * time.Second, HTTP: &config.HTTPSource{
		URL: server.URL + "/{{.Digest}}/{{.Revision}}", State: "$.state", Passed: []string{"ok"}, Running: []string{"busy"},
		Count: "$.passed", Total: "$.total", Time: "$.end", PlainHTTP: true,
	}}}
	w.config.Services[0].Gates.E2E = &config.E2EGate{Sources: []string{"lab"}, MaxAge: 72 * time.Hour}
	w.desk = w.newDesk(w.store)
	w.t.Cleanup(func() { w.desk.Close() })
	return l
}

func (l *lab) say(dg digest.Digest, state string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.says[dg.String()] = state
}

// questions is how often it was asked since the last time.
func (l *lab) questions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.asked
	l.asked = nil
	return out
}

const revision = "0123456789abcdef0123456789abcdef01234567"

// labelled is an image of a commit.
func labelled(commit string) func(*embedded.Image) {
	return func(img *embedded.Image) {
		img.Config.Config.Labels = map[string]string{"org.opencontainers.image.revision": commit}
	}
}

func TestASourceDecidesAGateAndIsAskedAfreshForAVerdict(t *testing.T) {
	w := newWorld(t)
	l := w.withLab()
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(revision)))
	w.scanned(w.scanner, dg)
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Missing || !strings.Contains(strings.Join(c.Reasons, " "), "lab") {
		t.Errorf("%+v", c)
	}
	l.say(dg, "ok")
	if c := check(t, candidate(t, w.list(), dg).Checks, gates.E2E); c.Status != gates.Missing {
		t.Errorf("a list takes an answer that is kept: %+v", c)
	}
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Pass || c.Summary != "2/2" {
		t.Errorf("%+v", c)
	}
	if q := l.questions(); len(q) != 2 || q[0] != "/"+dg.String()+"/"+revision {
		t.Errorf("%q", q)
	}
	l.down = true
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "403") {
		t.Errorf("a source that cannot answer: %+v", c)
	}
}

func TestAFailureOfASourceIsRememberedUntilItSaysOtherwise(t *testing.T) {
	w := newWorld(t)
	l := w.withLab()
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(revision)))
	l.say(dg, "broken")
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Fail {
		t.Fatalf("%+v", c)
	}
	l.mu.Lock()
	delete(l.says, dg.String())
	l.mu.Unlock()
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status.Passes() {
		t.Errorf("forgetting a failure unblocked: %+v", c)
	}
	w.now = w.now.Add(time.Hour)
	l.say(dg, "ok")
	v := w.gates(dg)
	if c := check(t, v.Checks, gates.E2E); c.Status != gates.Pass || len(v.Warnings) != 0 {
		t.Errorf("%+v, %q", c, v.Warnings)
	}
}

func TestAnImageOfNoOneCommitIsAnErrorOfTheSource(t *testing.T) {
	w := newWorld(t)
	w.withLab()
	two := w.push(w.staging, "v1", image("a", w.now, labelled(revision)), image("b", w.now, arm64, labelled(strings.Repeat("f", 40))))
	short := w.push(w.staging, "v2", image("c", w.now, labelled("0123456")))
	for dg, word := range map[digest.Digest]string{two: "several commits", short: "no full commit id"} {
		if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), word) {
			t.Errorf("%s: %+v", word, c)
		}
	}
}

func TestWhereProvenanceIsAskedForItNamesTheCommit(t *testing.T) {
	w := newWorld(t)
	l := w.withLab()
	w.config.Services[0].Gates.Provenance = &config.ProvenanceGate{Signers: []string{"ci"}, Source: "https://github.com/acme/chat"}
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(strings.Repeat("f", 40)))) // the image says what it likes
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "which commit") {
		t.Errorf("%+v", c)
	}
	w.sign(w.ci, dg, evidence.SLSA1, map[string]any{
		"buildDefinition": map[string]any{
			"buildType":            "https://actions.github.io/buildtypes/workflow/v1",
			"externalParameters":   map[string]any{"workflow": map[string]any{"repository": "https://github.com/acme/chat", "ref": "refs/heads/main"}},
			"resolvedDependencies": []map[string]any{{"uri": "git+https://github.com/acme/chat@refs/heads/main", "digest": map[string]string{"gitCommit": revision}}},
		},
		"runDetails": map[string]any{"builder": map[string]any{"id": "https://github.com/actions/runner"}, "metadata": map[string]any{"finishedOn": w.now.Format(time.RFC3339)}},
	})
	l.questions()
	w.gates(dg)
	if q := l.questions(); len(q) != 1 || !strings.HasSuffix(q[0], "/"+revision) {
		t.Errorf("%q", q)
	}
}

func TestASourceThatFailsDuringTheCopyKeepsTheChannel(t *testing.T) {
	w := newWorld(t)
	l := w.withLab()
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(revision)))
	w.scanned(w.scanner, dg)
	l.say(dg, "ok")
	w.approve(dg, evidence.Approved)
	once := sync.OnceFunc(func() { // the first blob that is written: the verdict is there
		w.now = w.now.Add(2 * time.Minute)
		l.say(dg, "broken")
	})
	w.prodFaults = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/blobs/uploads") {
			once()
		}
		return false
	}
	_, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, nil)
	if fault.CodeOf(err) != fault.Gate || !strings.Contains(err.Error(), "since the verdict") {
		t.Errorf("%v", err)
	}
	if now, err := w.desk.Current(t.Context(), "chat"); err != nil || now != nil {
		t.Errorf("prod moved: %v, %v", now, err)
	}
}

func TestAPromotionAsksASourceOnceIfItIsQuick(t *testing.T) {
	w := newWorld(t)
	l := w.withLab()
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(revision)))
	w.scanned(w.scanner, dg)
	l.say(dg, "ok")
	w.approve(dg, evidence.Approved)
	l.questions()
	if _, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, nil); err != nil {
		t.Fatal(err)
	}
	if q := l.questions(); len(q) != 1 {
		t.Errorf("%q", q)
	}
}

func TestAListWithSourcesAsksTheRegistriesNoMore(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.good(w.push(w.staging, fmt.Sprintf("v%d", i), image(fmt.Sprint(i), w.now, labelled(revision))))
	}
	w.list()
	w.requests()
	w.list()
	without := len(w.requests())
	l := w.withLab()
	w.config.Services[0].Gates.Soak = &config.Soak{Min: time.Hour, Channel: "staging"}
	w.list()
	w.requests()
	first := len(l.questions())
	w.list()
	if with := len(w.requests()); with != without+1 { // what staging runs
		t.Errorf("%d requests, %d without sources", with, without)
	}
	if again := len(l.questions()); first != 5 || again != 0 {
		t.Errorf("the source was asked %d times, then %d", first, again)
	}
}

func TestAnUntrustedConfigurationAsksNoCommand(t *testing.T) {
	w := newWorld(t)
	w.withLab()
	w.config.Sources = map[string]config.Source{"lab": {Command: []string{"would-be-missed"}, Timeout: time.Second}}
	w.config.Found, w.config.Hash = true, "not accepted"
	w.desk = w.newDesk(w.store)
	dg := w.push(w.staging, "v1", image("app", w.now, labelled(revision)))
	if c := check(t, w.gates(dg).Checks, gates.E2E); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "not trusted") {
		t.Errorf("%+v", c)
	}
}

// soaking lets the service ask for an hour in staging.
func (w *world) soaking() {
	w.config.Services[0].Gates.Soak = &config.Soak{Min: time.Hour, Channel: "staging"}
}

func (w *world) soak(dg digest.Digest) gates.Check {
	w.t.Helper()
	return check(w.t, w.gates(dg).Checks, gates.Soak)
}

func TestTimeInStagingCountsFromWhenItWasFirstSeenThere(t *testing.T) {
	w := newWorld(t)
	w.soaking()
	one := w.push(w.staging, "v1", image("one", w.now))
	if c := w.soak(one); c.Status != gates.Missing {
		t.Errorf("never there: %+v", c)
	}
	w.push(w.staging, "staging", image("one", w.now))
	w.list() // a list looks, too
	w.now = w.now.Add(30 * time.Minute)
	if c := w.soak(one); c.Status != gates.Waiting {
		t.Errorf("%+v", c)
	}
	w.now = w.now.Add(31 * time.Minute)
	w.desk = w.newDesk(w.store) // another run
	if c := w.soak(one); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
	two := w.push(w.staging, "v2 staging", image("two", w.now))
	if c := w.soak(two); c.Status != gates.Waiting {
		t.Errorf("%+v", c)
	}
	w.push(w.staging, "staging", image("one", w.now.Add(-61*time.Minute)))
	if c := w.soak(one); c.Status != gates.Waiting {
		t.Errorf("it came back, and counts anew: %+v", c)
	}
}

func TestATimeInStagingIsNotTakenFromAWrongClock(t *testing.T) {
	w := newWorld(t)
	w.soaking()
	dg := w.push(w.staging, "v1 staging", image("one", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		return false
	}
	if c := w.soak(dg); c.Status != gates.Error || !strings.Contains(strings.Join(c.Reasons, " "), "clock") {
		t.Errorf("%+v", c)
	}
	w.stagingFaults = nil
	if c := w.soak(dg); c.Status != gates.Waiting {
		t.Errorf("%+v", c)
	}
}

func TestStagingThatCannotBeAskedIsAnErrorOfSoak(t *testing.T) {
	w := newWorld(t)
	w.soaking()
	dg := w.push(w.staging, "v1 staging", image("one", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifests/staging") {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	if c := w.soak(dg); c.Status != gates.Error || !slices.ContainsFunc(c.Reasons, func(s string) bool { return strings.Contains(s, ":staging") }) {
		t.Errorf("%+v", c)
	}
}

func TestACustomGateSeesTheImageItsNamesAndTheChange(t *testing.T) {
	w := newWorld(t)
	first := w.push(w.staging, "v1.0", image("one", w.now, labelled(revision)))
	w.promote(first)
	w.config.Services[0].Gates.Custom = []config.CustomGate{
		{Name: "no-root", Expr: `image.config.user == "1000"`},
		{Name: "named", Expr: `"v1.1" in image.tags && image.revision == "` + revision + `"`},
		{Name: "small", Expr: `diff != null && diff.size.to < 1000000.0`},
	}
	w.desk = w.newDesk(w.store)
	dg := w.push(w.staging, "v1.1", image("two", w.now, func(img *embedded.Image) { img.Config.Config.Labels["org.opencontainers.image.revision"] = revision }))
	for where, checks := range map[string][]gates.Check{"gates": w.gates(dg).Checks, "list": candidate(t, w.list(), dg).Checks} {
		for _, name := range []string{"no-root", "named", "small"} {
			i := slices.IndexFunc(checks, func(c gates.Check) bool { return strings.HasSuffix(c.Gate, name) })
			if i < 0 || checks[i].Status != gates.Pass {
				t.Errorf("%s: %s: %+v", where, name, checks)
			}
		}
	}
}

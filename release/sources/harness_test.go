package sources

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/release/forge"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

var (
	candidate = digest.FromString("candidate")
	today     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// TestMain lets the test program play gh, az and the command of a source: no shell.
func TestMain(m *testing.M) {
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		os.Exit(part())
	}
	goleak.VerifyTestMain(m)
}

// parts are the programs that the test program plays, by the name it is started under.
var parts = map[string]func() int{"gh": playGH, "az": playAz, "state": playState}

// playGH is gh auth token --hostname HOST, signed in to github.com only
// (https://cli.github.com/manual/gh_auth_token).
func playGH() int {
	if want := []string{"auth", "token", "--hostname", os.Getenv("FAKE_HOST")}; !slices.Equal(os.Args[1:], want) {
		fmt.Fprintf(os.Stderr, "no oauth token found for %s\n", os.Args[len(os.Args)-1])
		return 1
	}
	played("gh")
	fmt.Println("gho_of_the_tool")
	return 0
}

// playAz is az account get-access-token
// (https://learn.microsoft.com/cli/azure/account#az-account-get-access-token).
func playAz() int {
	if os.Getenv("FAKE_AZ_FAILS") != "" {
		fmt.Fprintln(os.Stderr, "ERROR: Please run 'az login' to setup account.")
		return 1
	}
	if !slices.Equal(os.Args[1:], []string{"account", "get-access-token", "--resource", forge.AzureDevOps, "--output", "json"}) {
		return 2
	}
	played("az")
	fmt.Printf(`{"accessToken":"e30.az.sig","expiresOn":"2026-11-24 14:00:00.000000","expires_on":%d,"subscription":"s","tenant":"t","tokenType":"Bearer"}`, today.Add(time.Hour).Unix())
	return 0
}

// played counts how often a tool was started.
func played(name string) {
	f, err := os.OpenFile(filepath.Join(os.Getenv("FAKE_DIR"), name+".runs"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.WriteString("x")
		_ = f.Close()
	}
}

// playState is the command of a source: it prints its first argument, or does as it is told.
func playState() int {
	switch os.Args[1] {
	case "hang":
		time.Sleep(time.Hour)
	case "fail":
		fmt.Fprintln(os.Stderr, "cannot reach the \x1b[31mlab\x1b[0m, token "+os.Getenv("LAB_TOKEN"))
		return 4
	case "environ":
		_, ours := os.LookupEnv("CI_TOKEN")
		out, _ := json.Marshal(said{State: "passed", Key: fmt.Sprint(ours, " ", os.Getenv("LAB_TOKEN"))})
		fmt.Println(string(out))
	default:
		fmt.Println(strings.Join(os.Args[1:], " "))
	}
	return 0
}

// tools puts the programs that are played first on the path, and gives their directory.
func tools(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range parts {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("FAKE_DIR", dir)
	return dir
}

// runsOf is how often a tool was started.
func runsOf(dir, name string) int {
	raw, _ := os.ReadFile(filepath.Join(dir, name+".runs"))
	return len(raw)
}

// server is a TLS server on loopback that counts its requests.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // path and query
}

func serve(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI())
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// world is Sources over one source, named ci.
type world struct {
	*Sources
	t       *testing.T
	now     time.Time
	waited  []time.Duration
	trusted bool
}

// over makes Sources whose clock stands still and who wait without waiting.
func over(t *testing.T, c config.Source, servers ...*server) *world {
	t.Helper()
	w := &world{t: t, now: today, trusted: true}
	roots := x509.NewCertPool()
	for _, s := range servers {
		roots.AddCert(s.Certificate())
	}
	c.Name = "ci"
	w.Sources = New(Options{
		Config:  &config.Config{Dir: t.TempDir(), Sources: map[string]config.Source{"ci": c}},
		Trusted: func() bool { return w.trusted }, Now: func() time.Time { return w.now }, Roots: roots, Version: "test",
		Environ: append(os.Environ(), "CI_TOKEN=a-token-of-ours", "PAT=a-personal-access-token"),
	})
	w.wait = func(_ context.Context, d time.Duration) error {
		w.waited = append(w.waited, d)
		w.now = w.now.Add(d)
		return nil
	}
	t.Cleanup(w.Close)
	return w
}

// ask asks afresh about the candidate.
func (w *world) ask() []gates.Answer {
	w.t.Helper()
	return w.Ask(w.t.Context(), []string{"ci"}, question(), true)
}

func question() Question {
	return Question{Service: "chat", Staging: "staging.example.com/team/chat", Digest: candidate, Revision: commit}
}

// answer is the answer of a key; it must be there, without an error.
func (w *world) answer(all []gates.Answer, key string) gates.Answer {
	w.t.Helper()
	for _, a := range all {
		if a.Err != nil {
			w.t.Fatalf("%v", a.Err)
		}
		if a.Key == key {
			return a
		}
	}
	w.t.Fatalf("no answer %q in %+v", key, all)
	return gates.Answer{}
}

// refused wants one answer, with an error that holds the words.
func (w *world) refused(all []gates.Answer, words ...string) {
	w.t.Helper()
	_ = w.refusal(all, words...)
}

// refusal is refused, and gives the error.
func (w *world) refusal(all []gates.Answer, words ...string) error {
	w.t.Helper()
	if len(all) != 1 || all[0].Err == nil {
		w.t.Fatalf("no error in %+v", all)
	}
	for _, word := range words {
		if !strings.Contains(all[0].Err.Error(), word) {
			w.t.Errorf("%q does not say %q", all[0].Err, word)
		}
	}
	return all[0].Err
}

func reply200(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

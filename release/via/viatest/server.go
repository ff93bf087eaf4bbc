package viatest

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"plimsoll/config"
)

// Job is what the runner does with the inputs of a run: it returns the exit code
// of its step "Promote". ctx ends when the run is cancelled.
type Job func(ctx context.Context, inputs map[string]string) int

// Token is the secret that a server takes, and Variable where it is found.
const (
	Token    = "canary-token-of-the-forge"
	Variable = "FORGE_TOKEN"
)

// Server is one forge with one pipeline: acme/release, promote.yml or promote.
type Server struct {
	URL   string
	Roots *x509.CertPool
	// Certificate signs for the server, in DER.
	Certificate []byte

	mu       sync.Mutex
	job      Job
	runs     []*Run
	log      []string
	hook     func(w http.ResponseWriter, r *http.Request) bool
	lost     bool // the next dispatch takes effect, and its answer is lost
	silent   bool // dispatches do not name the run
	hidden   int  // how many lists do not show new runs
	nameless bool // the names of runs do not carry the operation
	held     bool // runs stay queued
	old      bool // an Enterprise server of before 2026
	group    sync.WaitGroup
	on       http.Handler
}

// NewGitHub starts GitHub.
func NewGitHub(t testing.TB, job Job) *Server {
	t.Helper()
	s := &Server{job: job}
	return s.start(t, s.gitHub())
}

// NewAzure starts Azure DevOps.
func NewAzure(t testing.TB, job Job) *Server {
	t.Helper()
	s := &Server{job: job}
	return s.start(t, s.azure())
}

func (s *Server) start(t testing.TB, h http.Handler) *Server {
	s.on = h
	l := httptest.NewTLSServer(http.HandlerFunc(s.serve))
	s.URL, s.Roots = l.URL, x509.NewCertPool()
	s.Roots.AddCert(l.Certificate())
	s.Certificate = l.Certificate().Raw
	t.Cleanup(func() {
		s.endAll()
		l.Close()
	})
	return s
}

// GitHub is the configuration of a workflow on this server.
func (s *Server) GitHub() *config.Via {
	return &config.Via{GitHub: &config.GitHubWorkflow{API: s.URL, Repository: "acme/release", Workflow: "promote.yml", Ref: "main", TokenEnv: Variable}}
}

// Azure is the configuration of a pipeline on this server.
func (s *Server) Azure() *config.Via {
	return &config.Via{Azure: &config.AzurePipeline{URL: s.URL + "/acme", Project: "release", Pipeline: "promote", Branch: "main", TokenEnv: Variable}}
}

// Environ is where the token is found.
func Environ() []string { return []string{Variable + "=" + Token} }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+r.URL.Path)
	hook := s.hook
	s.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	s.on.ServeHTTP(w, r)
}

// Serve answers as the server does, past the hook of On.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) { s.on.ServeHTTP(w, r) }

// On answers requests in place of the server, where the hook returns true.
func (s *Server) On(hook func(w http.ResponseWriter, r *http.Request) bool) {
	s.set(func() { s.hook = hook })
}

// Lose lets the next dispatch take effect and loses its answer.
func (s *Server) Lose() { s.set(func() { s.lost = true }) }

// Silent lets dispatches name no run, as GitHub did until 2026.
func (s *Server) Silent() { s.set(func() { s.silent = true }) }

// Hide lets so many lists not show a new run yet.
func (s *Server) Hide(lists int) { s.set(func() { s.hidden = lists }) }

// Nameless is a workflow whose run-name does not carry the operation.
func (s *Server) Nameless() { s.set(func() { s.nameless = true }) }

// Hold keeps runs queued.
func (s *Server) Hold() { s.set(func() { s.held = true }) }

// Old does not know return_run_details, and refuses it.
func (s *Server) Old() { s.set(func() { s.old, s.silent = true, true }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Requests are all that were made: "METHOD path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Dispatches counts the orders that arrived.
func (s *Server) Dispatches() int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r, "POST ") && (strings.HasSuffix(r, "/dispatches") || strings.HasSuffix(r, "/pipelines/7/runs")) {
			n++
		}
	}
	return n
}

// answer loses an answer if it has to, else writes it.
func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	s.mu.Lock()
	lost := s.lost
	s.lost = false
	s.mu.Unlock()
	if lost {
		http.Error(w, "<html>Bad gateway</html>", http.StatusBadGateway)
		return
	}
	write(w, status, body)
}

func write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}

func message(text string) map[string]string { return map[string]string{"message": text} }

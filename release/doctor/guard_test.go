package doctor_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"plimsoll/registry/embedded"
)

// guard stands before a registry: it knows accounts, and what each may do where.
type guard struct {
	bearer bool // by tokens of scopes (distribution's token specification), else by basic authentication
	host   string

	mu        sync.Mutex
	passwords map[string]string
	rights    []right
	fault     func(http.ResponseWriter, *http.Request) bool
	opened    int // uploads
	ended     int // uploads that were cancelled or completed
	requests  []string
	users     []string // whose passwords were shown
}

// right lets an account pull, or pull and push, below a path; "" is anybody.
type right struct {
	account, path string
	push          bool
}

// guarded starts an embedded registry behind a guard.
func guarded(t *testing.T, g *guard) {
	t.Helper()
	r, err := embedded.Start(embedded.Options{Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	g.host = r.Host()
	t.Cleanup(func() { _ = r.Close() })
}

func (g *guard) allow(account, path string, push bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rights = append(g.rights, right{account, path, push})
}

func (g *guard) may(account, repo string, push bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rights {
		if (r.account == account || r.account == "") && strings.HasPrefix(repo+"/", r.path+"/") && (r.push || !push) {
			return true
		}
	}
	return false
}

// account is whose password a request carries.
func (g *guard) account(r *http.Request) (name string, valid bool) {
	user, password, ok := r.BasicAuth()
	g.mu.Lock()
	defer g.mu.Unlock()
	return user, !ok || g.passwords[user] == password
}

func (g *guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path)
	if user, _, ok := r.BasicAuth(); ok {
		g.users = append(g.users, user)
	}
	fault := g.fault
	g.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if r.URL.Path == "/token" {
		g.token(w, r)
		return
	}
	push := r.Method != http.MethodGet && r.Method != http.MethodHead
	if code := g.judge(r, push); code != 0 {
		challenge := `Basic realm="guard"`
		if g.bearer {
			challenge = fmt.Sprintf(`Bearer realm="http://%s/token",service="guard"`, g.host)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"no"}]}`)
		return
	}
	next.ServeHTTP(w, r)
	g.count(r)
}

func (g *guard) count(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !strings.Contains(r.URL.Path, "/blobs/uploads/"):
	case r.Method == http.MethodPost:
		g.opened++
	case r.Method == http.MethodDelete, r.Method == http.MethodPut:
		g.ended++
	}
}

// seen are the users whose passwords were shown.
func (g *guard) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.users)
}

// left is how many uploads are open.
func (g *guard) left() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened - g.ended
}

// judge is 0, or the status of the refusal: 401 for strangers, 403 for the known.
func (g *guard) judge(r *http.Request, push bool) int {
	repo := repository(r.URL.Path)
	if repo == "" {
		return 0
	}
	if g.bearer {
		return g.judgeToken(r, repo, push)
	}
	name, valid := g.account(r)
	switch {
	case !valid:
		return http.StatusUnauthorized
	case g.may(name, repo, push):
		return 0
	case name == "":
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

func (g *guard) judgeToken(r *http.Request, repo string, push bool) int {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		return http.StatusUnauthorized
	}
	want := "repository:" + repo + ":pull"
	if push {
		want = "repository:" + repo + ":pull,push"
	}
	for _, scope := range strings.Fields(strings.TrimPrefix(string(raw), granted)) {
		if strings.HasPrefix(scope, want) {
			return 0
		}
	}
	return http.StatusUnauthorized // also of known accounts, as distribution does
}

// token grants what the account may of what it asks for.
func (g *guard) token(w http.ResponseWriter, r *http.Request) {
	name, valid := g.account(r)
	if !valid {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var scopes []string
	for _, scope := range r.URL.Query()["scope"] {
		parts := strings.Split(scope, ":")
		switch {
		case strings.Contains(parts[2], "push") && g.may(name, parts[1], true):
			scopes = append(scopes, scope)
		case g.may(name, parts[1], false):
			scopes = append(scopes, "repository:"+parts[1]+":pull")
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token": tokenOf(scopes...), "expires_in": 300})
}

// granted begins every token, so that one without a scope is not empty.
const granted = "granted: "

// tokenOf is a token of scopes. The guard believes everybody: it judges what is asked for.
func tokenOf(scopes ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(granted + strings.Join(scopes, " ")))
}

// repository is the path of the repository that a request is about, "" for none.
func repository(path string) string {
	path = strings.TrimPrefix(path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if repo, _, ok := strings.Cut(path, part); ok {
			return repo
		}
	}
	return ""
}

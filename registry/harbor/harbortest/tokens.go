package harbortest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// token is what a token of the registry allows: actions by repository.
type token struct {
	who    string
	access map[string][]string
}

// issue is the token service: it grants of the asked scopes what the account may.
func (h *Harbor) issue(w http.ResponseWriter, r *http.Request) string {
	a := h.account(r)
	if a == nil && r.Header.Get("Authorization") != "" {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized")
		return ""
	}
	t := token{access: map[string][]string{}}
	if a != nil {
		t.who = a.Name
	}
	for _, scope := range r.URL.Query()["scope"] {
		parts := strings.Split(scope, ":")
		if len(parts) != 3 || parts[0] != "repository" {
			continue
		}
		project, _, _ := strings.Cut(parts[1], "/")
		for _, action := range strings.Split(parts[2], ",") {
			if a.may(project, "repository:"+action) {
				t.access[parts[1]] = append(t.access[parts[1]], action)
			}
		}
	}
	text := "harbor-token-" + rand.Text()
	h.mu.Lock()
	h.tokens[text] = t
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": text, "expires_in": 1800})
	return t.who
}

// granted is who may do an action in a repository, by token or by password.
func (h *Harbor) granted(r *http.Request, repo, action string) (who string, ok bool) {
	if a := h.account(r); a != nil {
		project, _, _ := strings.Cut(repo, "/")
		return a.Name, repo == "" || a.may(project, "repository:"+action)
	}
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	h.mu.Lock()
	defer h.mu.Unlock()
	t, known := h.tokens[text]
	return t.who, known && (repo == "" || slices.Contains(t.access[repo], action))
}

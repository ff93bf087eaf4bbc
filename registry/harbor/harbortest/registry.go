package harbortest

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// registry is /v2; it returns who asked.
func (h *Harbor) registry(w http.ResponseWriter, r *http.Request) string {
	repo, kind, reference := split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2"), "/"))
	action := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		action = "push"
	}
	who, ok := h.granted(r, repo, action)
	if !ok {
		challenge := `Basic realm="harbor"` // of one that showed something already
		if r.Header.Get("Authorization") == "" {
			challenge = fmt.Sprintf(`Bearer realm="https://%s/service/token",service="harbor-registry"`, r.Host)
			if repo != "" {
				challenge += fmt.Sprintf(`,scope="repository:%s:%s"`, repo, action)
			}
		}
		w.Header().Set("WWW-Authenticate", challenge)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", fmt.Sprintf("unauthorized to access repository: %s, action: %s: unauthorized to access repository: %s, action: %s", repo, action, repo, action))
		return who
	}
	if repo == "" {
		w.WriteHeader(http.StatusOK)
		return who
	}
	if !h.refuses(w, r, repo, kind, reference) {
		h.proxy.ServeHTTP(w, r)
	}
	return who
}

// refuses answers what the rules of the project forbid.
func (h *Harbor) refuses(w http.ResponseWriter, r *http.Request, repo, kind, reference string) bool {
	project, _, _ := strings.Cut(repo, "/")
	h.mu.Lock()
	p := h.projects[project]
	var rules Project
	if p != nil {
		rules = *p
	}
	h.mu.Unlock()
	if p == nil {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "project "+project+" not found")
		return true
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		return h.refusesWrite(w, r, rules, repo, kind, reference)
	}
	if kind == "manifests" && rules.Prevent && h.vulnerable(reference) {
		refuse(w, http.StatusPreconditionFailed, "PROJECTPOLICYVIOLATION", `current image with 1 vulnerability cannot be pulled due to configured policy in 'Prevent images with vulnerability severity of "High" or higher from running.'`)
		return true
	}
	return false
}

// refusesWrite is the immutability and the quota.
func (h *Harbor) refusesWrite(w http.ResponseWriter, r *http.Request, rules Project, repo, kind, reference string) bool {
	_, name, _ := strings.Cut(repo, "/")
	switch {
	case kind == "manifests" && rules.immutable(name, reference) && h.there(r, repo, reference):
		refuse(w, http.StatusPreconditionFailed, "PRECONDITION", fmt.Sprintf("Failed to process request due to '%s:%s' configured as immutable.", name, reference))
	case rules.Full && (kind == "manifests" || r.URL.Query().Has("digest")): // the end of an upload
		refuse(w, http.StatusForbidden, "DENIED", "adding 5.0 MiB of storage resource, which when updated to current usage of 9.9 GiB will exceed the configured upper limit of 10.0 GiB.")
	default:
		return false
	}
	return true
}

// there tells whether the backend has a tag.
func (h *Harbor) there(r *http.Request, repo, reference string) bool {
	_, err := h.client.Head(r.Context(), h.Behind(repo), reference)
	return err == nil
}

// vulnerable tells whether an image, asked for by digest, has findings.
func (h *Harbor) vulnerable(reference string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.images[digest.Digest(reference)]
	return i != nil && len(i.Findings) > 0
}

// immutable tells whether a rule covers a tag. It knows fewer patterns than Harbor: * and **.
func (p Project) immutable(name, tag string) bool {
	for _, r := range p.Immutable {
		tags, _ := r["tag_selectors"].([]map[string]string)
		scope, _ := r["scope_selectors"].(map[string][]map[string]string)
		if r["disabled"] == true || len(tags) == 0 || len(scope["repository"]) == 0 {
			continue
		}
		if selects(scope["repository"][0], name) && selects(tags[0], tag) {
			return true
		}
	}
	return false
}

func selects(s map[string]string, text string) bool {
	ok, _ := path.Match(s["pattern"], text)
	ok = ok || s["pattern"] == "**"
	return ok != strings.HasSuffix(strings.ToLower(s["decoration"]), "excludes")
}

// Rule is a rule of immutability, as the API gives it.
func Rule(id int, decoration, tags, repositories string) map[string]any {
	return map[string]any{
		"id": id, "disabled": false, "action": "immutable", "template": "immutable_template",
		"tag_selectors":   []map[string]string{{"kind": "doublestar", "decoration": decoration, "pattern": tags}},
		"scope_selectors": map[string][]map[string]string{"repository": {{"kind": "doublestar", "decoration": "repoMatches", "pattern": repositories}}},
	}
}

// split parts a path of the distribution API: repository, kind, the rest.
func split(path string) (repo, kind, rest string) {
	for _, kind := range []string{"manifests", "blobs", "tags", "referrers"} {
		if repo, rest, ok := strings.Cut(path+"/", "/"+kind+"/"); ok {
			return repo, kind, strings.TrimSuffix(rest, "/")
		}
	}
	return path, "", ""
}

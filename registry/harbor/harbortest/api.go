package harbortest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// report is the form of a report that this Harbor's scanner writes.
const report = "application/vnd.security.vulnerability.report; version=1.1"

// api is Harbor's own API. A token of the registry is nothing to it.
func (h *Harbor) api(w http.ResponseWriter, r *http.Request) string {
	a := h.account(r)
	if a == nil && r.Header.Get("Authorization") != "" {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized")
		return ""
	}
	who := ""
	if a != nil {
		who = a.Name
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v2.0/projects/"), "/")
	switch {
	case len(parts) == 2 && parts[1] == "immutabletagrules":
		h.rules(w, r, a, parts[0])
	case len(parts) >= 5 && parts[1] == "repositories" && parts[3] == "artifacts":
		h.artifact(w, r, a, parts)
	default:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no such resource")
	}
	return who
}

// project is a project that the account may ask about in this way; else it is answered.
func (h *Harbor) project(w http.ResponseWriter, a *Account, name, permission string) *Project {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.projects[name]
	switch {
	case p == nil:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "project "+name+" not found")
	case a == nil:
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized")
		return nil
	case !a.may(name, permission):
		refuse(w, http.StatusForbidden, "FORBIDDEN", "forbidden")
		return nil
	}
	return p
}

// rules is ListImmuRules, a page at a time.
func (h *Harbor) rules(w http.ResponseWriter, r *http.Request, a *Account, name string) {
	p := h.project(w, a, name, "immutable-tag:list")
	if p == nil {
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
	if page < 1 || size < 1 || size > 100 || r.Header.Get("X-Is-Resource-Name") != "true" {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "page_size in query should be at most 100")
		return
	}
	from, to := min((page-1)*size, len(p.Immutable)), min(page*size, len(p.Immutable))
	if to < len(p.Immutable) {
		w.Header().Set("Link", fmt.Sprintf(`</api/v2.0/projects/%s/immutabletagrules?page=%d&page_size=%d>; rel="next"`, name, page+1, size))
	}
	reply(w, append([]map[string]any{}, p.Immutable[from:to]...))
}

// artifact is GetArtifact and its additions/vulnerabilities. The name of the
// repository was encoded twice: what comes decoded once in between still has one piece.
func (h *Harbor) artifact(w http.ResponseWriter, r *http.Request, a *Account, parts []string) {
	addition := len(parts) == 7 && parts[5] == "additions" && parts[6] == "vulnerabilities"
	permission := "artifact:read"
	if addition {
		permission = "artifact-addition:read"
	}
	if h.project(w, a, parts[0], permission) == nil {
		return
	}
	once, err := url.PathUnescape(parts[2])
	name, err2 := url.PathUnescape(once)
	if err != nil || err2 != nil || once == name && strings.Contains(name, "/") {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "the proxy in between decoded the path")
		return
	}
	d, err := h.client.Head(r.Context(), h.Behind(parts[0]+"/"+name), parts[4])
	if err != nil {
		refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("artifact %s/%s@%s not found", parts[0], name, parts[4]))
		return
	}
	h.mu.Lock()
	image := h.images[d.Digest]
	h.mu.Unlock()
	accepts := strings.Contains(r.Header.Get("X-Accept-Vulnerabilities"), report)
	if addition {
		reply(w, image.report(accepts))
		return
	}
	reply(w, image.describe(d.Digest, accepts && r.URL.Query().Get("with_scan_overview") == "true"))
}

// describe is an artifact, with how far its scan is.
func (i *Image) describe(dg digest.Digest, overview bool) map[string]any {
	out := map[string]any{"digest": dg, "type": "IMAGE", "media_type": "application/vnd.oci.image.config.v1+json"}
	if overview && i != nil && i.Status != "" {
		out["scan_overview"] = map[string]any{report: map[string]any{"report_id": "r", "scan_status": i.Status, "severity": "High", "end_time": i.At, "complete_percent": 100}}
	}
	return out
}

// report is what the scanner found, {} before it has finished.
func (i *Image) report(accepts bool) map[string]any {
	if i == nil || !accepts || i.Findings == nil {
		return map[string]any{}
	}
	return map[string]any{report: map[string]any{
		"generated_at": i.At, "scanner": map[string]string{"name": "Trivy", "vendor": "Aqua Security", "version": "v0.65.0"},
		"severity": "High", "vulnerabilities": i.Findings,
	}}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

package acrtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// shelf is what a registry knows about its manifests beside their bytes.
type shelf struct {
	*sync.Mutex
	repos map[string]map[digest.Digest]*entry
	tags  map[string]map[string]*tagged
	bin   map[string]map[digest.Digest]*entry
}

type entry struct {
	raw     []byte
	kind    string
	config  string
	size    int64
	created time.Time
	updated time.Time
	locks   map[string]bool
}

type tagged struct {
	digest digest.Digest
	locks  map[string]bool
}

func newShelf() shelf {
	return shelf{
		new(sync.Mutex), map[string]map[digest.Digest]*entry{}, map[string]map[string]*tagged{}, map[string]map[digest.Digest]*entry{},
	}
}

func unlocked() map[string]bool {
	return map[string]bool{"deleteEnabled": true, "writeEnabled": true, "listEnabled": true, "readEnabled": true}
}

// note keeps what is told about a manifest that arrived.
func (f shelf) note(repo, reference, kind string, raw []byte, now time.Time) {
	f.Lock()
	defer f.Unlock()
	dg := digest.FromBytes(raw)
	if f.repos[repo] == nil {
		f.repos[repo], f.tags[repo] = map[digest.Digest]*entry{}, map[string]*tagged{}
	}
	e := f.repos[repo][dg]
	if e == nil {
		var body struct {
			Config struct {
				MediaType string `json:"mediaType"`
				Size      int64  `json:"size"`
			} `json:"config"`
			Layers []struct {
				Size int64 `json:"size"`
			} `json:"layers"`
		}
		_ = json.Unmarshal(raw, &body)
		e = &entry{raw: raw, kind: kind, config: body.Config.MediaType, size: int64(len(raw)) + body.Config.Size, created: now, locks: unlocked()}
		for _, l := range body.Layers {
			e.size += l.Size
		}
		f.repos[repo][dg] = e
	}
	e.updated = now
	if digest.Digest(reference).Validate() != nil && reference != "" {
		locks := unlocked()
		if old := f.tags[repo][reference]; old != nil {
			locks = old.locks
		}
		f.tags[repo][reference] = &tagged{dg, locks}
	}
}

// refuses answers writes that a lock or the bin forbids.
// https://learn.microsoft.com/azure/container-registry/container-registry-image-lock
// https://learn.microsoft.com/azure/container-registry/container-registry-soft-delete-policy
// Status and code are assumed.
func (f shelf) refuses(w http.ResponseWriter, r *http.Request, repo, kind, reference string) bool {
	f.Lock()
	defer f.Unlock()
	if kind != "manifests" {
		return false
	}
	dg := digest.Digest(reference)
	if t := f.tags[repo][reference]; t != nil {
		if r.Method == http.MethodPut && !t.locks["writeEnabled"] || r.Method == http.MethodDelete && !t.locks["deleteEnabled"] {
			refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is disallowed on this registry, repository or image.")
			return true
		}
	}
	if e := f.repos[repo][dg]; e != nil && r.Method == http.MethodDelete && !e.locks["deleteEnabled"] {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is disallowed on this registry, repository or image.")
		return true
	}
	if f.bin[repo][dg] != nil && r.Method == http.MethodPut {
		refuse(w, http.StatusConflict, "CONFLICT", "The manifest is soft deleted; restore it.")
		return true
	}
	return false
}

// put lets a manifest through to the real registry and notes it.
func (s *Registry) put(w http.ResponseWriter, r *http.Request, repo, reference string) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	s.proxy.ServeHTTP(seen, r)
	if seen.status == http.StatusCreated {
		s.shelf.note(repo, reference, r.Header.Get("Content-Type"), raw, s.cloud.time())
	}
}

// SoftDelete moves a manifest into the bin, with its tags.
func (s *Registry) SoftDelete(repo string, dg digest.Digest) {
	s.behind(http.MethodDelete, repo, dg.String(), "", nil)
	s.shelf.Lock()
	defer s.shelf.Unlock()
	if s.shelf.bin[repo] == nil {
		s.shelf.bin[repo] = map[digest.Digest]*entry{}
	}
	s.shelf.bin[repo][dg] = s.shelf.repos[repo][dg]
	delete(s.shelf.repos[repo], dg)
	for name, t := range s.shelf.tags[repo] {
		if t.digest == dg {
			delete(s.shelf.tags[repo], name)
		}
	}
}

// EmptyBin forgets what was deleted: the days that it is kept are over.
func (s *Registry) EmptyBin(repo string) {
	s.shelf.Lock()
	defer s.shelf.Unlock()
	s.shelf.bin[repo] = nil
}

// behind writes at the real registry.
func (s *Registry) behind(method, repo, reference, kind string, raw []byte) {
	req, err := http.NewRequest(method, "http://"+s.Backend+"/v2/"+repo+"/manifests/"+reference, bytes.NewReader(raw)) //nolint:gosec,noctx // the backend of a test
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // the backend of a test
	if err != nil {
		panic(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		panic(fmt.Sprintf("%s %s: %d", method, req.URL, resp.StatusCode))
	}
}

// api is /acr/v1.
// https://learn.microsoft.com/rest/api/containerregistry/
func (s *Registry) api(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/acr/v1/")
	if deleted, ok := strings.CutPrefix(path, "_deleted/"); ok {
		repo, rest, _ := strings.Cut(deleted, "/_manifests")
		s.deleted(w, r, repo, strings.Trim(rest, "/"))
		return
	}
	kind := "/_manifests"
	repo, rest, ok := strings.Cut(path, kind)
	if !ok {
		kind = "/_tags"
		repo, rest, _ = strings.Cut(path, kind)
	}
	rest = strings.Trim(rest, "/")
	switch {
	case r.Method == http.MethodPatch && rest != "":
		if s.allowed(w, r, repo, "metadata_write") {
			s.lock(w, r, repo, kind, rest)
		}
	case r.Method == http.MethodGet && rest == "" && kind == "/_manifests":
		if s.allowed(w, r, repo, "metadata_read") {
			s.list(w, r, repo)
		}
	default:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no such call")
	}
}

// lock is PATCH of a manifest's or tag's attributes.
func (s *Registry) lock(w http.ResponseWriter, r *http.Request, repo, kind, name string) {
	var want map[string]bool
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", err.Error())
		return
	}
	s.shelf.Lock()
	defer s.shelf.Unlock()
	locks := map[string]bool(nil)
	if e := s.shelf.repos[repo][digest.Digest(name)]; e != nil && kind == "/_manifests" {
		locks = e.locks
	}
	if t := s.shelf.tags[repo][name]; t != nil && kind == "/_tags" {
		locks = t.locks
	}
	if locks == nil {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "not found")
		return
	}
	for k, v := range want {
		locks[k] = v
	}
	reply(w, http.StatusOK, map[string]any{"registry": s.Host, "imageName": repo})
}

// Locks tells what may still be done with a digest or tag.
func (s *Registry) Locks(repo, name string) map[string]bool {
	s.shelf.Lock()
	defer s.shelf.Unlock()
	if e := s.shelf.repos[repo][digest.Digest(name)]; e != nil {
		return e.locks
	}
	if t := s.shelf.tags[repo][name]; t != nil {
		return t.locks
	}
	return nil
}

// list is GET of the manifests, page by page.
func (s *Registry) list(w http.ResponseWriter, r *http.Request, repo string) {
	s.shelf.Lock()
	defer s.shelf.Unlock()
	all := s.shelf.repos[repo]
	if all == nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	order := make([]digest.Digest, 0, len(all))
	for dg := range all {
		order = append(order, dg)
	}
	slices.SortFunc(order, func(a, b digest.Digest) int {
		n := all[a].updated.Compare(all[b].updated)
		if r.URL.Query().Get("orderby") == "timedesc" {
			n = -n
		}
		if n == 0 {
			n = strings.Compare(string(a), string(b))
		}
		return n
	})
	if at := slices.Index(order, digest.Digest(r.URL.Query().Get("last"))); at >= 0 {
		order = order[at+1:]
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	if n <= 0 {
		n = 100
	}
	if len(order) > n {
		order = order[:n]
		q := r.URL.Query()
		q.Set("last", order[n-1].String())
		w.Header().Set("Link", fmt.Sprintf(`</acr/v1/%s/_manifests?%s>; rel="next"`, repo, q.Encode()))
	}
	rows := make([]any, 0, len(order))
	for _, dg := range order {
		rows = append(rows, s.row(repo, dg, all[dg]))
	}
	reply(w, http.StatusOK, map[string]any{"registry": s.Host, "imageName": repo, "manifests": rows})
}

func (s *Registry) row(repo string, dg digest.Digest, e *entry) map[string]any {
	row := map[string]any{
		"digest": dg, "imageSize": e.size, "mediaType": e.kind, "changeableAttributes": e.locks,
		"createdTime": e.created.UTC().Format(time.RFC3339Nano), "lastUpdateTime": e.updated.UTC().Format(time.RFC3339Nano),
	}
	if e.config != "" {
		row["configMediaType"] = e.config
	}
	var tags []string
	for name, t := range s.shelf.tags[repo] {
		if t.digest == dg {
			tags = append(tags, name)
		}
	}
	if slices.Sort(tags); tags != nil {
		row["tags"] = tags
	}
	return row
}

// deleted lists and restores what is in the bin.
func (s *Registry) deleted(w http.ResponseWriter, r *http.Request, repo, name string) {
	if r.Method == http.MethodGet {
		if !s.allowed(w, r, repo, "deleted_read") {
			return
		}
		rows := []any{}
		s.shelf.Lock()
		defer s.shelf.Unlock()
		for dg := range s.shelf.bin[repo] {
			rows = append(rows, map[string]any{"digest": dg, "deletedAt": s.cloud.time().UTC().Format(time.RFC3339Nano)})
		}
		reply(w, http.StatusOK, map[string]any{"registry": s.Host, "imageName": repo, "manifests": rows})
		return
	}
	if !s.allowed(w, r, repo, "deleted_read", "deleted_restore") {
		return
	}
	var body struct {
		Tag string `json:"tag"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	s.shelf.Lock()
	e := s.shelf.bin[repo][digest.Digest(name)]
	delete(s.shelf.bin[repo], digest.Digest(name))
	s.shelf.Unlock()
	if e == nil {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest is not known to registry")
		return
	}
	reference := body.Tag
	if reference == "" {
		reference = name
	}
	s.behind(http.MethodPut, repo, reference, e.kind, e.raw)
	s.shelf.note(repo, reference, e.kind, e.raw, s.cloud.time())
	w.WriteHeader(http.StatusOK)
}

// Note tells the registry of a manifest that was put past it.
func (s *Registry) Note(repo, reference string, m registry.Manifest) {
	s.shelf.note(repo, reference, m.Descriptor.MediaType, m.Raw, s.cloud.time())
}

package ecrtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// Registry is the registry of one account in front of a real registry on
// loopback, which speaks the distribution protocol.
type Registry struct {
	Host    string
	Account string
	Backend string // the real registry
	// NoReferrers answers the referrers API with 405, and sends OCI-Subject all the same.
	// https://github.com/aws/containers-roadmap/issues/2783
	NoReferrers bool
	// Mounting is the account setting BLOB_MOUNTING: without it a mount is answered with an upload.
	// https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html
	Mounting bool

	cloud *Cloud
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	repos map[string]*Repository
}

// Repository is one repository with its settings.
type Repository struct {
	Name       string
	Mutability string   // MUTABLE where it is ""
	Excluded   []string // filters of the mutability
	Lifecycle  string   // policy, "" without
	images     map[digest.Digest]*Image
}

// Image is what the registry knows about a manifest.
type Image struct {
	Digest       digest.Digest
	Tags         []string
	Kind, Config string
	Artifact     string
	Subject      digest.Digest
	Size         int64
	Pushed       time.Time
	Raw          []byte
	// Scan is what DescribeImageScanFindings answers: one map for each page; nil: never scanned.
	Scan []map[string]any
}

// Add puts a registry of an account in front of a backend.
func (c *Cloud) Add(account, backend string) *Registry {
	s := &Registry{
		Host: account + ".dkr.ecr." + Region + ".amazonaws.com", Account: account, Backend: backend, cloud: c,
		repos: map[string]*Repository{},
	}
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: backend})
			p.Out.Host = p.In.Host // a Location names the host that was asked
			p.Out.Header.Set("X-Forwarded-Proto", "https")
			p.Out.Header.Del("Authorization")
		},
		FlushInterval: -1,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sites[s.Host] = s
	return s
}

// Create makes a repository: nothing else does.
func (s *Registry) Create(r Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.images = map[digest.Digest]*Image{}
	s.repos[r.Name] = &r
}

// Change changes a repository.
func (s *Registry) Change(name string, change func(*Repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.repos[name])
}

// Image is one of a repository's images, nil if there is none.
func (s *Registry) Image(name string, dg digest.Digest) *Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[name].images[dg]
}

// Repository is one of its repositories.
func (s *Registry) Repository(path string) registry.Repository {
	return registry.Repository{Host: s.Host, Path: path}
}

// Behind is the same repository at the real registry, which asks nobody who he is.
func (s *Registry) Behind(path string) registry.Repository {
	return registry.Repository{Host: s.Backend, Path: path}
}

// ARN names a repository in policies.
func (s *Registry) ARN(name string) string {
	return "arn:aws:ecr:" + Region + ":" + s.Account + ":repository/" + name
}

// Note tells the registry of a manifest that was pushed past it.
func (s *Registry) Note(name, reference string, m registry.Manifest) *Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[name].note(reference, m.Descriptor.MediaType, m.Raw, s.cloud.time())
}

func (c *Cloud) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

// immutable tells whether an existing tag may not be written again.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
func (r *Repository) immutable(tag string) bool {
	excluded := false
	for _, f := range r.Excluded {
		if ok, _ := path.Match(f, tag); ok {
			excluded = true
		}
	}
	switch r.Mutability {
	case "IMMUTABLE":
		return true
	case "IMMUTABLE_WITH_EXCLUSION":
		return !excluded
	case "MUTABLE_WITH_EXCLUSION":
		return excluded
	}
	return false
}

// tagged is the image that a tag names, nil without.
func (r *Repository) tagged(tag string) *Image {
	for _, i := range r.images {
		for _, t := range i.Tags {
			if t == tag {
				return i
			}
		}
	}
	return nil
}

// note keeps what is told about a manifest that arrived.
func (r *Repository) note(reference, kind string, raw []byte, now time.Time) *Image {
	dg := digest.FromBytes(raw)
	i := r.images[dg]
	if i == nil {
		var body struct {
			ArtifactType string `json:"artifactType"`
			Config       struct {
				MediaType string `json:"mediaType"`
				Size      int64  `json:"size"`
			} `json:"config"`
			Layers  []struct{ Size int64 }         `json:"layers"`
			Subject struct{ Digest digest.Digest } `json:"subject"`
		}
		_ = json.Unmarshal(raw, &body)
		i = &Image{
			Digest: dg, Kind: kind, Config: body.Config.MediaType, Artifact: body.ArtifactType, Subject: body.Subject.Digest,
			Size: int64(len(raw)) + body.Config.Size, Pushed: now, Raw: raw,
		}
		for _, l := range body.Layers {
			i.Size += l.Size
		}
		r.images[dg] = i
	}
	if digest.Digest(reference).Validate() != nil && reference != "" {
		if old := r.tagged(reference); old != nil {
			old.Tags = remove(old.Tags, reference)
		}
		i.Tags = append(i.Tags, reference)
	}
	return i
}

func remove(list []string, gone string) []string {
	var kept []string
	for _, s := range list {
		if s != gone {
			kept = append(kept, s)
		}
	}
	return kept
}

// serve is /v2; it returns who asked.
func (s *Registry) serve(w *watched, r *http.Request) string {
	who, ok := s.login(w, r)
	if !ok {
		return ""
	}
	rest := strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2"), "/")
	if rest == "" {
		w.WriteHeader(http.StatusOK)
		return who.arn
	}
	name, kind, reference := split(rest)
	if action := actionOf(r, kind); !who.principal.may(action, s.ARN(name)) {
		refuse(w, http.StatusForbidden, "DENIED", fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", who.arn, action, s.ARN(name)))
		return who.arn
	}
	s.allowed(w, r, name, kind, reference)
	return who.arn
}

// login reads the token. Without one the answer is 401, with an old one it was seen to be 403.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html
func (s *Registry) login(w http.ResponseWriter, r *http.Request) (*session, bool) {
	user, password, ok := r.BasicAuth()
	s.cloud.mu.Lock()
	who, now := s.cloud.tokens[password], s.cloud.now()
	s.cloud.mu.Unlock()
	switch {
	case !ok || user != "AWS" || who == nil:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Basic realm="https://%s/",service="ecr.amazonaws.com"`, s.Host))
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "Not Authorized\n")
		return nil, false
	case !now.Before(who.ends):
		refuse(w, http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
		return nil, false
	}
	return who, true
}

// actionOf is the permission that a request needs.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
func actionOf(r *http.Request, kind string) string {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case kind == "blobs" && r.Method == http.MethodHead:
		return "ecr:BatchCheckLayerAvailability"
	case kind == "blobs" && strings.HasSuffix(r.URL.Path, "/blobs/uploads/"):
		return "ecr:InitiateLayerUpload"
	case kind == "blobs" && !read:
		return "ecr:UploadLayerPart"
	case kind == "blobs":
		return "ecr:GetDownloadUrlForLayer"
	case kind == "tags":
		return "ecr:ListImages"
	case kind == "manifests" && r.Method == http.MethodPut:
		return "ecr:PutImage"
	case kind == "manifests" && !read:
		return "ecr:BatchDeleteImage"
	}
	return "ecr:BatchGetImage"
}

// allowed is a request of somebody who may ask it.
func (s *Registry) allowed(w *watched, r *http.Request, name, kind, reference string) {
	s.mu.Lock()
	repo := s.repos[name]
	s.mu.Unlock()
	switch {
	case repo == nil && strings.HasSuffix(r.URL.Path, "/blobs/uploads/"):
		// The connection is cut: https://github.com/aws/containers-roadmap/issues/1970
		w.status = cut
	case repo == nil:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", name, s.Account))
	case kind == "referrers" && s.NoReferrers:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
	case kind == "manifests" && r.Method == http.MethodPut:
		s.put(w, r, repo, reference)
	case r.URL.Query().Has("mount") && !s.Mounting:
		r.URL.RawQuery = ""
		s.proxy.ServeHTTP(w, r)
	default:
		s.proxy.ServeHTTP(w, r)
	}
}

// put lets a manifest through to the real registry and notes it. An immutable tag
// is refused also for the digest that it has; the words are those that people reported,
// the status is assumed.
// https://github.com/moby/buildkit/issues/3776
func (s *Registry) put(w http.ResponseWriter, r *http.Request, repo *Repository, reference string) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	s.mu.Lock()
	taken := repo.tagged(reference) != nil && repo.immutable(reference)
	s.mu.Unlock()
	if taken {
		refuse(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf(
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", reference, repo.Name))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	if s.NoReferrers {
		w.Header().Set("OCI-Subject", "sent all the same")
	}
	s.proxy.ServeHTTP(seen, r)
	if seen.status == http.StatusCreated {
		s.mu.Lock()
		defer s.mu.Unlock()
		repo.note(reference, r.Header.Get("Content-Type"), raw, s.cloud.time())
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

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

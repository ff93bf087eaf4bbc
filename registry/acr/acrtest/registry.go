package acrtest

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"plimsoll/registry"
)

// Registry is one Azure registry: its token service and its own API in front
// of a real registry on loopback, which speaks the distribution protocol.
type Registry struct {
	Host    string
	Backend string // the real registry

	// How long its tokens last.
	RefreshLife, AccessLife time.Duration
	// Properties of its resource, as Resource Manager tells them.
	Properties map[string]any

	cloud *Cloud
	proxy *httputil.ReverseProxy
	shelf shelf
}

// Add puts a registry in front of a backend, NAME.azurecr.io.
func (c *Cloud) Add(name, backend string) *Registry {
	s := &Registry{
		Host: name + ".azurecr.io", Backend: backend, RefreshLife: 3 * time.Hour, AccessLife: 75 * time.Minute,
		Properties: map[string]any{}, cloud: c, shelf: newShelf(),
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

// Repository is one of its repositories.
func (s *Registry) Repository(path string) registry.Repository {
	return registry.Repository{Host: s.Host, Path: path}
}

// Behind is the same repository at the real registry, which asks nobody who he is.
func (s *Registry) Behind(path string) registry.Repository {
	return registry.Repository{Host: s.Backend, Path: path}
}

func (s *Registry) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/oauth2/exchange":
		s.exchange(w, r)
	case r.URL.Path == "/oauth2/token":
		s.token(w, r)
	case strings.HasPrefix(r.URL.Path, "/acr/v1/"):
		s.api(w, r)
	default:
		s.distribution(w, r)
	}
}

// exchange is POST /oauth2/exchange.
func (s *Registry) exchange(w http.ResponseWriter, r *http.Request) {
	c := s.cloud
	c.mu.Lock()
	busy := c.refusals > 0
	if busy {
		c.refusals--
	}
	c.mu.Unlock()
	t, ok := c.read(r.FormValue("access_token"))
	switch {
	case busy:
		w.Header().Set("Retry-After", "7")
		refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "too many requests")
	case r.Method != http.MethodPost || r.FormValue("grant_type") != "access_token" || r.FormValue("service") != s.Host:
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "grant_type, service")
	case !ok || t.Audience != "https://containerregistry.azure.net" || r.FormValue("tenant") != t.Tenant || !s.knows(t.Object):
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization for more information.")
	default:
		reply(w, http.StatusOK, map[string]string{"refresh_token": s.Refresh(t.Object)})
	}
}

// Refresh is a refresh token of the registry for a principal, as an exchange
// gives it: what az acr login hands to docker.
func (s *Registry) Refresh(object string) string {
	return s.cloud.sign(token{
		Audience: s.Host, Issuer: "Azure Container Registry", Object: object, Subject: object, Tenant: Tenant, Kind: "refresh_token",
	}, s.RefreshLife)
}

// knows tells whether a principal has any role here.
func (s *Registry) knows(object string) bool {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	p := s.cloud.people[object]
	return p != nil && len(p.Roles[s.Host]) > 0
}

// token is /oauth2/token: the refresh grant, or the null user's password.
func (s *Registry) token(w http.ResponseWriter, r *http.Request) {
	text, service, scopes := r.FormValue("refresh_token"), r.FormValue("service"), r.Form["scope"]
	if user, password, ok := r.BasicAuth(); ok && user == "00000000-0000-0000-0000-000000000000" && r.Method == http.MethodGet {
		text, service, scopes = password, r.URL.Query().Get("service"), r.URL.Query()["scope"]
	} else if r.Method != http.MethodPost || r.FormValue("grant_type") != "refresh_token" {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	t, ok := s.cloud.read(text)
	if !ok || t.Kind != "refresh_token" || t.Audience != s.Host || service != s.Host {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	t.Kind, t.Access = "access_token", s.grants(t.Object, scopes)
	reply(w, http.StatusOK, map[string]string{"access_token": s.cloud.sign(t, s.AccessLife)})
}

// grants is what of the scopes a principal may have.
func (s *Registry) grants(object string, scopes []string) []grant {
	var list []grant
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		parts := strings.Split(scope, ":")
		if len(parts) != 3 || parts[0] != "repository" {
			continue
		}
		g := grant{Type: parts[0], Name: parts[1]}
		for _, action := range strings.Split(parts[2], ",") {
			if s.cloud.may(object, s.Host, action) {
				g.Actions = append(g.Actions, action)
			}
		}
		list = append(list, g)
	}
	return list
}

// allowed tells whether a request carries a token for an action on a
// repository, and answers it with a challenge if not.
func (s *Registry) allowed(w http.ResponseWriter, r *http.Request, repo string, actions ...string) bool {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t, ok := s.cloud.read(text)
	ok = ok && t.Kind == "access_token" && t.Audience == s.Host
	for _, action := range actions {
		ok = ok && slices.ContainsFunc(t.Access, func(g grant) bool { return g.Name == repo && slices.Contains(g.Actions, action) })
	}
	if ok {
		return true
	}
	challenge := fmt.Sprintf(`Bearer realm="https://%s/oauth2/token",service="%s"`, s.Host, s.Host)
	if repo != "" {
		challenge += fmt.Sprintf(`,scope="repository:%s:%s"`, repo, strings.Join(actions, ","))
	}
	if text != "" {
		challenge += `,error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization for more information.")
	return false
}

// distribution is /v2: who may passes to the real registry.
func (s *Registry) distribution(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2"), "/")
	if path == "" {
		if s.allowed(w, r, "") {
			w.WriteHeader(http.StatusOK)
		}
		return
	}
	repo, kind, reference := split(path)
	action := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		action = "push"
	}
	if !s.allowed(w, r, repo, action) || s.shelf.refuses(w, r, repo, kind, reference) {
		return
	}
	if kind == "manifests" && r.Method == http.MethodPut {
		s.put(w, r, repo, reference)
		return
	}
	s.proxy.ServeHTTP(w, r)
}

// split parts a path of the distribution API: repository, kind, the rest.
func split(path string) (repo, kind, rest string) {
	for _, kind := range []string{"manifests", "blobs", "tags", "referrers"} {
		if repo, rest, ok := strings.Cut(path, "/"+kind+"/"); ok {
			return repo, kind, rest
		}
	}
	return path, "", ""
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

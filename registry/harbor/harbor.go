package harbor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// api is the path of Harbor's own API.
const api = "/api/v2.0"

// provider is one Harbor as one client sees it. It keeps nothing.
type provider struct {
	host string
	wire *registry.Wire
}

// Provider makes the provider of a host that the configuration calls a Harbor,
// for registry.Options; nil for another.
func Provider(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
	if !entry.Harbor {
		return nil
	}
	return &provider{host: host, wire: wire}
}

// Credential refuses: a Harbor knows no identity of a cloud.
func (p *provider) Credential(context.Context, config.Identity) (registry.Credential, error) {
	return registry.Credential{}, fault.New(fault.Usage, "write {username: …, password-env: …} or {docker: true} under registries → "+p.host, nil,
		"%s is a Harbor, which knows no identity of a cloud", p.host)
}

// Close has nothing to drop.
func (p *provider) Close() {}

// place is a repository in the words of Harbor.
type place struct {
	project string
	name    string // of the repository in the project; it may have slashes
}

func placeOf(repo registry.Repository) (place, error) {
	project, name, ok := strings.Cut(repo.Path, "/")
	if !ok {
		return place{}, fault.New(fault.Usage, "write it as host/project/name", nil, "%s names no project, and a Harbor has no repository outside one", repo)
	}
	return place{project, name}, nil
}

// artifact is the path of a manifest. The name of the repository is encoded
// twice: proxies in front of Harbor decode it once.
func (at place) artifact(reference string) string {
	return api + "/projects/" + at.project + "/repositories/" + url.PathEscape(url.PathEscape(at.name)) + "/artifacts/" + reference
}

// call asks Harbor's API about a repository.
func (p *provider) call(repo registry.Repository, path, what string, header http.Header) registry.Call {
	return registry.Call{Method: http.MethodGet, Path: path, Repo: repo, Basic: true, Header: header, What: what}
}

// refused tells whether the identity may not do this, or did not say who it is.
func refused(err error) bool { return fault.CodeOf(err) == fault.Refused }

// missing tells whether Harbor says that something is not there.
func missing(err error) bool { return errors.Is(err, registry.ErrNotFound) }

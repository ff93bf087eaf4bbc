package gates

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"plimsoll/config/clean"
)

// claim is one place where provenance says what was built.
type claim struct {
	where      string // the field, for people
	repository string // host/path, normalized
	ref        string // refs/heads/main, or as written; "" if it names none
	commit     string // "" if it names none
}

// origin is what provenance says about where and by whom something was built.
type origin struct {
	builder string
	sources []claim // what the build was started for, as the builder says
	deps    []claim // Git repositories among what it took
}

// origin reads SLSA v1. Builders put the source under names of their own:
// GitHub's attest-build-provenance and workflow builds under workflow, Google
// Cloud Build and Tekton under buildConfigSource, container-based builds and
// GitLab under source, BuildKit under configSource and, for a local context,
// in vcs of its metadata.
func (p slsaV1) origin() origin {
	o := origin{builder: clean.Text(p.RunDetails.Builder.ID)}
	for _, name := range []string{"workflow", "buildConfigSource", "source", "configSource"} {
		o.parameter("externalParameters."+name, p.BuildDefinition.Parameters[name])
	}
	o.vcs("runDetails.metadata.buildkit_metadata.vcs", p.RunDetails.Metadata.BuildKit)
	return o
}

// origin reads SLSA v0.2.
func (p slsaV02) origin() origin {
	o := origin{builder: clean.Text(p.Builder.ID)}
	o.source("invocation.configSource", p.Invocation.ConfigSource.URI, "", commitOf(p.Invocation.ConfigSource.Digest))
	o.vcs("metadata.vcs of BuildKit", p.Metadata.BuildKit)
	return o
}

// parameter reads a source that is text, a resource descriptor, or a repository with a ref.
func (o *origin) parameter(where string, raw json.RawMessage) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		o.source(where, text, "", "")
		return
	}
	var v struct {
		URI        string            `json:"uri"`
		Repository string            `json:"repository"`
		Ref        string            `json:"ref"`
		Digest     map[string]string `json:"digest"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return
	}
	if v.Repository == "" {
		v.Repository = v.URI
	}
	o.source(where, v.Repository, v.Ref, commitOf(v.Digest))
}

// source notes what the build was started for.
func (o *origin) source(where, uri, ref, commit string) {
	if c, ok := readClaim(where, uri); ok {
		if ref != "" {
			c.ref = clean.Text(ref)
		}
		if commit != "" {
			c.commit = commit
		}
		o.sources = append(o.sources, c)
	}
}

// vcs notes the checkout that BuildKit was given.
func (o *origin) vcs(where string, m buildKitMetadata) {
	o.source(where, m.VCS.Source, "", clean.Text(m.VCS.Revision))
}

// depends notes a Git repository among the dependencies.
func (o *origin) depends(d dependency) {
	commit := commitOf(d.Digest)
	if commit == "" && !strings.HasPrefix(d.URI, "git") && !strings.Contains(d.URI, ".git") {
		return // a file, an image
	}
	if strings.HasPrefix(d.URI, "pkg:") {
		return
	}
	if c, ok := readClaim("dependencies", d.URI); ok {
		if commit != "" {
			c.commit = commit
		}
		o.deps = append(o.deps, c)
	}
}

// commitOf is the commit in a digest set of in-toto.
func commitOf(digests map[string]string) string {
	for _, algorithm := range []string{"gitCommit", "sha1"} {
		if c := digests[algorithm]; c != "" {
			return clean.Text(c)
		}
	}
	return ""
}

// commitPattern is a Git object name, SHA-1 or SHA-256.
var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// readClaim reads a Git URI as provenance has it: git+https://host/path@ref
// (SPDX download location), or BuildKit's https://host/path.git#ref:subdirectory.
func readClaim(where, uri string) (claim, bool) {
	repository, ref := splitRef(uri)
	c := claim{where: where, repository: sourceRepository(repository), ref: clean.Text(ref)}
	if c.repository == "" {
		return claim{}, false
	}
	if commitPattern.MatchString(c.ref) {
		c.ref, c.commit = "", c.ref
	}
	return c, true
}

// splitRef cuts the ref off a Git URI.
func splitRef(uri string) (repository, ref string) {
	repository, fragment, _ := strings.Cut(uri, "#")
	fragment, _, _ = strings.Cut(fragment, ":")
	repository, query, _ := strings.Cut(repository, "?")
	if values, err := url.ParseQuery(query); err == nil { // BuildKit: ?branch=, ?tag=, ?ref=
		for _, name := range []string{"ref", "branch", "tag"} {
			if fragment == "" {
				fragment = values.Get(name)
			}
		}
	}
	scheme, rest := "", repository
	if i := strings.Index(repository, "://"); i >= 0 {
		scheme, rest = repository[:i+3], repository[i+3:]
	}
	if host, p, ok := strings.Cut(rest, "/"); ok { // an @ before the path is a user
		p, ref, _ = strings.Cut(p, "@")
		repository = scheme + host + "/" + p
	}
	if fragment != "" {
		ref = fragment
	}
	return repository, ref
}

// sourceRepository is host/path of a Git URL, without what does not tell one
// repository from another: scheme, user, default port, ".git", a closing slash, capitals of the host.
func sourceRepository(uri string) string {
	uri = strings.TrimPrefix(strings.TrimSpace(uri), "git+")
	_, rest, ok := strings.Cut(uri, "://")
	if !ok {
		rest = uri
		if host, p, scp := strings.Cut(uri, ":"); scp && strings.Contains(host, "@") {
			rest = host + "/" + p // git@github.com:acme/chat.git
		}
	}
	host, p, ok := strings.Cut(rest, "/")
	if !ok || host == "" || p == "" {
		return ""
	}
	host = strings.ToLower(host[strings.LastIndex(host, "@")+1:])
	for _, port := range []string{":443", ":80", ":22"} {
		host = strings.TrimSuffix(host, port)
	}
	p = strings.TrimSuffix(strings.Trim(p, "/"), ".git")
	if host == "github.com" {
		p = strings.ToLower(p) // GitHub does not tell capitals apart
	}
	if host == "" || p == "" {
		return ""
	}
	return clean.Text(host + "/" + p)
}

// branchName is the name of a branch or tag without refs/heads/ or refs/tags/.
func branchName(ref string) string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(ref, prefix); ok {
			return name
		}
	}
	return strings.TrimPrefix(ref, "refs/")
}

// like tells whether a pattern of path.Match fits name; "**" at the end stands
// for everything below. A pattern that cannot be read fits nothing.
func like(pattern, name string) bool {
	head, below := strings.CutSuffix(pattern, "/**")
	if !below {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	depth := strings.Count(head, "/") + 1
	parts := strings.Split(name, "/")
	if len(parts) <= depth {
		return false
	}
	ok, err := path.Match(head, strings.Join(parts[:depth], "/"))
	return err == nil && ok
}

// String says what a claim says, and where.
func (c claim) String() string {
	text := c.repository
	if c.ref != "" {
		text += " " + c.ref
	}
	if c.commit != "" {
		text += " commit " + c.commit[:min(12, len(c.commit))]
	}
	return fmt.Sprintf("%s (%s)", text, c.where)
}

// read is everything that provenance says about its origin, for people.
func (o origin) read() string {
	all := slices.Concat(o.sources, o.deps)
	said := make([]string, 0, len(all))
	for _, c := range all {
		if !slices.Contains(said, c.String()) {
			said = append(said, c.String())
		}
	}
	text := "no source"
	if len(said) > 0 {
		text = strings.Join(said[:min(len(said), 10)], ", ")
	}
	if len(said) > 10 {
		text += fmt.Sprintf(" and %d more", len(said)-10)
	}
	builder := o.builder
	if builder == "" {
		builder = "no builder"
	}
	return text + "; builder " + builder
}

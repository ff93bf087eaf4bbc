package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What holds of a source without a key.
const (
	defaultGitHub  = "https://api.github.com"
	defaultAzure   = "https://dev.azure.com/"
	defaultHeader  = "Authorization"
	defaultTimeout = 10 * time.Second
	defaultKeep    = time.Minute
)

// bindSources reads the places outside the registry that know something.
func (b *binder) bindSources(n *node) map[string]Source {
	out := map[string]Source{}
	if n == nil {
		return out
	}
	for _, e := range n.entries {
		s := Source{Name: e.name, Command: e.value.get("command").texts(), Timeout: defaultTimeout, Keep: defaultKeep}
		if t := e.value.get("timeout"); t != nil {
			s.Timeout = span(t)
		}
		if k := e.value.get("keep"); k != nil {
			s.Keep = span(k)
		}
		if g := e.value.get("github"); g != nil {
			s.GitHub = b.gitHubSource(g)
		}
		if p := e.value.get("azure-pipelines"); p != nil {
			s.Pipelines = b.pipelinesSource(p)
		}
		if h := e.value.get("http"); h != nil {
			s.HTTP = b.httpSource(h)
		}
		s.Registry = e.value.get("registry") != nil
		out[e.name] = s
	}
	return out
}

func (b *binder) gitHubSource(n *node) *GitHubSource {
	s := &GitHubSource{
		API: defaultGitHub, Repository: n.str("repository"), Checks: n.get("checks").texts(),
		TokenEnv: n.str("token-env"), CLI: b.cli(n, "gh"),
	}
	if api := n.str("api"); api != "" {
		s.API = strings.TrimRight(api, "/")
	}
	return s
}

func (b *binder) pipelinesSource(n *node) *PipelinesSource {
	s := &PipelinesSource{
		URL: defaultAzure + n.str("organization"), Project: n.str("project"), Pipeline: n.str("pipeline"),
		TokenEnv: n.str("token-env"), CLI: b.cli(n, "az"),
	}
	if o := n.str("organization"); strings.Contains(o, "://") {
		s.URL = strings.TrimRight(o, "/")
	}
	return s
}

// cli tells whether a program is asked for the token.
func (b *binder) cli(n *node, name string) bool {
	program := n.get(name)
	if program != nil && n.get("token-env") != nil {
		b.report(program.place, "keep one of the two", "the token is to come from %s and from token-env", name)
	}
	return program != nil
}

func (b *binder) httpSource(n *node) *HTTPSource {
	s := &HTTPSource{
		URL: n.str("url"), TokenEnv: n.str("token-env"), Header: defaultHeader, State: n.str("state"),
		Passed: n.get("passed").texts(), Running: n.get("running").texts(),
		Count: n.str("count"), Total: n.str("total"), Time: n.str("time"), Link: n.str("link"),
		CA: b.certificates(n.get("ca")), PlainHTTP: n.str("plain-http") == "true",
	}
	if h := n.get("header"); h != nil {
		s.Header = h.text
		if s.TokenEnv == "" {
			b.report(h.place, "add token-env: NAME, the variable that holds the header's value", "the header %s has no value", s.Header)
		}
	}
	if t := n.get("total"); t != nil && s.Count == "" {
		b.report(t.place, "add count, or leave total out", "there is a total of tests without a count of those that passed")
	}
	for _, r := range n.get("running").list() {
		if slices.Contains(s.Passed, r.text) {
			b.report(r.place, "keep one of the two", "the state %q stands in passed and in running", r.text)
		}
	}
	b.checkState(s, n)
	b.checkPlain(s, n)
	return s
}

// checkState tells an answer that is taken apart from a scanner's report, which has no state.
func (b *binder) checkState(s *HTTPSource, n *node) {
	if s.State != "" {
		if s.Passed == nil {
			b.report(n.get("state").place, "add passed: [success], with the states that mean it", "nothing says which state means passed")
		}
		return
	}
	for _, name := range []string{"passed", "running", "count", "total", "time", "link"} {
		if k := n.get(name); k != nil {
			b.report(k.place, "add state, or leave "+name+" out", "without state the answer is a scanner's report, which has no %s", name)
		}
	}
}

func (b *binder) checkPlain(s *HTTPSource, n *node) {
	rest, plain := strings.CutPrefix(strings.ToLower(s.URL), "http://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	switch {
	case plain && !loopback(host):
		b.report(n.get("url").place, "use https (a private authority goes into ca)", "%s is not this machine, and http is not encrypted", host)
	case plain && !s.PlainHTTP:
		b.report(n.get("url").place, "write https, or add plain-http: true for an address of this machine", "http is not encrypted")
	case s.PlainHTTP && !plain:
		b.report(n.get("plain-http").place, "leave plain-http out, or write the url with http", "plain-http is for a url with http")
	case plain && s.CA != nil:
		b.report(n.get("ca").place, "leave out ca, or plain-http", "there is a ca, but http uses no TLS")
	}
}

// testSources are the sources of a gate that asks for test results.
func (b *binder) testSources(n *node) []string {
	for _, s := range n.list() {
		switch source := b.sources[s.text]; {
		case source.HTTP != nil && source.HTTP.State == "":
			b.report(s.place, "add state and passed to "+s.text, "%s gives the report of a scanner, not test results", s.text)
		case source.Registry:
			b.report(s.place, "name it under sources of the scan gate", "%s gives the scan of a registry, not test results", s.text)
		}
	}
	return b.knownSources(n)
}

// knownSources reports names that sources does not define.
func (b *binder) knownSources(n *node) []string {
	known := slices.Sorted(maps.Keys(b.sources))
	for _, s := range n.list() {
		if _, ok := b.sources[s.text]; ok {
			continue
		}
		hint := "define it in sources, for example sources: {" + s.text + ": {github: {repository: acme/chat, gh: true}}}"
		if near := nearest(s.text, known); near != "" {
			hint = "did you mean \"" + near + "\"? The sources: " + strings.Join(known, ", ")
		} else if len(known) > 0 {
			hint += "; there are: " + strings.Join(known, ", ")
		}
		b.report(s.place, hint, "there is no source %q", s.text)
	}
	return n.texts()
}

package registry

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"plimsoll/config"
)

// login proves the client's identity to one host: it keeps the host's newest
// challenge, the credential once it was needed, and a token for each scope.
type login struct {
	host     string
	entry    config.Registry
	purpose  Purpose
	provider Provider    // nil: none
	given    *Credential // in place of the entry's identities; nil: those

	turn chan struct{} // holds one element: whoever takes it may ask for credentials and tokens

	mu        sync.Mutex
	challenge *challenge // nil: none met yet
	open      bool       // the host answered without a challenge
	cred      *credential
	tokens    map[string]bearer // by scope
}

// bearer is a token with its end.
type bearer struct {
	token   string
	expires time.Time
}

func newLogin(name string, entry config.Registry, purpose Purpose, p Provider) *login {
	l := &login{host: name, entry: entry, purpose: purpose, provider: p, turn: make(chan struct{}, 1), tokens: map[string]bearer{}}
	l.turn <- struct{}{}
	return l
}

// forget drops everything secret.
func (l *login) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cred, l.tokens, l.challenge, l.open = nil, map[string]bearer{}, nil, false
}

// met keeps the challenge of an answer 401.
func (l *login) met(c *challenge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.challenge = c
}

// answered notes that the host answers without a challenge.
func (l *login) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
}

// known tells whether it is known how the host wants to be asked.
func (l *login) known() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.challenge != nil || l.open
}

// current is the newest challenge, nil before one was met.
func (l *login) current() *challenge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.challenge
}

// drop forgets a token that the host refused, and any other of the same value.
func (l *login) drop(authorization string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.tokens, func(_ string, b bearer) bool { return "Bearer "+b.token == authorization })
}

// kept is a token that covers scopes and lasts a while longer.
func (l *login) kept(scopes []string, now time.Time) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range []string{scopeKey(scopes), scopeKey(widened(scopes))} {
		if b, ok := l.tokens[key]; ok && now.Before(b.expires) {
			return b.token, true
		}
	}
	return "", false
}

// keep remembers a token for its scopes.
func (l *login) keep(scopes []string, b bearer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[scopeKey(scopes)] = b
}

// credential asks the configured source once, and keeps what it says until
// Close, until it ends, or until a token service refuses it. Whoever calls it has the turn.
func (l *login) credential(ctx context.Context, now time.Time) (credential, error) {
	l.mu.Lock()
	cred := l.cred
	l.mu.Unlock()
	if cred != nil && !cred.ended(now) {
		return *cred, nil
	}
	fresh, err := l.source(ctx)
	if err != nil {
		return credential{}, err
	}
	l.mu.Lock()
	l.cred = &fresh
	l.mu.Unlock()
	return fresh, nil
}

// source asks where the credential comes from.
func (l *login) source(ctx context.Context) (credential, error) {
	if l.given != nil {
		return l.given.form().register(), nil
	}
	return readCredential(ctx, l.host, l.purpose, identityFor(l.entry, l.purpose), l.provider)
}

// refused forgets the credential, so that the next request asks its source anew.
func (l *login) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cred = nil
}

// wait takes the turn, or returns why ctx ended; the caller gives it back with done.
func (l *login) wait(ctx context.Context) (done func(), err error) {
	select {
	case <-l.turn:
		return func() { l.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// scopes are the token scopes of a request (distribution's token
// specification, "Requesting a token").
func (in access) scopes() []string {
	action := "pull"
	switch {
	case in.actions != "":
		action = in.actions
	case in.push:
		action = "pull,push"
	}
	list := []string{"repository:" + in.repo.Path + ":" + action}
	for _, r := range in.from {
		if r.Host == in.repo.Host && r.Path != in.repo.Path {
			list = append(list, "repository:"+r.Path+":pull")
		}
	}
	return list
}

// widened are the same scopes with the right to push, whose token serves too.
func widened(scopes []string) []string {
	if len(scopes) != 1 || !strings.HasSuffix(scopes[0], ":pull") {
		return scopes
	}
	return []string{scopes[0] + ",push"}
}

// scopeKey is one spelling of a set of scopes.
func scopeKey(scopes []string) string {
	sorted := slices.Sorted(slices.Values(scopes))
	return strings.Join(slices.Compact(sorted), " ")
}

// wanted adds the scope that a challenge names to our own if it asks for no
// more than the request needs: some registries know a repository by another name.
func (in access) wanted(c *challenge) []string {
	scopes := in.scopes()
	for _, s := range strings.Fields(c.params["scope"]) {
		kind, rest, _ := strings.Cut(s, ":")
		cut := strings.LastIndexByte(rest, ':')
		if kind != "repository" || cut < 0 || slices.Contains(scopes, s) {
			continue
		}
		name, actions := rest[:cut], strings.Split(rest[cut+1:], ",")
		fits := in.actions == "" && repositoryPath().MatchString(name) && !slices.ContainsFunc(actions, func(a string) bool {
			return a != "pull" && (a != "push" || !in.push)
		})
		own := name == in.repo.Path || slices.ContainsFunc(in.from, func(r Repository) bool { return r.Path == name })
		if fits && !own {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

// unauthorized tells whether the host wants another proof of identity.
func unauthorized(resp *http.Response) bool { return resp.StatusCode == http.StatusUnauthorized }

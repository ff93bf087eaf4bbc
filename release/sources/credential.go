package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/program"
)

// azureDevOps is the application that tokens for Azure DevOps are asked for
// (https://learn.microsoft.com/azure/devops/cli/entra-tokens).
const azureDevOps = "499b84ac-1321-427f-aa17-267ca6975798"

const (
	tokenKept = 10 * time.Minute // a token whose end is not said is asked for again after it
	tokenSlow = 30 * time.Second // az is slow to start
	tokenMost = 64 << 10
)

// token is a credential and when it is of no use any more.
type token struct {
	value string
	until time.Time
}

// tokens are those that a tool gave, in memory only.
type tokens struct {
	mu sync.Mutex
	of map[string]token
}

func newTokens() *tokens { return &tokens{of: map[string]token{}} }

func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.of)
}

// errUntrusted is why a source is asked without its credential, or not at all.
var errUntrusted = fault.New(fault.Usage, "read the file, then accept it with: plimsoll trust", nil,
	"the configuration was found, not named, and is not trusted yet")

// variable is the value of an environment variable that the configuration names.
func (s *Sources) variable(name string) (string, error) {
	for _, entry := range s.Environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok && v != "" {
			clean.Secret(v)
			return v, nil
		}
	}
	return "", ofSource{fault.New(fault.Usage, "set it to a token that may read, for this run only", nil, "the environment variable %s is not set", name)}
}

// tool is a token of a command-line program, asked for once and kept until it ends.
// The lock is held meanwhile: ten questions at once need one token.
func (s *Sources) tool(ctx context.Context, read func([]byte) (token, error), argv ...string) (string, error) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	key := strings.Join(argv, " ")
	if t, ok := s.tokens.of[key]; ok && s.Now().Before(t.until) {
		return t.value, nil
	}
	ran, err := program.Run(ctx, program.Spec{
		What: "token program", Argv: argv, Dir: s.Config.Dir, Environ: s.Environ, Secrets: s.secrets(), Limit: tokenSlow, Answer: tokenMost,
	})
	if err != nil {
		return "", ofSource{fault.New(fault.Usage, "install it and sign in with it, or name an environment variable with a token", err, "ask %s for a token", argv[0])}
	}
	t, err := read(ran.Answer)
	if err == nil && t.value == "" {
		err = fmt.Errorf("it printed no token")
	}
	if err != nil {
		return "", ofSource{fmt.Errorf("ask %s for a token: %w", argv[0], err)}
	}
	clean.Secret(t.value)
	s.tokens.of[key] = t
	return t.value, nil
}

// refused forgets the tokens of tools: one of them does not count any more.
func (s *Sources) refused() { s.tokens.forget() }

// ofGH asks gh for the token of the host that an API belongs to: api.github.com
// is of github.com, api.NAME.ghe.com of NAME.ghe.com, HOST/api/v3 of HOST.
func (s *Sources) ofGH(ctx context.Context, api string) (string, error) {
	u, err := url.Parse(api)
	if err != nil {
		return "", fmt.Errorf("read the address of the API: %w", err)
	}
	host := u.Host
	if rest, ok := strings.CutPrefix(host, "api."); ok && (rest == "github.com" || strings.HasSuffix(rest, ".ghe.com")) {
		host = rest
	}
	return s.tool(ctx, func(raw []byte) (token, error) {
		return token{strings.TrimSpace(string(raw)), s.Now().Add(tokenKept)}, nil
	}, "gh", "auth", "token", "--hostname", host)
}

// ofAz asks az for a token for Azure DevOps.
func (s *Sources) ofAz(ctx context.Context) (string, error) {
	return s.tool(ctx, func(raw []byte) (token, error) {
		var said struct {
			AccessToken string `json:"accessToken"`
			ExpiresOn   int64  `json:"expires_on"` // since az 2.54; expiresOn is local time without a zone
		}
		if err := json.Unmarshal(raw, &said); err != nil {
			return token{}, fmt.Errorf("it printed no JSON")
		}
		until := s.Now().Add(tokenKept)
		if said.ExpiresOn > 0 {
			until = time.Unix(said.ExpiresOn, 0).Add(-time.Minute)
		}
		return token{said.AccessToken, until}, nil
	}, "az", "account", "get-access-token", "--resource", azureDevOps, "--output", "json")
}

// secrets are the environment variables that hold our credentials.
func (s *Sources) secrets() []string {
	var names []string
	for _, c := range s.Config.Sources {
		switch {
		case c.GitHub != nil:
			names = append(names, c.GitHub.TokenEnv)
		case c.Pipelines != nil:
			names = append(names, c.Pipelines.TokenEnv)
		case c.HTTP != nil:
			names = append(names, c.HTTP.TokenEnv)
		}
	}
	for _, r := range s.Config.Registries {
		for _, i := range []*config.Identity{r.Read, r.Evidence, r.Promote} {
			if i != nil {
				names = append(names, i.PasswordEnv)
			}
		}
	}
	return names
}

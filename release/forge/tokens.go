package forge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/program"
)

// AzureDevOps is the application that tokens for Azure DevOps are asked for
// (https://learn.microsoft.com/azure/devops/cli/entra-tokens).
const AzureDevOps = "499b84ac-1321-427f-aa17-267ca6975798"

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

// Tokens finds tokens, and keeps those that a tool gave, in memory only. Its
// fields are set once; it is safe for concurrent use.
type Tokens struct {
	Now     func() time.Time
	Environ []string // where variables are looked up; tools get it without our secrets
	Dir     string   // where tools are started
	// Secrets are the names of further variables that tools must not see; nil: none.
	Secrets func() []string

	mu sync.Mutex
	of map[string]token
}

// Forget drops the tokens of tools: one of them does not count any more.
func (t *Tokens) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.of)
}

// Variable is the value of an environment variable that the configuration names.
// What it is for stands in the hint of the error: "a token that may read".
func (t *Tokens) Variable(name, what string) (string, error) {
	for _, entry := range t.Environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok && v != "" {
			clean.Secret(v)
			return v, nil
		}
	}
	return "", fault.New(fault.Usage, "set it to "+what+", for this run only", nil, "the environment variable %s is not set", name)
}

// GH asks gh for the token of the host that an API belongs to: api.github.com
// is of github.com, api.NAME.ghe.com of NAME.ghe.com, HOST/api/v3 of HOST.
func (t *Tokens) GH(ctx context.Context, api string) (string, error) {
	u, err := url.Parse(api)
	if err != nil {
		return "", fmt.Errorf("read the address of the API: %w", err)
	}
	host := u.Host
	if rest, ok := strings.CutPrefix(host, "api."); ok && (rest == "github.com" || strings.HasSuffix(rest, ".ghe.com")) {
		host = rest
	}
	return t.tool(ctx, func(raw []byte) (token, error) {
		return token{strings.TrimSpace(string(raw)), t.Now().Add(tokenKept)}, nil
	}, "gh", "auth", "token", "--hostname", host)
}

// Az asks az for a token for Azure DevOps.
func (t *Tokens) Az(ctx context.Context) (string, error) {
	return t.tool(ctx, func(raw []byte) (token, error) { return printedByAz(raw, t.Now()) }, "az", "account", "get-access-token", "--resource", AzureDevOps, "--output", "json")
}

// printedByAz reads what az prints.
func printedByAz(raw []byte, now time.Time) (token, error) {
	var said struct {
		AccessToken string `json:"accessToken"`
		ExpiresOn   int64  `json:"expires_on"` // since az 2.54; expiresOn is local time without a zone
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return token{}, fmt.Errorf("it printed no JSON")
	}
	until := now.Add(tokenKept)
	if said.ExpiresOn > 0 {
		until = time.Unix(said.ExpiresOn, 0).Add(-time.Minute)
	}
	return token{said.AccessToken, until}, nil
}

// tool is a token of a command-line program, asked for once and kept until it ends.
// The lock is held meanwhile: ten questions at once need one token.
func (t *Tokens) tool(ctx context.Context, read func([]byte) (token, error), argv ...string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := strings.Join(argv, " ")
	if kept, ok := t.of[key]; ok && t.Now().Before(kept.until) {
		return kept.value, nil
	}
	spec := program.Spec{What: "token program", Argv: argv, Dir: t.Dir, Environ: t.Environ, Limit: tokenSlow, Answer: tokenMost}
	if t.Secrets != nil {
		spec.Secrets = t.Secrets()
	}
	ran, err := program.Run(ctx, spec)
	if err != nil {
		return "", fault.New(fault.Usage, "install it and sign in with it, or name an environment variable with a token", err, "ask %s for a token", argv[0])
	}
	got, err := read(ran.Answer)
	if err == nil && got.value == "" {
		err = fmt.Errorf("it printed no token")
	}
	if err != nil {
		return "", fmt.Errorf("ask %s for a token: %w", argv[0], err)
	}
	clean.Secret(got.value)
	if t.of == nil {
		t.of = map[string]token{}
	}
	t.of[key] = got
	return got.value, nil
}

// DevOps is the Authorization header of a secret for Azure DevOps: bearer tokens
// such as System.AccessToken are JWTs, a personal access token is the password of nobody.
func DevOps(secret string) string {
	if strings.Count(secret, ".") == 2 {
		return "Bearer " + secret
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+secret))
}

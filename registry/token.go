package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// Limits of a token answer.
const (
	maxToken      = 1 << 20
	tokenLifetime = time.Minute      // where the answer names none (token specification)
	tokenReserve  = 10 * time.Second // a token is not used in its last seconds
	maxTokenLife  = 12 * time.Hour
)

// token returns a token for scopes, from memory if one still lasts.
func (c *Client) token(ctx context.Context, h *host, asked *challenge, scopes []string) (string, error) {
	if t, ok := h.login.kept(scopes, c.now()); ok {
		return t, nil
	}
	done, err := h.login.wait(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if t, ok := h.login.kept(scopes, c.now()); ok { // another goroutine fetched it while we waited
		return t, nil
	}
	cred, err := h.login.credential(ctx, c.now())
	if err != nil {
		return "", err
	}
	if cred.registryToken != "" {
		return cred.registryToken, nil
	}
	realm, err := h.realm(asked, cred)
	if err != nil {
		return "", err
	}
	b, err := c.fetchToken(ctx, h, realm, asked.params["service"], scopes, cred)
	if err != nil {
		return "", err
	}
	clean.Secret(b.token)
	h.login.keep(scopes, b)
	return b.token, nil
}

// realm is the token service that a challenge names, if this credential may go there.
func (h *host) realm(asked *challenge, cred credential) (*url.URL, error) {
	raw := asked.params["realm"]
	realm, err := url.Parse(raw)
	if err != nil || realm.Host == "" || realm.User != nil {
		return nil, fmt.Errorf("registry %s names a token service that is no web address: %s", h.name, clean.Text(raw))
	}
	if realm.Scheme != "https" && (realm.Scheme != "http" || !h.entry.PlainHTTP) {
		return nil, fault.New(fault.Usage, "the registry's administrator has to offer it over https", nil,
			"registry %s names a token service that is not https: %s; nothing is sent there", h.name, plain(realm))
	}
	if h.owns(realm) || h.entry.AuthHost != "" && address(realm) == authAddress(h.entry.AuthHost, realm.Scheme) {
		return realm, nil
	}
	if !cred.anonymous() {
		return nil, fault.New(fault.Usage,
			fmt.Sprintf("if it is this registry's token service, add auth-host: %s under registries → %s", clean.Text(realm.Host), h.name), nil,
			"registry %s wants its credential sent to another host, %s; it was not sent", h.name, clean.Text(realm.Host))
	}
	base, err := url.Parse(h.base)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", h.name, err)
	}
	if err := mayGo(base, realm); err != nil {
		return nil, fmt.Errorf("registry %s, token service: %w", h.name, err)
	}
	return realm, nil
}

// authAddress is the address of a configured auth-host.
func authAddress(host, scheme string) string {
	return address(&url.URL{Scheme: scheme, Host: host})
}

// fetchToken asks the token service: with an identity token by OAuth2's refresh
// grant, else by GET with basic credentials, anonymously without
// (distribution's specifications "oauth" and "token").
func (c *Client) fetchToken(ctx context.Context, h *host, realm *url.URL, service string, scopes []string, cred credential) (bearer, error) {
	req, err := tokenRequest(ctx, realm, service, scopes, cred)
	if err != nil {
		return bearer{}, err
	}
	resp, err := c.askToken(ctx, h, req)
	if err != nil {
		return bearer{}, err
	}
	return c.readToken(h, resp)
}

// askToken sends a request to a token service. To ask twice is harmless, also
// by POST.
func (c *Client) askToken(ctx context.Context, h *host, req *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := c.send(ctx, h, TraceToken, req, AnswerTimeout)
		wait, again := c.policy.next(attempt, access{}, asGet(req), resp, err)
		if !again || ctx.Err() != nil {
			return resp, c.explain(ctx, h, req, err)
		}
		discard(resp)
		if err := c.sleep(ctx, wait); err != nil {
			return nil, c.explain(ctx, h, req, err)
		}
		if req, err = afresh(ctx, req); err != nil {
			return nil, err
		}
	}
}

// asGet is req as far as the retry policy looks at it.
func asGet(req *http.Request) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: req.URL}
}

func tokenRequest(ctx context.Context, realm *url.URL, service string, scopes []string, cred credential) (*http.Request, error) {
	if cred.identityToken != "" {
		form := url.Values{
			"grant_type": {"refresh_token"}, "service": {service}, "client_id": {"plimsoll"},
			"scope": {strings.Join(scopes, " ")}, "refresh_token": {cred.identityToken},
		}
		req, err := request(ctx, http.MethodPost, realm.String(), []byte(form.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
	query := realm.Query()
	if service != "" {
		query.Set("service", service)
	}
	query["scope"] = scopes
	asked := *realm
	asked.RawQuery = query.Encode()
	req, err := request(ctx, http.MethodGet, asked.String(), nil)
	if err == nil && cred.password != "" {
		req.SetBasicAuth(cred.username, cred.password)
	}
	return req, err
}

// readToken reads the answer of a token service.
func (c *Client) readToken(h *host, resp *http.Response) (bearer, error) {
	if resp.StatusCode != http.StatusOK {
		if resp.StatusCode == http.StatusUnauthorized {
			h.login.refused()
		}
		return bearer{}, c.failedAt(h, resp, "token service of ")
	}
	defer discard(resp)
	raw, err := readAll(resp.Body, maxToken, "the token answer of "+h.name)
	if err != nil {
		return bearer{}, err
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	// The cause is left out: it could quote the token.
	if json.Unmarshal(raw, &answer) != nil || answer.Token == "" && answer.AccessToken == "" {
		return bearer{}, fmt.Errorf("the token service of %s answered without a token", h.name)
	}
	b := bearer{token: answer.Token}
	if b.token == "" {
		b.token = answer.AccessToken
	}
	life := lifetime(answer.ExpiresIn, b.token, c.now())
	b.expires = c.now().Add(life - min(tokenReserve, life/4))
	return b, nil
}

// lifetime is how long a token lasts: as its answer says, else as it says
// itself if it is a JWT, else a minute.
func lifetime(seconds int64, token string, now time.Time) time.Duration {
	if seconds <= 0 {
		seconds = int64(jwtEnd(token).Sub(now) / time.Second)
	}
	if seconds <= 0 {
		return tokenLifetime
	}
	return min(time.Duration(min(seconds, int64(maxTokenLife/time.Second)))*time.Second, maxTokenLife)
}

// jwtEnd is the exp claim of a JWT, unverified; zero without one.
func jwtEnd(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	raw, err := io.ReadAll(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(parts[1])))
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}

package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// canary is the password in every test; it must never be seen outside.
const canary = "canary-s3cret-password"

// authority is a token service that enforces scopes, and the registry's guard
// that asks for its tokens.
type authority struct {
	realm  string // "": the registry's own /token
	life   int    // expires_in
	mu     sync.Mutex
	issued map[string][]string // token → scopes
	served []string            // scopes of each token request
	basic  []string            // Authorization of each token request
	number int
}

func newAuthority() *authority { return &authority{life: 300, issued: map[string][]string{}} }

// token answers a token request: owner and robot may do all, others only pull.
func (a *authority) token(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	scopes := r.URL.Query()["scope"]
	if r.Method == http.MethodPost {
		_ = r.ParseForm()
		scopes = strings.Fields(r.PostForm.Get("scope"))
	}
	a.served = append(a.served, strings.Join(scopes, " "))
	a.basic = append(a.basic, r.Header.Get("Authorization"))
	user, password, ok := r.BasicAuth()
	if refresh := r.PostForm.Get("refresh_token"); refresh == canary {
		user, password, ok = "owner", canary, true
	}
	if ok && password != canary {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"wrong password `+password+`\u001b[31m"}]}`)
		return
	}
	var granted []string
	for _, s := range scopes {
		if user == "" {
			s = strings.TrimSuffix(s, ",push")
		}
		granted = append(granted, s)
	}
	a.number++
	t := fmt.Sprintf("token-%d-of-%s", a.number, base64.RawURLEncoding.EncodeToString([]byte(user)))
	a.issued[t] = granted
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": t, "expires_in": a.life})
}

// revoke makes all tokens worthless.
func (a *authority) revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issued = map[string][]string{}
}

func (a *authority) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.served)
}

// guard asks for a token whose scopes cover the request.
func (a *authority) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			a.token(w, r)
			return
		}
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
		for _, sep := range []string{"/blobs/", "/tags/", "/referrers/"} {
			repo, _, _ = strings.Cut(repo, sep)
		}
		need := "repository:" + repo + ":pull"
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			need += ",push"
		}
		a.mu.Lock()
		granted := a.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		realm := a.realm
		a.mu.Unlock()
		if slices.ContainsFunc(granted, func(s string) bool { return strings.HasPrefix(s, need) }) {
			next.ServeHTTP(w, r)
			return
		}
		if realm == "" {
			realm = "http://" + r.Host + "/token"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test",scope=%q`, realm, need))
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}`)
	})
}

// basicGuard asks for a user name and the canary.
func basicGuard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if password != canary {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if user == "reader" && r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"\u001b]0;owned\u0007 you sent `+password+`"}]}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// user is an identity with the canary as its password.
func user(t testing.TB, name string) *config.Identity {
	t.Helper()
	t.Setenv("PLIMSOLL_TEST_PASSWORD", canary)
	return &config.Identity{Username: name, PasswordEnv: "PLIMSOLL_TEST_PASSWORD"}
}

// noSecret fails if text or error shows the canary or a control character.
func noSecret(t testing.TB, err error) {
	t.Helper()
	text := err.Error() + " " + fault.HintOf(err)
	encoded := base64.StdEncoding.EncodeToString([]byte("owner:" + canary))
	if strings.Contains(text, canary) || strings.Contains(text, encoded) || strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("the error shows a secret or a control character: %q", text)
	}
}

func TestOneTokenServesManyRequestsOfARepository(t *testing.T) {
	a := newAuthority()
	c, tr := client(t, Options{Purpose: Promote}, config.Registry{Promote: user(t, "owner")})
	repo := Repository{Host: start(t, a.guard), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	for range 5 {
		_, err := c.Head(t.Context(), repo, "v1")
		must(t, err)
	}
	if got := a.requests(); len(got) != 1 || got[0] != "repository:team/app:pull,push" {
		t.Errorf("token requests %q, want one that may push", got)
	}
	refused := 0
	for _, r := range tr.take() {
		if r.status == http.StatusUnauthorized {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d answers 401, want one: the challenge is remembered", refused)
	}
	other := Repository{Host: repo.Host, Path: "team/other"}
	if _, err := c.Head(t.Context(), other, m.Descriptor.Digest.String()); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if got := a.requests(); len(got) != 2 || got[1] != "repository:team/other:pull" {
		t.Errorf("token requests %q: another repository needs its own", got)
	}
}

func TestATokenThatEndedIsReplaced(t *testing.T) {
	a := newAuthority()
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, a.guard), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	a.revoke()
	must(t, c.PutManifest(t.Context(), repo, "v2", m)) // the server forgot the token
	now := time.Now()
	c.now = func() time.Time { return now.Add(291 * time.Second) }
	before := len(a.requests())
	_, err := c.Head(t.Context(), repo, "v2")
	must(t, err)
	if got := len(a.requests()) - before; got != 1 {
		t.Errorf("%d token requests, want one for a token in its last seconds", got)
	}
}

func TestManyGoroutinesFetchOneToken(t *testing.T) {
	a := newAuthority()
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, a.guard), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a")
	c.Close()
	before := len(a.requests())
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := c.Head(t.Context(), repo, "v1"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := len(a.requests()) - before; got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}
}

func TestBasicCredentialsAndTheirRefusal(t *testing.T) {
	host := start(t, basicGuard)
	repo := Repository{Host: host, Path: "team/app"}
	owner, _ := client(t, Options{Purpose: Promote}, config.Registry{Promote: user(t, "owner")})
	m := pushImage(t, owner, repo, "v1", "a")

	reader, _ := client(t, Options{Purpose: Promote}, config.Registry{Read: user(t, "reader")})
	_, err := reader.Head(t.Context(), repo, "v1")
	must(t, err)
	err = reader.PutManifest(t.Context(), repo, "v2", m)
	if fault.CodeOf(err) != fault.Refused {
		t.Fatalf("%v: want a refusal", err)
	}
	noSecret(t, err)
	for _, want := range []string{host, "promote", "reader", "DENIED"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if hint := fault.HintOf(err); !strings.Contains(hint, "registries → "+host+" → read") || !strings.Contains(hint, "no promote entry") {
		t.Errorf("hint %q does not name the entry", hint)
	}
}

func TestAWrongPasswordIsRefusedWithoutShowingIt(t *testing.T) {
	for name, guard := range map[string]wrap{"basic": basicGuard, "token": newAuthority().guard} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PLIMSOLL_TEST_WRONG", "wrong-"+canary)
			c, _ := client(t, Options{}, config.Registry{Read: &config.Identity{Username: "owner", PasswordEnv: "PLIMSOLL_TEST_WRONG"}})
			_, err := c.Tags(t.Context(), Repository{Host: start(t, guard), Path: "team/app"})
			if fault.CodeOf(err) != fault.Refused {
				t.Fatalf("%v: want a refusal", err)
			}
			noSecret(t, err)
		})
	}
}

func TestWhatAnIdentityLacksIsSaid(t *testing.T) {
	host := start(t, basicGuard)
	for name, tc := range map[string]struct {
		id   *config.Identity
		want string
		code fault.Code
	}{
		"no variable": {&config.Identity{Username: "u", PasswordEnv: "PLIMSOLL_TEST_NOT_SET"}, "PLIMSOLL_TEST_NOT_SET", fault.Usage},
		"azure":       {&config.Identity{Azure: &config.AzureIdentity{Method: "cli"}}, "azure: cli", fault.Usage},
		"aws":         {&config.Identity{AWS: &config.AWSIdentity{Profile: "ro"}}, "is aws", fault.Usage},
		"none":        {nil, "anonymous", fault.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := client(t, Options{}, config.Registry{Read: tc.id})
			_, err := c.Tags(t.Context(), Repository{Host: host, Path: "team/app"})
			if fault.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.want) || fault.HintOf(err) == "" {
				t.Errorf("%v (%d, hint %q)", err, fault.CodeOf(err), fault.HintOf(err))
			}
		})
	}
}

func TestACredentialIsReadOnlyWhenItIsNeeded(t *testing.T) {
	c, _ := client(t, Options{}, config.Registry{Read: &config.Identity{Username: "u", PasswordEnv: "PLIMSOLL_TEST_NOT_SET"}})
	repo := Repository{Host: start(t), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a") // a registry that asks for none
}

func TestDockersCredentialIsUsedForItsHostOnly(t *testing.T) {
	host, other := start(t, basicGuard), start(t, basicGuard)
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", filepath.Join(dir, ".docker"))
	must(t, os.Mkdir(filepath.Join(dir, ".docker"), 0o700))
	auth := base64.StdEncoding.EncodeToString([]byte("owner:" + canary))
	must(t, os.WriteFile(filepath.Join(dir, ".docker", "config.json"),
		fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600))
	c, _ := client(t, Options{}, config.Registry{Read: &config.Identity{Docker: true}})
	pushImage(t, c, Repository{Host: host, Path: "team/app"}, "v1", "a")
	_, err := c.Tags(t.Context(), Repository{Host: other, Path: "team/app"})
	if fault.CodeOf(err) != fault.Refused {
		t.Errorf("%v: want a refusal, nothing is known about that host", err)
	}
	if clean.Redact("x"+canary) != "x"+clean.Masked {
		t.Error("docker's password is not cut out of what is printed")
	}
}

func TestAnIdentityTokenIsExchanged(t *testing.T) {
	a := newAuthority()
	host := start(t, a.guard)
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", filepath.Join(dir, ".docker"))
	must(t, os.Mkdir(filepath.Join(dir, ".docker"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ".docker", "config.json"),
		fmt.Appendf(nil, `{"auths":{%q:{"identitytoken":%q}}}`, host, canary), 0o600))
	c, tr := client(t, Options{}, config.Registry{Read: &config.Identity{Docker: true}})
	pushImage(t, c, Repository{Host: host, Path: "team/app"}, "v1", "a")
	if !slices.ContainsFunc(tr.take(), func(r record) bool { return r.method == TraceToken }) {
		t.Error("the token request was not traced as one")
	}
}

func TestCloseForgetsCredentials(t *testing.T) {
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, basicGuard), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a")
	t.Setenv("PLIMSOLL_TEST_PASSWORD", "")
	_, err := c.Head(t.Context(), repo, "v1")
	must(t, err) // still in memory
	c.Close()
	if _, err = c.Head(t.Context(), repo, "v1"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("%v: want the source to be asked again", err)
	}
}

func TestAHostileRealmGetsNoCredential(t *testing.T) {
	thief := newAuthority()
	elsewhere := serve(t, http.HandlerFunc(thief.token))
	a := newAuthority()
	a.realm = "http://" + elsewhere + "/token"
	host := start(t, a.guard)
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	_, err := c.Tags(t.Context(), Repository{Host: host, Path: "team/app"})
	if len(thief.requests()) != 0 {
		t.Fatalf("the other host was asked: %q", thief.basic)
	}
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "auth-host: "+elsewhere) {
		t.Errorf("%v, hint %q: want the remedy", err, fault.HintOf(err))
	}
}

func TestAnAuthHostThatIsNamedGetsTheCredential(t *testing.T) {
	a := newAuthority()
	elsewhere := serve(t, http.HandlerFunc(a.token))
	a.realm = "http://" + elsewhere + "/token"
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner"), AuthHost: elsewhere})
	pushImage(t, c, Repository{Host: start(t, a.guard), Path: "team/app"}, "v1", "a")
}

func TestAnonymousTokensMayComeFromAnotherHost(t *testing.T) {
	a := newAuthority()
	owner, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, a.guard), Path: "team/app"}
	pushImage(t, owner, repo, "v1", "a")
	a.realm = "http://" + serve(t, http.HandlerFunc(a.token)) + "/token"
	c, _ := anonymous(t)
	_, err := c.Head(t.Context(), repo, "v1")
	must(t, err)
	if last := a.basic[len(a.basic)-1]; last != "" {
		t.Errorf("sent %q", last)
	}
}

func TestARedirectGetsNoCredential(t *testing.T) {
	var mu sync.Mutex
	var leaked []string
	_, blob := image(t, "a")
	cdn := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		leaked = append(leaked, r.Header.Get("Authorization"))
		_, _ = w.Write(blob)
	}))
	redirect := before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://"+cdn+"/blob?signature="+canary, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	c, tr := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, redirect, basicGuard), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	raw, err := c.Blob(t.Context(), repo, configOf(t, m), MaxConfig)
	must(t, err)
	if string(raw) != string(blob) {
		t.Error("wrong bytes")
	}
	if !slices.Equal(leaked, []string{""}) {
		t.Errorf("the other host got %q", leaked)
	}
	for _, r := range tr.take() {
		if strings.Contains(r.url, canary) {
			t.Errorf("the trace shows a signed query: %s", r.url)
		}
	}
}

func TestAChallengeMayNotWidenTheScope(t *testing.T) {
	in := pull(Repository{Host: "h", Path: "team/app"})
	for scope, want := range map[string]string{
		"repository:team/app:pull":                 "repository:team/app:pull",
		"repository:team/app:pull,push":            "repository:team/app:pull",
		"registry:catalog:*":                       "repository:team/app:pull",
		"repository:remote/team/app:pull":          "repository:remote/team/app:pull repository:team/app:pull",
		"repository:remote/team/app:pull,delete":   "repository:team/app:pull",
		"repository:remote/team/app:pull,push":     "repository:team/app:pull",
		"repository:../etc:pull repository:x:push": "repository:team/app:pull",
	} {
		got := scopeKey(in.wanted(&challenge{params: map[string]string{"scope": scope}}))
		if got != want {
			t.Errorf("%s: %s, want %s", scope, got, want)
		}
	}
}

func TestAMountAsksToReadItsSource(t *testing.T) {
	target := Repository{Host: "h", Path: "prod/app"}
	got := push(target, Repository{Host: "h", Path: "staging/app"}, Repository{Host: "other", Path: "x"}).scopes()
	if want := []string{"repository:prod/app:pull,push", "repository:staging/app:pull"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestABodyThatCannotBeReadAgainIsSentOnce(t *testing.T) {
	a := newAuthority()
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, a.guard), Path: "team/app"}
	upload := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(repo, "blobs/uploads/"), io.NopCloser(strings.NewReader("")))
		must(t, err)
		resp, err := c.do(t.Context(), push(repo), req)
		if err == nil {
			discard(resp)
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("status %d", resp.StatusCode)
			}
		}
		return err
	}
	must(t, upload()) // the host was asked first how it wants to be asked
	a.revoke()
	if err := upload(); !errors.Is(err, errRestart) {
		t.Fatalf("%v: want to be told to start again", err)
	}
	must(t, upload())
}

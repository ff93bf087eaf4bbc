package registry

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func FuzzNextLink(f *testing.F) {
	for _, s := range []string{
		`</v2/x/tags/list?last=b&n=1>; rel="next"`, `<a>; rel=prev, <b>; rel=next`, `<?page=2>;foo="a,b;c";rel="x NEXT"`,
		`<a`, `<>`, `;;;`, `<a>; rel="`, `<a>;rel`, `, ,<a>;=;rel=next`,
	} {
		f.Add(s)
	}
	c := New(Options{})
	f.Cleanup(c.Close)
	list := listing{repo: Repository{Host: "reg.example.com", Path: "x"}, what: "list"}
	f.Fuzz(func(t *testing.T, s string) {
		if target := nextLink([]string{s}); !strings.Contains(s, "<"+target+">") && target != "" {
			t.Errorf("%q is not in %q", target, s)
		}
		next, err := c.nextPage(list, "https://reg.example.com/v2/x/tags/list", http.Header{"Link": {s}})
		if err != nil || next == "" {
			return
		}
		u, err := url.Parse(next)
		if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Hostname(), "reg.example.com") {
			t.Errorf("%q leads to %q", s, next)
		}
	})
}

func FuzzChallenges(f *testing.F) {
	for _, s := range []string{
		`Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"`, `Basic realm="a", Bearer realm=b`,
		`Bearer realm="a\"b"`, `Bearer realm="`, `=,=`, `Negotiate abc==, Basic`, "Bearer\x00realm",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range parseChallenges(s) {
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) || c.params == nil {
				t.Errorf("%q: %+v", s, c)
			}
		}
		challenged(&http.Response{Header: http.Header{"Www-Authenticate": {s}}})
	})
}

func FuzzParseRepository(f *testing.F) {
	for _, s := range []string{"localhost:5000/a", "reg.example.com/a/b", "[::1]:5000/x", "a@b.com/x", "b.com:x@evil.com/y", "b.com?/x", "b.com/../x", "b.com/A", "[0]:0/0"} {
		f.Add(s)
	}
	c := New(Options{})
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRepository(s)
		if err != nil {
			return
		}
		if r.String() != s {
			t.Errorf("%q became %q", s, r)
		}
		u, err := url.Parse(c.url(r, "tags/list"))
		if err != nil {
			t.Fatalf("%q makes no URL: %v", s, err)
		}
		if !dockerHub[r.Host] && u.Host != r.Host || u.User != nil || u.RawQuery != "" || u.Path != "/v2/"+r.Path+"/tags/list" {
			t.Errorf("%q makes %q", s, u)
		}
	})
}

func TestEveryChallengeThatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[ -~]{0,20}`)
		want := map[string]string{}
		for _, name := range []string{"realm", "service", "scope"} {
			want[name] = value.Draw(t, name)
		}
		quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		header := "Bearer"
		sep := " "
		for name, v := range want {
			header += sep + name + "=" + quote(v)
			sep = ","
		}
		got := parseChallenges(`Basic realm="x", ` + header)
		if len(got) != 2 || got[1].scheme != "bearer" {
			t.Fatalf("%s: %+v", header, got)
		}
		for name, v := range want {
			if got[1].params[name] != v {
				t.Errorf("%s: %s is %q, want %q", header, name, got[1].params[name], v)
			}
		}
	})
}

package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
)

// methods are the methods of traced requests, in order.
func methods(list []record) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.method)
	}
	return all
}

func TestABlobTakesAsFewRequestsAsTheRegistryAllows(t *testing.T) {
	refuses := func(status int) wrap {
		return before(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !r.URL.Query().Has("digest") {
				return false
			}
			if status != http.StatusAccepted {
				w.WriteHeader(status)
				return true
			}
			r.URL.RawQuery, r.Body = "", http.NoBody // as if it had not been asked
			return false
		})
	}
	for name, tc := range map[string]struct {
		host        string
		first, then []string
	}{
		"whole":   {start(t), []string{"GET", "POST"}, []string{"POST"}},
		"ignores": {start(t, refuses(http.StatusAccepted)), []string{"GET", "POST", "PUT"}, []string{"POST", "PUT"}},
		"refuses": {start(t, refuses(http.StatusBadRequest)), []string{"GET", "POST", "POST", "PUT"}, []string{"POST", "PUT"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, tr := anonymous(t)
			repo := Repository{Host: tc.host, Path: "team/app"}
			must(t, c.PutBlob(t.Context(), repo, []byte("one")))
			if got := methods(tr.take()); !slices.Equal(got, tc.first) {
				t.Errorf("first: %v, want %v", got, tc.first)
			}
			must(t, c.PutBlob(t.Context(), repo, []byte("two")))
			if got := methods(tr.take()); !slices.Equal(got, tc.then) {
				t.Errorf("then: %v, want %v", got, tc.then)
			}
			must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
			tr.take()
			must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
			if got := methods(tr.take()); !slices.Equal(got, []string{"HEAD"}) {
				t.Errorf("the empty configuration that is there: %v", got)
			}
		})
	}
}

func TestAnUploadElsewhereGetsNoCredential(t *testing.T) {
	var mu sync.Mutex
	leaked := map[string]string{}
	store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		leaked[r.Method] = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusCreated)
	}))
	sends := before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Location", "http://"+store+"/upload?session=1")
		w.WriteHeader(http.StatusAccepted)
		return true
	})
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	repo := Repository{Host: start(t, sends, basicGuard), Path: "team/app"}
	must(t, c.PutBlob(t.Context(), repo, []byte("one")))
	must(t, c.CanPush(t.Context(), repo))
	if len(leaked) != 2 || leaked["PUT"] != "" || leaked["DELETE"] != "" {
		t.Errorf("the other host got %q", leaked)
	}
}

func TestARedirectOnTheSameHostKeepsTheCredential(t *testing.T) {
	moves := before(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v2/old/") {
			return false
		}
		http.Redirect(w, r, strings.Replace(r.URL.Path, "/v2/old/", "/v2/team/", 1), http.StatusPermanentRedirect)
		return true
	})
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	host := start(t, moves, basicGuard)
	m := pushImage(t, c, Repository{Host: host, Path: "team/app"}, "v1", "a")
	got, err := c.Manifest(t.Context(), Repository{Host: host, Path: "old/app"}, "v1")
	must(t, err)
	if got.Descriptor.Digest != m.Descriptor.Digest {
		t.Errorf("%+v", got.Descriptor)
	}
	d, err := c.Head(t.Context(), Repository{Host: host, Path: "old/app"}, "v1")
	must(t, err)
	if d.Digest != m.Descriptor.Digest {
		t.Errorf("%+v", d)
	}
}

func TestRedirectsEnd(t *testing.T) {
	n := 0
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		http.Redirect(w, r, fmt.Sprintf("/%d", n), http.StatusFound)
	})
	c, _ := anonymous(t)
	if _, err := c.Tags(t.Context(), repo); err == nil || !strings.Contains(err.Error(), "10 redirects") {
		t.Errorf("%v", err)
	}
}

func TestAProxyThatHidesTLSIsUnderstood(t *testing.T) {
	resp := &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{"Location": {"http://reg.example.com/v2/x/blobs/uploads/1"}}}
	resp.Request = httptest.NewRequest(http.MethodPost, "https://reg.example.com/v2/x/blobs/uploads/", nil)
	u, err := location(resp)
	must(t, err)
	if u.Scheme != "https" {
		t.Errorf("%s: a credential would go out in the clear", u)
	}
	c := New(Options{})
	defer c.Close()
	list := listing{repo: Repository{Host: "reg.example.com", Path: "x"}}
	next, err := c.nextPage(list, "https://reg.example.com/v2/x/tags/list", http.Header{"Link": {`<http://reg.example.com/v2/x/tags/list?last=a>; rel="next"`}})
	must(t, err)
	if next != "https://reg.example.com/v2/x/tags/list?last=a" {
		t.Errorf("%s", next)
	}
}

func TestABusyTokenServiceIsAskedAgain(t *testing.T) {
	left := 2
	a := newAuthority()
	busy := before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" || left == 0 {
			return false
		}
		left--
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	c, _ := client(t, Options{}, config.Registry{Read: user(t, "owner")})
	pushImage(t, c, Repository{Host: start(t, a.guard, busy), Path: "team/app"}, "v1", "a")
}

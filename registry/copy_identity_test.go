package registry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

func TestCopyGoesOnWhenTheTokenEndsMidway(t *testing.T) {
	for _, size := range []int64{small, large} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var issued, epoch atomic.Int32
			expire := times(2)
			bearer := func(s *scene, w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					_ = json.NewEncoder(w).Encode(map[string]any{"token": fmt.Sprint("token-", epoch.Load()), "expires_in": 3600})
					issued.Add(1)
					return true
				}
				if s.writes(r) && expire() {
					epoch.Add(1) // the tokens that the client holds are worth nothing from now on
				}
				if r.Header.Get("Authorization") == fmt.Sprint("Bearer token-", epoch.Load()) {
					return false
				}
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="prod",scope="repository:prod/app:pull,push"`, r.Host))
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			s := newScene(t, size, nil, bearer)
			t.Setenv("COPY_TEST_PASSWORD", "s3cret-word")
			owner := &config.Identity{Username: "owner", PasswordEnv: "COPY_TEST_PASSWORD"}
			s.request.To = registry.Impatient(registrytest.Client(t, config.Registry{Host: s.target.Host, PlainHTTP: true, Listed: true, Read: owner, Promote: owner}))
			s.client = s.request.To
			_, err := registry.Copy(t.Context(), s.request)
			s.arrived(t, err)
			if issued.Load() < 3 {
				t.Errorf("only %d tokens were issued", issued.Load())
			}
		})
	}
}

func TestCopyStopsAtARefusalAndSaysWhose(t *testing.T) {
	s := newScene(t, small, nil, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
		if s.writes(r) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	_, err := registry.Copy(t.Context(), s.request)
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), s.target.Host) || fault.HintOf(err) == "" {
		t.Errorf("it says %v, hint %q", err, fault.HintOf(err))
	}
	s.absent(t)
}

func TestCopyGivesTheCredentialToNoOtherHost(t *testing.T) {
	elsewhere := &requests{}
	var seen sync.Map
	other := registrytest.Embedded(t, embedded.Options{Wrap: func(next http.Handler) http.Handler {
		return elsewhere.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := r.Header.Get("Authorization"); a != "" {
				seen.Store(a, true)
			}
			next.ServeHTTP(w, r)
		}))
	}})
	s := newScene(t, small, nil, func(_ *scene, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="prod"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if r.Method == http.MethodPost {
			req, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+other+r.URL.Path, nil)
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			place, _ := resp.Location()
			w.Header().Set("Location", place.String())
			w.WriteHeader(http.StatusAccepted)
			return true
		}
		return false
	})
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	t.Setenv("COPY_TEST_PASSWORD", "s3cret-word")
	owner := &config.Identity{Username: "owner", PasswordEnv: "COPY_TEST_PASSWORD"}
	s.request.To = registry.Impatient(registrytest.Client(t, config.Registry{Host: s.target.Host, PlainHTTP: true, Listed: true, Read: owner, Promote: owner}))
	_, err := registry.Copy(t.Context(), s.request)
	if err == nil || elsewhere.count(http.MethodPut, "/blobs/uploads/") == 0 {
		t.Errorf("%v, %d uploads elsewhere", err, elsewhere.count(http.MethodPut, "/blobs/uploads/"))
	}
	seen.Range(func(k, _ any) bool { t.Errorf("the other host saw %v", k); return true })
}

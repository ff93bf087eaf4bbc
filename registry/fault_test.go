package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// configOf is the descriptor of a manifest's configuration.
func configOf(t testing.TB, m Manifest) ocispec.Descriptor {
	t.Helper()
	var body ocispec.Manifest
	must(t, json.Unmarshal(m.Raw, &body))
	return body.Config
}

// answers serves the same answer to every request.
func answers(t testing.TB, h http.HandlerFunc) Repository {
	t.Helper()
	return Repository{Host: serve(t, h), Path: "team/app"}
}

func TestBytesThatTheirDigestDoesNotNameAreRefused(t *testing.T) {
	m, _ := image(t, "a")
	other, _ := image(t, "b")
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", m.Descriptor.MediaType)
		w.Header().Set("Docker-Content-Digest", m.Descriptor.Digest.String())
		_, _ = w.Write(other.Raw)
	})
	c, _ := anonymous(t)
	_, byTag := c.Manifest(t.Context(), repo, "v1")
	_, byDigest := c.Manifest(t.Context(), repo, m.Descriptor.Digest.String())
	_, head := c.Head(t.Context(), repo, other.Descriptor.Digest.String())
	_, blob := c.Blob(t.Context(), repo, ocispec.Descriptor{Digest: m.Descriptor.Digest, Size: int64(len(other.Raw))}, MaxConfig)
	for _, err := range []error{byTag, byDigest, head, blob} {
		if !errors.Is(err, ErrMismatch) {
			t.Errorf("%v: want a mismatch", err)
		}
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c, _ := anonymous(t)
	_, manifest := c.Manifest(t.Context(), repo, "v1")
	_, tags := c.Tags(t.Context(), repo)
	_, referrers := c.Referrers(t.Context(), repo, digest.FromString("x"), []string{})
	_, blob := c.Blob(t.Context(), repo, ocispec.Descriptor{Digest: digest.FromString("x"), Size: 5}, MaxConfig)
	_, big := c.Blob(t.Context(), repo, ocispec.Descriptor{Digest: digest.FromString("x"), Size: MaxConfig + 1}, MaxConfig)
	for limit, err := range map[string]error{"4.0 MiB": manifest, "8.0 MiB": tags, "the 8.0 MiB": referrers, "5 B": blob, "8.0 MiB ": big} {
		if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), strings.TrimSpace(limit)) {
			t.Errorf("%v: want the limit %s", err, limit)
		}
	}
}

func TestASlowAnswerIsALimit(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c, _ := anonymous(t)
	req, err := request(t.Context(), http.MethodGet, c.url(repo, "tags/list"), nil)
	must(t, err)
	resp, err := c.exchange(t.Context(), pull(repo), req, 50*time.Millisecond)
	must(t, err)
	_, err = readBody(resp, 10, "the list")
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "15s") {
		t.Errorf("%v: want the limit of time", err)
	}
}

func TestBusyServersAreAskedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		header string
	}{"429": {429, "0"}, "503": {503, ""}, "500": {500, ""}, "hang up": {0, ""}} {
		t.Run(name, func(t *testing.T) {
			var left atomic.Int32
			busy := before(func(w http.ResponseWriter, _ *http.Request) bool {
				if left.Add(-1) < 0 {
					return false
				}
				if tc.status == 0 {
					panic(http.ErrAbortHandler)
				}
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				w.WriteHeader(tc.status)
				return true
			})
			c, _ := anonymous(t)
			repo := Repository{Host: start(t, busy), Path: "team/app"}
			m := pushImage(t, c, repo, "v1", "a")
			left.Store(3)
			_, err := c.Head(t.Context(), repo, "v1")
			must(t, err)
			left.Store(3)
			must(t, c.PutManifest(t.Context(), repo, m.Descriptor.Digest.String(), m))
		})
	}
}

func TestATagIsNotWrittenLate(t *testing.T) {
	var sent atomic.Int32
	var status atomic.Int32
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			sent.Add(1)
			w.WriteHeader(int(status.Load()))
		}
	})
	c, _ := anonymous(t)
	m, _ := image(t, "a")
	for want, s := range map[int32]int{1: 500, 3: 429} {
		sent.Store(0)
		status.Store(int32(s))
		if err := c.PutManifest(t.Context(), repo, "live", m); err == nil {
			t.Fatal("no error")
		}
		if sent.Load() != want {
			t.Errorf("%d: sent %d times, want %d", s, sent.Load(), want)
		}
	}
}

func TestRetryAfterIsHonouredAndBounded(t *testing.T) {
	for header, want := range map[string]string{"7": "7s", "3600": ""} {
		repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		c, _ := anonymous(t)
		var waits []string
		c.sleep = func(_ context.Context, d time.Duration) error {
			waits = append(waits, d.String())
			return nil
		}
		_, err := c.Tags(t.Context(), repo)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != http.StatusTooManyRequests || fault.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
		if want == "" && len(waits) != 0 || want != "" && (len(waits) != 5 || waits[0] != want) {
			t.Errorf("Retry-After %s: waits %v", header, waits)
		}
	}
}

func TestCancellingEndsAWaitAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the person pressed escape")
	repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "25")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c, _ := anonymous(t)
	real := c.sleep
	c.sleep = func(ctx context.Context, d time.Duration) error {
		cancel(why)
		return real(ctx, d)
	}
	start := time.Now()
	_, err := c.Tags(ctx, repo)
	if !errors.Is(err, why) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestACutAnswerIsReadAgain(t *testing.T) {
	var broken atomic.Bool
	cutOff := before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !broken.CompareAndSwap(true, false) {
			return false
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	c, _ := anonymous(t)
	repo := Repository{Host: start(t, cutOff), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a")
	broken.Store(true)
	_, err := c.Manifest(t.Context(), repo, "v1")
	must(t, err)
}

func TestReadOnlySendsNoWrite(t *testing.T) {
	var asked atomic.Int32
	repo := answers(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	c, _ := client(t, Options{ReadOnly: true}, config.Registry{})
	m, _ := image(t, "a")
	e := statement(t, m.Descriptor, "x")
	for _, err := range []error{
		c.PutManifest(t.Context(), repo, "v1", m), c.PutBlob(t.Context(), repo, []byte("x")),
		c.Attach(t.Context(), repo, e), c.CanPush(t.Context(), repo),
	} {
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("%v: want a refusal of our own", err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests were sent", asked.Load())
	}
}

func TestHeadWithoutADigestReadsTheManifest(t *testing.T) {
	m, _ := image(t, "a")
	for name, h := range map[string]http.HandlerFunc{
		"no header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", m.Descriptor.MediaType)
			_, _ = w.Write(m.Raw)
		},
		"no HEAD": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = w.Write(m.Raw)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := anonymous(t)
			d, err := c.Head(t.Context(), answers(t, h), "v1")
			must(t, err)
			if d.Digest != m.Descriptor.Digest || d.MediaType != m.Descriptor.MediaType || d.Size != m.Descriptor.Size {
				t.Errorf("%+v, want %+v", d, m.Descriptor)
			}
		})
	}
}

func TestAManifestThatReadersWouldReadDifferentlyIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ kind, body string }{
		"two types":   {ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","config":{},"layers":[]}`},
		"both":        {ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"manifests":[],"layers":[]}`},
		"other body":  {ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"config":{},"layers":[]}`},
		"no manifest": {"text/html", `{"hello":1}`},
		"no JSON":     {ocispec.MediaTypeImageManifest, `<html>`},
		"schema 1":    {"application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := anonymous(t)
			repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.kind)
				_, _ = io.WriteString(w, tc.body)
			})
			if m, err := c.Manifest(t.Context(), repo, "v1"); err == nil {
				t.Errorf("read as %+v", m.Descriptor)
			}
		})
	}
}

func TestPagesDoNotLeaveTheHostNorGoInCircles(t *testing.T) {
	var other atomic.Int32
	elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	for link, want := range map[string]string{
		`<http://` + elsewhere + `/v2/team/app/tags/list>; rel="next"`: "another host",
		`</v2/team/app/tags/list?n=1000>; rel="next"`:                  "circle",
	} {
		c, _ := anonymous(t)
		repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", link)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		})
		if _, err := c.Tags(t.Context(), repo); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", link, err)
		}
	}
	if other.Load() != 0 {
		t.Error("the other host was asked")
	}
}

func TestTooManyPagesAreALimit(t *testing.T) {
	var n atomic.Int32
	repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`</v2/team/app/tags/list?last=%d>; rel=next`, n.Add(1)))
		_, _ = io.WriteString(w, `{"tags":[]}`)
	})
	c, _ := anonymous(t)
	if _, err := c.Tags(t.Context(), repo); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "1000 pages") {
		t.Errorf("%v", err)
	}
	if n.Load() != MaxTagPages {
		t.Errorf("%d pages read", n.Load())
	}
}

func TestASmallerPageIsAskedForWhereTheRegistryWantsIt(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("n") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"tags":["a","b","a","not a tag"]}`)
	})
	c, _ := anonymous(t)
	tags, err := c.Tags(t.Context(), repo)
	must(t, err)
	if strings.Join(tags, " ") != "a b" {
		t.Errorf("%v", tags)
	}
}

func TestUnreachableRegistriesSayWhatToLookAt(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	closed := listener.Addr().String()
	must(t, listener.Close())
	plain := serve(t, http.NotFoundHandler())
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = quiet
	tls.StartTLS()
	t.Cleanup(tls.Close)

	for name, tc := range map[string]struct{ host, want string }{
		"nothing listens":   {closed, "nothing listens"},
		"http":              {plain, "plain-http: true"},
		"unknown authority": {strings.TrimPrefix(tls.URL, "https://"), "ca: FILE"},
		"unknown name":      {"no-such-host.invalid", "spelling"},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{Registries: func(h string) config.Registry { return config.Registry{Host: h, Listed: true} }})
			defer c.Close()
			_, err := c.Tags(t.Context(), Repository{Host: tc.host, Path: "team/app"})
			if err == nil || !strings.Contains(err.Error(), tc.host) || !strings.Contains(fault.HintOf(err), tc.want) {
				t.Errorf("%v, hint %q: want %q", err, fault.HintOf(err), tc.want)
			}
		})
	}
}

func TestAPrivateAuthorityIsTrustedWhereItIsConfigured(t *testing.T) {
	server := httptest.NewUnstartedServer(olaregHandler(t, true))
	server.EnableHTTP2, server.Config.ErrorLog = true, quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pemOf(server.Certificate().Raw)
	c := New(Options{Registries: func(h string) config.Registry { return config.Registry{Host: h, CA: ca, Listed: true} }})
	t.Cleanup(c.Close)
	repo := Repository{Host: strings.TrimPrefix(server.URL, "https://"), Path: "team/app"}
	pushImage(t, c, repo, "v1", "a")
	req, err := request(t.Context(), http.MethodGet, c.url(repo, "tags/list"), nil)
	must(t, err)
	resp, err := c.do(t.Context(), pull(repo), req)
	must(t, err)
	discard(resp)
	if resp.ProtoMajor != 2 {
		t.Errorf("spoke %s, want HTTP/2", resp.Proto)
	}
}

func TestTheClockOfTheRegistryIsCompared(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"tags":[]}`)
	})
	c, _ := anonymous(t)
	if _, known := c.Skew(repo.Host); known {
		t.Error("known before any answer")
	}
	_, err := c.Tags(t.Context(), repo)
	must(t, err)
	skew, known := c.Skew(repo.Host)
	if off := skew - time.Hour; !known || off > 2*time.Second || off < -2*time.Second {
		t.Errorf("skew %v %v, want an hour", skew, known)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(olaregHandler(t, true))
	server.Config.ErrorLog = quiet
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c, _ := anonymous(t)
	repo := Repository{Host: strings.TrimPrefix(server.URL, "http://"), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	for range 20 {
		_, err := c.Head(t.Context(), repo, "v1")
		must(t, err)
		_, err = c.Manifest(t.Context(), repo, m.Descriptor.Digest.String())
		must(t, err)
		if _, err = c.Head(t.Context(), repo, "v2"); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	if opened.Load() != 1 {
		t.Errorf("%d connections, want 1", opened.Load())
	}
}

func TestRedirectsGoToNoForbiddenPlace(t *testing.T) {
	for target, ok := range map[string]bool{
		"https://cdn.example.com/x": true, "https://10.0.0.5/x": true, "https://reg.example.com/y": true,
		"http://cdn.example.com/x": false, "https://169.254.169.254/latest": false, "https://127.0.0.1/x": false,
		"https://localhost:8443/x": false, "https://[fe80::1]/x": false, "https://[::ffff:169.254.169.254]/": false,
		"file:///etc/passwd": false, "https://user:pw@cdn.example.com/": false,
	} {
		resp := &http.Response{StatusCode: 307, Header: http.Header{"Location": {target}}}
		resp.Request = httptest.NewRequest(http.MethodGet, "https://reg.example.com/v2/x/blobs/y", nil)
		if _, err := location(resp); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed %v", target, err, ok)
		}
	}
}

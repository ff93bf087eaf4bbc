package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// meddle answers a request itself and returns true, or leaves it to the registry.
type meddle func(s *scene, w http.ResponseWriter, r *http.Request) bool

// scene is an image in staging that is to be copied to prod.
type scene struct {
	client         *registry.Client
	source, target registry.Repository
	image          embedded.Built
	layer          ocispec.Descriptor // its largest
	request        registry.CopyRequest
	asked          requests // of prod
}

// Layers over 16 MiB are sent by PATCH and PUT, smaller ones by PUT alone.
const (
	small = 2 << 20
	large = 20 << 20
)

// newScene puts the image into staging, then lets both registries be meddled with.
func newScene(t *testing.T, size int64, staging, prod meddle) *scene {
	t.Helper()
	s := &scene{client: registry.Impatient(registrytest.Client(t))}
	var on atomic.Bool
	wrap := func(m meddle) embedded.Options {
		return embedded.Options{Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if m == nil || !on.Load() || !m(s, w, r) {
					next.ServeHTTP(w, r)
				}
			})
		}}
	}
	withCount := wrap(prod)
	meddled := withCount.Wrap
	withCount.Wrap = func(next http.Handler) http.Handler { return s.asked.wrap(meddled(next)) }
	s.source = at(registrytest.Embedded(t, wrap(staging)), "staging/app")
	s.target = at(registrytest.Embedded(t, withCount), "prod/app")
	s.image = build(t, platform("amd64", false, file(1, size, embedded.Plain), file(2, 1000, embedded.Gzip)))
	s.layer = s.image.Blobs[0].Descriptor
	must(t, s.image.Push(t.Context(), s.client, s.source))
	s.request = registry.Hurried(registry.CopyRequest{
		From: s.client, Source: s.source, To: s.client, Target: s.target, Root: s.image.Descriptor().Digest,
	}, 10*time.Second)
	on.Store(true)
	return s
}

// arrived checks that prod is whole.
func (s *scene) arrived(t *testing.T, err error) {
	t.Helper()
	must(t, err)
	must(t, registry.Complete(t.Context(), s.client, s.target, s.request.Root))
}

// absent checks that neither the layer nor the image is in prod.
func (s *scene) absent(t *testing.T) {
	t.Helper()
	if there, err := s.client.HasBlob(t.Context(), s.target, s.layer.Digest); there || err != nil {
		t.Errorf("the layer is in prod: %t, %v", there, err)
	}
	if _, err := s.client.Manifest(t.Context(), s.target, s.request.Root.String()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the image in prod: %v", err)
	}
}

// reads tells whether r asks for the bytes of the largest layer.
func (s *scene) reads(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/blobs/"+s.layer.Digest.String())
}

// writes tells whether r brings the bytes of the largest layer.
func (s *scene) writes(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/blobs/uploads/") && r.ContentLength == s.layer.Size
}

// send answers with the header of a blob and the given bytes of it.
func send(w http.ResponseWriter, size int64, part []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(size))
	_, _ = w.Write(part)
	_ = http.NewResponseController(w).Flush()
}

// hangUp breaks the connection.
func hangUp() { panic(http.ErrAbortHandler) }

// times returns a function that is true for the first n calls.
func times(n int32) func() bool {
	var calls atomic.Int32
	return func() bool { return calls.Add(1) <= n }
}

func TestCopyStartsALayerAgainWhenItsConnectionBreaks(t *testing.T) {
	for _, size := range []int64{small, large} {
		t.Run(fmt.Sprint("reading ", size), func(t *testing.T) {
			t.Parallel()
			now := times(2)
			s := newScene(t, size, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
				if s.reads(r) && now() {
					send(w, s.layer.Size, make([]byte, size/2))
					hangUp()
				}
				return false
			}, nil)
			_, err := registry.Copy(t.Context(), s.request)
			s.arrived(t, err)
		})
		t.Run(fmt.Sprint("writing ", size), func(t *testing.T) {
			t.Parallel()
			now := times(2)
			s := newScene(t, size, nil, func(s *scene, _ http.ResponseWriter, r *http.Request) bool {
				if s.writes(r) && now() {
					_, _ = io.CopyN(io.Discard, r.Body, size/2)
					hangUp()
				}
				return false
			})
			_, err := registry.Copy(t.Context(), s.request)
			s.arrived(t, err)
		})
	}
}

func TestCopyGivesUpAfterFourTries(t *testing.T) {
	var n atomic.Int32
	s := newScene(t, small, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
		if s.reads(r) {
			n.Add(1)
			send(w, s.layer.Size, make([]byte, 1000))
			hangUp()
		}
		return false
	}, nil)
	_, err := registry.Copy(t.Context(), s.request)
	if err == nil || n.Load() != 4 || !strings.Contains(err.Error(), "given up after 4 tries") || !strings.Contains(err.Error(), s.layer.Digest.String()) {
		t.Errorf("%d reads, then %v", n.Load(), err)
	}
	s.absent(t)
}

func TestCopyNeverFinishesABlobOfWrongBytes(t *testing.T) {
	wrong := map[string]func(s *scene) (size int64, bytes []byte){
		"other bytes":      func(s *scene) (int64, []byte) { return s.layer.Size, make([]byte, s.layer.Size) },
		"longer":           func(s *scene) (int64, []byte) { return s.layer.Size + 1, make([]byte, s.layer.Size+1) },
		"shorter":          func(s *scene) (int64, []byte) { return s.layer.Size - 1, make([]byte, s.layer.Size-1) },
		"without a length": func(s *scene) (int64, []byte) { return -1, make([]byte, s.layer.Size+1) },
	}
	for name, answer := range wrong {
		for _, size := range []int64{small, large} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				t.Parallel()
				var whole atomic.Int32 // what a registry that checks nothing would have taken for a blob
				s := newScene(t, size, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
					if !s.reads(r) {
						return false
					}
					n, bytes := answer(s)
					if n >= 0 {
						w.Header().Set("Content-Length", fmt.Sprint(n))
					}
					_, _ = w.Write(bytes)
					return true
				}, func(s *scene, _ http.ResponseWriter, r *http.Request) bool {
					if s.writes(r) {
						var got bytes.Buffer
						if n, _ := got.ReadFrom(r.Body); n == s.layer.Size {
							whole.Add(1)
						}
						r.Body = io.NopCloser(&got)
					}
					return false
				})
				_, err := registry.Copy(t.Context(), s.request)
				if !errors.Is(err, registry.ErrMismatch) || whole.Load() != 0 {
					t.Errorf("%v; %d uploads were whole", err, whole.Load())
				}
				s.absent(t)
			})
		}
	}
}

func TestCopyRefusesAManifestOfWrongBytes(t *testing.T) {
	s := newScene(t, small, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		_, _ = w.Write(bytes.Replace(s.image.Root.Raw, []byte("sha256:"), []byte("sha256: "), 1))
		return true
	}, nil)
	if _, err := registry.Copy(t.Context(), s.request); !errors.Is(err, registry.ErrMismatch) {
		t.Errorf("it says %v", err)
	}
	s.absent(t)
}

func TestCopyRefusesABlobInProdOfAnotherSize(t *testing.T) {
	s := newScene(t, small, nil, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodHead {
			return false
		}
		w.Header().Set("Content-Length", "7")
		return true
	})
	if _, err := registry.Copy(t.Context(), s.request); !errors.Is(err, registry.ErrMismatch) {
		t.Errorf("it says %v", err)
	}
}

func TestCopyGoesOnWhereTheLastOneEnded(t *testing.T) {
	refuse := times(1)
	s := newScene(t, small, nil, func(_ *scene, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && refuse() {
			w.WriteHeader(http.StatusInsufficientStorage)
			return true
		}
		return false
	})
	if _, err := registry.Copy(t.Context(), s.request); err == nil {
		t.Fatal("a full prod was no error")
	}
	copied, err := registry.Copy(t.Context(), s.request)
	s.arrived(t, err)
	if copied != (registry.Copied{Skipped: 3}) {
		t.Errorf("the second copy did %+v", copied)
	}
}

func TestCopyTriesAServerThatFailsAgain(t *testing.T) {
	fails := times(3)
	s := newScene(t, small, nil, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
		if s.writes(r) && fails() {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	_, err := registry.Copy(t.Context(), s.request)
	s.arrived(t, err)
}

func TestCopySendsNothingTwiceWhenOnlyTheAnswerWasLost(t *testing.T) {
	lose := times(1)
	s := newScene(t, small, nil, nil)
	host := registrytest.Embedded(t, embedded.Options{Wrap: func(next http.Handler) http.Handler {
		return s.asked.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.writes(r) && lose() {
				next.ServeHTTP(nowhere{http.Header{}}, r)
				hangUp()
			}
			next.ServeHTTP(w, r)
		}))
	}})
	s.target.Host, s.request.Target.Host = host, host
	_, err := registry.Copy(t.Context(), s.request)
	s.arrived(t, err)
	if n := s.asked.count("PUT", "/blobs/uploads/"); n != 3 {
		t.Errorf("%d uploads for 3 blobs", n)
	}
}

// nowhere is where a lost answer goes.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

func TestCopySendsTheOtherWayWhereOneIsRefused(t *testing.T) {
	for _, size := range []int64{small, large} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, size, nil, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
				refused := map[int64]string{small: http.MethodPut, large: http.MethodPatch}[size]
				if s.writes(r) && r.Method == refused {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return true
				}
				return false
			})
			_, err := registry.Copy(t.Context(), s.request)
			s.arrived(t, err)
		})
	}
}

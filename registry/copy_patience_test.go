package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/registry"
)

func TestCopyEndsATransferThatStalls(t *testing.T) {
	cases := map[string]struct {
		staging, prod func(s *scene, r *http.Request) bool
	}{
		"reading": {staging: func(s *scene, r *http.Request) bool { return s.reads(r) }},
		"writing": {prod: func(s *scene, r *http.Request) bool { return s.writes(r) }},
	}
	for name, c := range cases {
		for _, forever := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " for ever: ", forever), func(t *testing.T) {
				t.Parallel()
				release := make(chan struct{})
				now := times(1)
				stall := func(which func(*scene, *http.Request) bool, begin func(*scene, http.ResponseWriter)) meddle {
					return func(s *scene, w http.ResponseWriter, r *http.Request) bool {
						if which == nil || !which(s, r) || !forever && !now() {
							return false
						}
						begin(s, w)
						<-release
						return true
					}
				}
				s := newScene(t, large,
					stall(c.staging, func(s *scene, w http.ResponseWriter) { send(w, s.layer.Size, make([]byte, 1000)) }),
					stall(c.prod, func(*scene, http.ResponseWriter) {}))
				t.Cleanup(func() { close(release) }) // before the registries end
				patience := 100 * time.Millisecond
				if !forever {
					patience = 5 * time.Second // the second try has to get through on a busy machine, under the race detector too
				}
				s.request = registry.Hurried(s.request, patience)
				_, err := registry.Copy(t.Context(), s.request)
				if !forever {
					s.arrived(t, err)
					return
				}
				if !errors.Is(err, registry.ErrLimit) || !strings.Contains(err.Error(), "no 64 KiB of progress within 100ms") {
					t.Errorf("it says %v", err)
				}
				s.absent(t)
			})
		}
	}
}

func TestCopyReturnsAtOnceWhenCancelled(t *testing.T) {
	for name, at := range map[string]func(s *scene, r *http.Request) bool{
		"reading a manifest": func(_ *scene, r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") },
		"reading a layer":    func(s *scene, r *http.Request) bool { return s.reads(r) },
	} {
		t.Run(name, func(t *testing.T) {
			reached, release := make(chan struct{}, 10), make(chan struct{})
			s := newScene(t, large, func(s *scene, w http.ResponseWriter, r *http.Request) bool {
				if !at(s, r) {
					return false
				}
				if s.reads(r) {
					send(w, s.layer.Size, make([]byte, 1<<20))
				}
				reached <- struct{}{}
				<-release
				return true
			}, nil)
			t.Cleanup(func() { close(release) })
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("esc was pressed")
			var pressed time.Time
			go func() {
				<-reached
				pressed = time.Now()
				cancel(why)
			}()
			s.request.Report = func(registry.Progress) {}
			_, err := registry.Copy(ctx, s.request)
			if took := time.Since(pressed); !errors.Is(err, why) || took > 100*time.Millisecond {
				t.Errorf("%v after %v", err, took)
			}
			s.absent(t)
		})
	}
}

func TestCopyReportsWithoutWaitingForAnybody(t *testing.T) {
	gate := make(chan struct{})
	s := newScene(t, large, nil, func(_ *scene, _ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			close(gate) // all blobs have moved although nobody took a report
		}
		return false
	})
	var got []registry.Progress
	s.request.Report = func(p registry.Progress) {
		<-gate
		got = append(got, p)
	}
	_, err := registry.Copy(t.Context(), s.request)
	s.arrived(t, err)
	last := got[len(got)-1]
	if last.Bytes != last.Total || last.Moved != last.Total || last.Blob != 3 || len(last.Blobs) != 3 || last.Status == "" {
		t.Errorf("the last report is %+v", last)
	}
	for _, b := range last.Blobs {
		if b.State != registry.BlobCopied || b.Done != b.Total {
			t.Errorf("%+v", b)
		}
	}
}

package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"
)

// Whatever a source sends and in whatever pieces: all bytes of the descriptor
// are handed on if they are the right ones, and never all of them if not.
func TestCheckedHandsAWholeBlobOnOnlyIfItMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "descriptor")
		sent := want
		if rapid.Bool().Draw(t, "other bytes") {
			sent = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "source")
		}
		source := rapid.SampledFrom([]func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		}).Draw(t, "pieces")(bytes.NewReader(sent))
		progress, ended := 0, 0
		c := newChecked(source, ocispec.Descriptor{Digest: digest.FromBytes(want), Size: int64(len(want))},
			func(n int) { progress += n }, func() { ended++ })
		got, err := io.ReadAll(io.LimitReader(c, int64(len(want)))) // as the transport reads
		finished := c.finished()
		if bytes.Equal(sent, want) {
			if err != nil || finished != nil || !bytes.Equal(got, want) || progress != len(want) || ended != 1 {
				t.Fatalf("the right bytes: %v, %v, %d of %d", err, finished, progress, len(want))
			}
			return
		}
		if finished == nil || len(want) > 0 && len(got) == len(want) {
			t.Fatalf("wrong bytes were handed on whole: %v, %d of %d", finished, len(got), len(want))
		}
	})
}

func TestSlotsGoToTheLargestThatWaits(t *testing.T) {
	s := newSlots(1, 0)
	if err := s.acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []int64
	var wait sync.WaitGroup
	for _, size := range []int64{5, 9, 7} {
		wait.Go(func() {
			if err := s.acquire(t.Context(), size); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, size)
			mu.Unlock()
			s.release()
		})
	}
	for n := 0; n < 3; {
		s.mu.Lock()
		n = len(s.waiting)
		s.mu.Unlock()
	}
	s.release()
	wait.Wait()
	if !slices.Equal(order, []int64{9, 7, 5}) {
		t.Errorf("they went in the order %v", order)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.acquire(ended, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a waiter whose copy ended got %v", err)
	}
}

func TestSlotsBecomeMoreWhereStreamsAreSlow(t *testing.T) {
	s := newSlots(1, 1)
	if err := s.acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	waits := []*waiter{s.enter(9), s.enter(5)}
	look := func(speed int64) {
		s.moved.Add(speed)
		s.widen(s.since.Add(time.Second))
	}
	look(slowStream)
	if len(s.waiting) != 2 {
		t.Error("a fast stream got company")
	}
	look(slowStream - 1)
	look(0)
	if len(s.waiting) != 1 || len(waits[0].ready) != 1 {
		t.Errorf("%d wait: the largest alone should go, there is one spare slot", len(s.waiting))
	}
	s.release()
	s.release()
	s.release()
	if s.free != 2 || s.taken != 0 {
		t.Errorf("%d free, %d taken at the end", s.free, s.taken)
	}
}

func TestTheWatchAllowsTimeForCommittingALargeBlob(t *testing.T) {
	limits := copyLimits{open: time.Hour, stall: time.Hour, stallBytes: 10, commit: 1 << 20}
	w := newWatch(&limits, func(error) { t.Error("it gave up") })
	defer w.stop()
	w.progress(0)
	w.progress(5 << 20)
	if w.total != 5<<20 || w.since != 0 {
		t.Errorf("%d bytes, %d since", w.total, w.since)
	}
	w.sent()
}

func FuzzManifestParts(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../../x","size":-1}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Manifest{Raw: raw}.parts()
		if err != nil {
			return
		}
		for _, d := range slices.Concat(p.manifests, p.blobs) {
			if d.Digest.Validate() != nil || d.Size < 0 {
				t.Errorf("it lets %q of %d bytes pass", d.Digest, d.Size)
			}
		}
	})
}

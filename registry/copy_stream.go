package registry

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// cancelledLimit is the time for cleaning up when the caller waits to get away.
const cancelledLimit = 50 * time.Millisecond

// checked hands the bytes of a blob on and hashes them. The last ones are
// handed on only after all matched the descriptor: as the request announces
// the full length, a registry can never take a wrong blob for a whole one.
type checked struct {
	source   io.Reader
	d        ocispec.Descriptor
	hash     hash.Hash
	left     int64
	progress func(n int)
	sent     func() // called once, when the last byte was read

	// The transport may read on for a moment after its request was answered, so
	// these are all that others look at.
	ok     atomic.Bool           // all was read and matched
	failed atomic.Pointer[error] // why reading ended early
}

func newChecked(source io.Reader, d ocispec.Descriptor, progress func(int), sent func()) *checked {
	return &checked{source: source, d: d, hash: d.Digest.Algorithm().Hash(), progress: progress, sent: sent, left: d.Size}
}

// Read reads on, at most to the size of the descriptor.
func (c *checked) Read(p []byte) (int, error) {
	if err := c.failed.Load(); err != nil {
		return 0, *err
	}
	if c.left == 0 {
		return 0, c.end()
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.hash.Write(p[:n])
	c.left -= int64(n)
	if n > 0 {
		c.progress(n)
	}
	switch {
	case c.left == 0:
		if end := c.end(); !errors.Is(end, io.EOF) {
			return 0, end // the last bytes are held back
		}
		err = nil
	case errors.Is(err, io.EOF):
		err = c.fail(fmt.Errorf("it ended %d bytes early: %w", c.left, io.ErrUnexpectedEOF))
	case err != nil:
		err = c.fail(err)
	}
	return n, err
}

// end checks what was read, once, and returns io.EOF or what is wrong.
func (c *checked) end() error {
	if c.ok.Load() {
		return io.EOF
	}
	if got := digest.NewDigest(c.d.Digest.Algorithm(), c.hash); got != c.d.Digest {
		return c.fail(fmt.Errorf("its bytes are %s: %w", got, ErrMismatch))
	}
	var more [1]byte
	if n, _ := io.ReadFull(c.source, more[:]); n > 0 {
		return c.fail(fmt.Errorf("it is longer than the %d bytes of its descriptor: %w", c.d.Size, ErrMismatch))
	}
	c.ok.Store(true)
	c.sent()
	return io.EOF
}

func (c *checked) fail(err error) error {
	err = sourceError{err}
	c.failed.Store(&err)
	return err
}

// finished is nil if all bytes were read and matched.
func (c *checked) finished() error {
	if c.d.Size == 0 { // nobody reads what is empty
		_ = c.end()
	}
	if err := c.failed.Load(); err != nil {
		return *err
	}
	if !c.ok.Load() {
		return fmt.Errorf("the registry answered before it had all bytes: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// reason is why a request with this body ended with err: what is wrong with
// the body explains more than what the transport made of it.
func (c *checked) reason(err error) error {
	if err == nil {
		return c.finished()
	}
	if failed := c.failed.Load(); failed != nil {
		return *failed
	}
	return err
}

// errStalled ends a transfer that makes no progress.
var errStalled = fmt.Errorf("the transfer stalled: %w", ErrLimit)

// watch ends a transfer that makes no progress: stallBytes within stall, and
// when all was sent, an answer within the time that committing so much may take.
type watch struct {
	limits *copyLimits

	mu      sync.Mutex
	timer   *time.Timer
	since   int64 // bytes since the timer was set
	total   int64
	stopped bool
}

func newWatch(limits *copyLimits, cancel context.CancelCauseFunc) *watch {
	return &watch{limits: limits, timer: time.AfterFunc(limits.open, func() { cancel(errStalled) })}
}

// progress says that n bytes more have moved; 0 starts the transfer.
func (w *watch) progress(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since += int64(n)
	w.total += int64(n)
	if n == 0 || w.since >= w.limits.stallBytes {
		w.reset(w.limits.stall)
	}
}

// sent says that all bytes have been handed to the transport.
func (w *watch) sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reset(w.limits.stall + time.Duration(w.total/w.limits.commit)*time.Second)
}

func (w *watch) reset(d time.Duration) {
	w.since = 0
	if !w.stopped {
		w.timer.Reset(d)
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

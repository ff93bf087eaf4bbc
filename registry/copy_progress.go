package registry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// board keeps how far each blob is and tells Report about it.
type board struct {
	report  func(Progress)
	changed atomic.Bool
	stop    chan struct{}
	stopped chan struct{}

	mu    sync.Mutex
	lines []*line
}

// line is one blob on the board. The zero value counts for nobody.
type line struct {
	board *board
	d     ocispec.Descriptor
	done  atomic.Int64
	state atomic.Pointer[BlobState]
}

func newBoard(every time.Duration, report func(Progress)) *board {
	b := &board{report: report, stop: make(chan struct{}), stopped: make(chan struct{})}
	if report == nil {
		close(b.stopped)
		return b
	}
	go b.tell(every)
	return b
}

// tell reports at the given pace, if something changed, and at the end.
func (b *board) tell(every time.Duration) {
	defer close(b.stopped)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if b.changed.Swap(false) {
				b.report(b.progress())
			}
		case <-b.stop:
			b.report(b.progress())
			return
		}
	}
}

// close sends the last report and counts up. A Report that does not come back
// is not waited for.
func (b *board) close(ctx context.Context) Copied {
	close(b.stop)
	patience := time.Second
	if ctx.Err() != nil {
		patience = cancelledLimit
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-b.stopped:
	case <-timer.C:
	}
	var c Copied
	for _, l := range b.all() {
		switch l.is() {
		case BlobCopied:
			c.Blobs++
			c.Bytes += l.d.Size
		case BlobMounted:
			c.Mounted++
		case BlobSkipped:
			c.Skipped++
		case BlobWaiting, BlobMoving, BlobExternal:
		}
	}
	return c
}

// add puts a blob on the board.
func (b *board) add(d ocispec.Descriptor) *line {
	l := &line{board: b, d: d}
	l.set(BlobWaiting)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, l)
	return l
}

func (b *board) all() []*line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[:len(b.lines):len(b.lines)]
}

// progress is the board as a value.
func (b *board) progress() Progress {
	lines := b.all()
	p := Progress{Blobs: make([]BlobProgress, 0, len(lines))}
	for _, l := range lines {
		one := BlobProgress{Digest: l.d.Digest, MediaType: l.d.MediaType, Done: l.done.Load(), Total: l.d.Size, State: l.is()}
		switch one.State {
		case BlobMoving:
			p.Moved += one.Done
		case BlobCopied:
			p.Moved += one.Done
			p.Blob++
		case BlobMounted, BlobSkipped:
			p.Blob++
		case BlobExternal:
			one.Total = 0
			p.Blob++
		case BlobWaiting:
		}
		p.Bytes += one.Done
		p.Total += one.Total
		p.Blobs = append(p.Blobs, one)
	}
	switch {
	case len(lines) == 0:
		p.Status = "reading manifests"
	case p.Blob < len(lines):
		p.Status = fmt.Sprintf("%d of %d blobs are there", p.Blob, len(lines))
	default:
		p.Status = fmt.Sprintf("all %d blobs are there, writing manifests", len(lines))
	}
	return p
}

func (l *line) is() BlobState { return *l.state.Load() }

func (l *line) set(s BlobState) {
	l.state.Store(&s)
	if l.board != nil {
		l.board.changed.Store(true)
	}
}

// start says that the blob moves, from its first byte.
func (l *line) start() {
	l.done.Store(0)
	l.set(BlobMoving)
}

// move says that n bytes more have moved.
func (l *line) move(n int) {
	l.done.Add(int64(n))
	if l.board != nil {
		l.board.changed.Store(true)
	}
}

// end says what became of the blob.
func (l *line) end(s BlobState) {
	if s != BlobExternal {
		l.done.Store(l.d.Size)
	}
	l.set(s)
}

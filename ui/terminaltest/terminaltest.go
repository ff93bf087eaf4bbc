// Package terminaltest is a terminal for tests: a whole program draws into an
// emulator and reads the keys that a test types, and the test waits for what a
// person would wait for, a text on the screen.
//
//	test ─ Types ─► unbounded pipe ─► In ─► program ─► Write ─► emulator ─► Sees
//	                      ▲                                        │
//	                      └──── what the terminal itself answers ──┘
//
// The pipe is unbounded because the emulator's own writes while it holds its
// lock, which would stop the program and the test in each other's way.
package terminaltest

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
)

// patience is how long a text may take to come; nothing waits that long unless it fails.
const patience = 30 * time.Second

// Terminal is an emulated terminal. It is the program's output, In its input.
// It is safe for concurrent use.
type Terminal struct {
	mu      sync.Mutex
	changed *sync.Cond
	emu     *vt.Emulator
	in      *pipe
	raw     bytes.Buffer
	replies chan struct{}
}

// New makes a terminal of so many columns and rows, which ends with the test.
func New(t testing.TB, columns, rows int) *Terminal {
	t.Helper()
	tm := &Terminal{emu: vt.NewEmulator(columns, rows), in: newPipe(), replies: make(chan struct{})}
	tm.changed = sync.NewCond(&tm.mu)
	// With an input that is no TTY, Bubble Tea sends NL where it means CR NL.
	_, _ = tm.emu.WriteString("\x1b[20h")
	go func() {
		defer close(tm.replies)
		_, _ = io.Copy(tm.in, tm.emu)
	}()
	t.Cleanup(func() {
		// The pipe first: the emulator's own Close writes what its Read reads, without a lock.
		if replies, ok := tm.emu.InputPipe().(io.Closer); ok {
			_ = replies.Close()
		}
		tm.in.close()
		<-tm.replies
		_ = tm.emu.Close()
	})
	return tm
}

// Write takes what the program draws.
func (tm *Terminal) Write(p []byte) (int, error) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	defer tm.changed.Broadcast()
	tm.raw.Write(p)
	return tm.emu.Write(p) //nolint:wrapcheck // an emulator
}

// In is what the program reads.
func (tm *Terminal) In() io.Reader { return tm.in }

// Types types keys.
func (tm *Terminal) Types(keys string) { _, _ = tm.in.Write([]byte(keys)) }

// HangUp ends the program's input, so that its reader ends too.
func (tm *Terminal) HangUp() { tm.in.close() }

// Sees waits until the texts are on the screen together.
func (tm *Terminal) Sees(t testing.TB, texts ...string) {
	t.Helper()
	tm.waits(t, "never came: "+strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// Lacks waits until the screen shows a text no more.
func (tm *Terminal) Lacks(t testing.TB, text string) {
	t.Helper()
	tm.waits(t, "still there: "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

func (tm *Terminal) waits(t testing.TB, failure string, holds func(screen string) bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		tm.mu.Lock()
		defer tm.mu.Unlock()
		late = true
		tm.changed.Broadcast()
	})
	defer timer.Stop()
	tm.mu.Lock()
	defer tm.mu.Unlock()
	for !holds(tm.emu.String()) {
		if late {
			t.Fatalf("%s\n%s", failure, tm.emu.String())
		}
		tm.changed.Wait()
	}
}

// Screen is what is on the screen now.
func (tm *Terminal) Screen() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.emu.String()
}

// Output is every byte that the program wrote.
func (tm *Terminal) Output() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.raw.String()
}

// pipe is an unbounded pipe.
type pipe struct {
	mu     sync.Mutex
	cond   *sync.Cond
	buf    bytes.Buffer
	closed bool
}

func newPipe() *pipe {
	p := new(pipe)
	p.cond = sync.NewCond(&p.mu)
	return p
}

// Write never waits for a reader.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.cond.Broadcast()
	return p.buf.Write(b) //nolint:wrapcheck // a buffer
}

// Read waits until there is something, or the pipe was closed.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.buf.Len() == 0 && !p.closed {
		p.cond.Wait()
	}
	if p.buf.Len() == 0 {
		return 0, io.EOF
	}
	return p.buf.Read(b) //nolint:wrapcheck // a buffer
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.cond.Broadcast()
}

package ui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/vt"

	"plimsoll/release"
)

// terminal is an emulator that the whole program draws into. Its input is an
// own pipe, because vt's writes while it holds its lock.
type terminal struct {
	mu      sync.Mutex
	changed *sync.Cond
	emu     *vt.Emulator
	in      *pipe
	raw     bytes.Buffer
	replies chan struct{}
}

func newTerminal(t *testing.T, w, h int) *terminal {
	tm := &terminal{emu: vt.NewEmulator(w, h), in: newPipe(), replies: make(chan struct{})}
	tm.changed = sync.NewCond(&tm.mu)
	// With an input that is no TTY, Bubble Tea sends NL where it means CR NL.
	_, _ = tm.emu.WriteString("\x1b[20h")
	go func() {
		defer close(tm.replies)
		_, _ = io.Copy(tm.in, tm.emu) // what the terminal itself answers
	}()
	t.Cleanup(func() {
		_ = tm.emu.Close()
		tm.in.close()
		<-tm.replies
	})
	return tm
}

func (tm *terminal) Write(p []byte) (int, error) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	defer tm.changed.Broadcast()
	tm.raw.Write(p)
	return tm.emu.Write(p) //nolint:wrapcheck // an emulator
}

// sees waits until a text is on the screen.
func (tm *terminal) sees(t *testing.T, text string) {
	t.Helper()
	late := false
	timer := time.AfterFunc(10*time.Second, func() {
		tm.mu.Lock()
		defer tm.mu.Unlock()
		late = true
		tm.changed.Broadcast()
	})
	defer timer.Stop()
	tm.mu.Lock()
	defer tm.mu.Unlock()
	for !strings.Contains(tm.emu.String(), text) {
		if late {
			t.Fatalf("%q never came:\n%s", text, tm.emu.String())
		}
		tm.changed.Wait()
	}
}

func (tm *terminal) types(keys string) { _, _ = tm.in.Write([]byte(keys)) }

func (tm *terminal) output() string {
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

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.cond.Broadcast()
	return p.buf.Write(b) //nolint:wrapcheck // a buffer
}

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

// program runs the console in a terminal; the channel gives what Run returned.
func program(ctx context.Context, t *testing.T, desk *fake, w, h int) (*terminal, <-chan error) {
	t.Helper()
	tm := newTerminal(t, w, h)
	done := make(chan error, 1)
	o := Options{Desk: desk, Theme: "dark", In: tm.in, Out: tm}
	go func() {
		err := run(ctx, o, tea.WithWindowSize(w, h), tea.WithColorProfile(colorprofile.ANSI), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
		tm.in.close() // before done, so that Bubble Tea's reader ends too
		done <- err
	}()
	return tm, done
}

func TestTheWholeProgramPromotesAndRollsBack(t *testing.T) {
	desk := newFake(t)
	tm, done := program(t.Context(), t, desk, 80, 24)
	tm.sees(t, "7be144c09a1f")
	tm.types("d")
	tm.sees(t, "CVE-2026-1111")
	tm.types("p")
	tm.sees(t, "type chat-api to go on")
	tm.types("chat-api\r")
	tm.sees(t, "promoted chat-api to 7be144c09a1f")
	tm.types("b")
	tm.sees(t, "last good")
	tm.types("\r")
	tm.sees(t, "roll PROD back")
	tm.types("chat-api\r")
	tm.sees(t, "rolled back chat-api to 11aa22bb33cc")
	tm.types("h")
	tm.sees(t, "weekly release")
	tm.types("q")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(desk.promotions) != 1 || len(desk.rollbacks) != 1 || desk.rollbacks[0].Digest != older0 {
		t.Fatalf("promoted %v, rolled back %v", desk.promotions, desk.rollbacks)
	}
	restored(t, tm)
}

// restored fails unless the program left the alternate screen and showed the cursor again.
func restored(t *testing.T, tm *terminal) {
	t.Helper()
	out := tm.output()
	for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h"} {
		if strings.LastIndex(out, off) < strings.LastIndex(out, on) {
			t.Errorf("%q was switched on and not off again", on)
		}
	}
}

// slow is a backend whose promotion has moved the channel and waits for the test.
func slow(desk *fake) (moved chan struct{}, finish chan struct{}) {
	moved, finish = make(chan struct{}), make(chan struct{})
	desk.operate = func(_ context.Context, report func(release.Progress)) (release.Outcome, error) {
		p := copying()
		p.Moved = true
		report(p)
		close(moved)
		<-finish
		return release.Outcome{}, errors.New("the completion could not be written")
	}
	return moved, finish
}

// endsSafely ends the console in the middle of a promotion that has moved the
// channel, and fails unless Run waits for it and tells what nobody saw.
func endsSafely(t *testing.T, end func(cancel context.CancelFunc)) {
	t.Helper()
	desk := newFake(t)
	moved, finish := slow(desk)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tm, done := program(ctx, t, desk, 80, 24)
	tm.sees(t, "7be144c09a1f")
	tm.types("p")
	tm.sees(t, "type chat-api")
	tm.types("chat-api\r")
	<-moved
	tm.sees(t, "can no longer be cancelled")
	end(cancel)
	tm.sees(t, "quitting as soon as it is safe")
	select {
	case err := <-done:
		t.Fatalf("Run came back in the middle: %v", err)
	default:
	}
	close(finish)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "the completion could not be written") {
		t.Fatalf("Run returned %v, but nobody saw the failure", err)
	}
	restored(t, tm)
}

func TestTheEndOfTheContextWaitsForTheOperation(t *testing.T) {
	endsSafely(t, func(cancel context.CancelFunc) { cancel() })
}

func TestAPanicRestoresTheTerminal(t *testing.T) {
	desk := newFake(t)
	tm := newTerminal(t, 80, 24)
	m := newModel(t.Context(), Options{Desk: desk}, nil, themeDark)
	m.stack = append(m.stack, defect{})
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr, _ = os.Open(os.DevNull) // Bubble Tea prints the stack there
	p := tea.NewProgram(m, append(programOptions(Options{In: tm.in, Out: tm}, true), tea.WithWindowSize(80, 24))...)
	_, err := p.Run()
	tm.in.close()
	if !errors.Is(err, tea.ErrProgramPanic) {
		t.Fatalf("it ended with %v", err)
	}
	restored(t, tm)
}

// defect is a screen that panics when it is drawn.
type defect struct{ services }

func (defect) view(*data, *styles, extent) string { panic("a defect") }

func TestAnyValueOfNoColorSwitchesColoursOff(t *testing.T) {
	t.Setenv("NO_COLOR", "yes")
	desk := newFake(t)
	tm := newTerminal(t, 80, 24)
	done := make(chan error, 1)
	go func() {
		err := run(t.Context(), Options{Desk: desk, In: tm.in, Out: tm}, tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm-256color", "NO_COLOR=yes"}))
		tm.in.close()
		done <- err
	}()
	tm.sees(t, "7be144c09a1f")
	tm.types("q")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, colour := range []string{"\x1b[3", "\x1b[9", ";3", ";9"} {
		for _, seq := range strings.Split(tm.output(), "\x1b[")[1:] {
			end := strings.IndexFunc(seq, func(r rune) bool { return r >= '@' })
			if end > 0 && seq[end] == 'm' && strings.Contains("\x1b["+seq[:end], colour) {
				t.Fatalf("a colour was sent: %q", seq[:end+1])
			}
		}
	}
}

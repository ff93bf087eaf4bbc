package ui

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"plimsoll/release"
	"plimsoll/ui/terminaltest"
)

// program runs the console in a terminal; the channel gives what Run returned.
func program(ctx context.Context, t *testing.T, desk *fake, w, h int) (*terminaltest.Terminal, <-chan error) {
	t.Helper()
	tm := terminaltest.New(t, w, h)
	done := make(chan error, 1)
	o := Options{Desk: desk, Theme: "dark", In: tm.In(), Out: tm}
	go func() {
		err := run(ctx, o, tea.WithWindowSize(w, h), tea.WithColorProfile(colorprofile.ANSI), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
		tm.HangUp() // before done, so that Bubble Tea's reader ends too
		done <- err
	}()
	return tm, done
}

func TestTheWholeProgramPromotesAndRollsBack(t *testing.T) {
	desk := newFake(t)
	tm, done := program(t.Context(), t, desk, 80, 24)
	tm.Sees(t, "7be144c09a1f")
	tm.Types("d")
	tm.Sees(t, "CVE-2026-1111")
	tm.Types("p")
	tm.Sees(t, "type chat-api to go on")
	tm.Types("chat-api\r")
	tm.Sees(t, "promoted chat-api to 7be144c09a1f")
	tm.Types("b")
	tm.Sees(t, "last good")
	tm.Types("\r")
	tm.Sees(t, "roll PROD back")
	tm.Types("chat-api\r")
	tm.Sees(t, "rolled back chat-api to 11aa22bb33cc")
	tm.Types("h")
	tm.Sees(t, "weekly release")
	tm.Types("q")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(desk.promotions) != 1 || len(desk.rollbacks) != 1 || desk.rollbacks[0].Digest != older0 {
		t.Fatalf("promoted %v, rolled back %v", desk.promotions, desk.rollbacks)
	}
	restored(t, tm)
}

// restored fails unless the program left the alternate screen and showed the cursor again.
func restored(t *testing.T, tm *terminaltest.Terminal) {
	t.Helper()
	out := tm.Output()
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
	tm.Sees(t, "7be144c09a1f")
	tm.Types("p")
	tm.Sees(t, "type chat-api")
	tm.Types("chat-api\r")
	<-moved
	tm.Sees(t, "can no longer be cancelled")
	end(cancel)
	tm.Sees(t, "quitting as soon as it is safe")
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
	tm := terminaltest.New(t, 80, 24)
	m := newModel(t.Context(), Options{Desk: desk}, nil, themeDark)
	m.stack = append(m.stack, defect{})
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr, _ = os.Open(os.DevNull) // Bubble Tea prints the stack there
	p := tea.NewProgram(m, append(programOptions(Options{In: tm.In(), Out: tm}, true), tea.WithWindowSize(80, 24))...)
	_, err := p.Run()
	tm.HangUp()
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
	tm := terminaltest.New(t, 80, 24)
	done := make(chan error, 1)
	go func() {
		err := run(t.Context(), Options{Desk: desk, In: tm.In(), Out: tm}, tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm-256color", "NO_COLOR=yes"}))
		tm.HangUp()
		done <- err
	}()
	tm.Sees(t, "7be144c09a1f")
	tm.Types("q")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, colour := range []string{"\x1b[3", "\x1b[9", ";3", ";9"} {
		for _, seq := range strings.Split(tm.Output(), "\x1b[")[1:] {
			end := strings.IndexFunc(seq, func(r rune) bool { return r >= '@' })
			if end > 0 && seq[end] == 'm' && strings.Contains("\x1b["+seq[:end], colour) {
				t.Fatalf("a colour was sent: %q", seq[:end+1])
			}
		}
	}
}

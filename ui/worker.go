package ui

import (
	"context"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"plimsoll/release"
)

// workers runs what writes. A command of Bubble Tea is abandoned when the
// program ends; what writes to registries must not be, so Run waits for it.
type workers struct {
	mu      sync.Mutex
	closed  bool
	group   sync.WaitGroup
	running int
	next    int
	cancel  map[int]context.CancelFunc // of work that may still be cancelled
	latest  operationDone
}

func newWorkers() *workers { return &workers{cancel: map[int]context.CancelFunc{}} }

// begin registers work that cancel may still stop, or refuses it because the
// console is closing. Cancel nil is work that is too short to be cancelled.
func (w *workers) begin(cancel context.CancelFunc) (*work, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, false
	}
	w.group.Add(1)
	one := &work{of: w, id: w.next}
	w.next++
	w.running++
	if cancel != nil {
		w.cancel[one.id] = cancel
	}
	return one, true
}

// close refuses further work, cancels what can be cancelled, tells through
// waiting that there is something to wait for, and waits for the end of all.
func (w *workers) close(waiting func()) {
	w.mu.Lock()
	w.closed = true
	busy := w.running > 0
	for _, cancel := range w.cancel {
		cancel()
	}
	w.mu.Unlock()
	if busy && waiting != nil {
		waiting()
	}
	w.group.Wait()
}

// remember keeps how the latest operation ended, for when no screen sees it.
func (w *workers) remember(end operationDone) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = end
}

func (w *workers) last() operationDone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// work is one registered piece of work.
type work struct {
	of *workers
	id int
}

// settle says that it can no longer be cancelled: prod has changed, so it has to finish.
func (o *work) settle() {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	delete(o.of.cancel, o.id)
}

// end says that it is over.
func (o *work) end() {
	o.settle()
	o.of.mu.Lock()
	o.of.running--
	o.of.mu.Unlock()
	o.of.group.Done()
}

// operate is a promotion or a rollback, as the backend runs it.
type operate func(ctx context.Context, report func(release.Progress)) (release.Outcome, error)

// startOperation runs an operation to its end, whatever becomes of the screen.
// Its reports reach the model as messages, the newest one only and at most one
// per pace, so that a chatty backend cannot flood the event loop. ctx is
// cancelled by cancel alone, not by the end of the program.
func startOperation(ctx context.Context, cancel context.CancelFunc, w *workers, id int, run operate, pace time.Duration) tea.Cmd {
	return func() tea.Msg {
		one, ok := w.begin(cancel)
		if !ok {
			return nil
		}
		news, done := make(chan release.Progress, 1), make(chan operationDone, 1)
		pass := &turnstile{pace: pace / 2}
		go func() {
			defer one.end()
			defer cancel()
			out, err := guarded(func() (release.Outcome, error) {
				return run(ctx, func(p release.Progress) {
					if p.Moved {
						one.settle()
					}
					if pass.lets(p) {
						newest(news, cleaned(p))
					}
				})
			})
			over := operationDone{id: id, outcome: cleaned(out), err: problemOf("", err), cancelled: err != nil && ctx.Err() != nil}
			w.remember(over)
			done <- over
		}()
		return watch(id, news, done, pace, time.Time{})()
	}
}

// turnstile lets few of many reports through: those of a new step, and one per
// pace of the others. A copy of gigabytes must not pay for bars that nobody sees.
type turnstile struct {
	mu    sync.Mutex
	pace  time.Duration
	last  time.Time
	index int
	moved bool
}

func (s *turnstile) lets(p release.Progress) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.last.IsZero() && p.Index == s.index && p.Moved == s.moved && now.Sub(s.last) < s.pace {
		return false
	}
	s.last, s.index, s.moved = now, p.Index, p.Moved
	return true
}

// newest leaves p in the channel and drops what nobody took. One goroutine at
// a time calls it for a channel.
func newest(news chan release.Progress, p release.Progress) {
	for {
		select {
		case news <- p:
			return
		default:
		}
		select {
		case <-news:
		default:
		}
	}
}

// watch waits for the next report or the end of an operation.
func watch(id int, news <-chan release.Progress, done <-chan operationDone, pace time.Duration, last time.Time) tea.Cmd {
	return func() tea.Msg {
		if wait := time.Until(last.Add(pace)); !last.IsZero() && wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case end := <-done:
				return end
			}
		}
		select {
		case p := <-news:
			return operationNews{id: id, progress: p, next: watch(id, news, done, pace, time.Now())}
		case end := <-done:
			return end
		}
	}
}

// write runs a sign-off or a quarantine to its end, whatever becomes of the screen.
func write(ctx context.Context, w *workers, what string, run func(ctx context.Context) (string, error)) tea.Cmd {
	return func() tea.Msg {
		one, ok := w.begin(nil)
		if !ok {
			return nil
		}
		defer one.end()
		said, err := guarded(func() (string, error) { return run(context.WithoutCancel(ctx)) })
		return written{said: text(said), err: problemOf(what, err)}
	}
}

// guarded turns a panic into an error: outside of Bubble Tea's own
// goroutines a panic would end the process with the terminal in raw mode.
func guarded[T any](run func() (T, error)) (out T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w, please report it: %v", errPanic, r)
		}
	}()
	return run()
}

package registry

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// slots bound how many blobs move at once. Of those that wait the largest goes
// first: the last one to finish decides how long the copy takes. Where single
// streams are slow, because the link or the registry holds each of them back,
// some spare slots are added: more streams move more there, while on a fast way
// they would only take turns and keep the largest one waiting.
type slots struct {
	moved atomic.Int64 // bytes, told by those that have a slot

	mu      sync.Mutex
	free    int
	taken   int
	spare   int
	waiting waiters
	since   time.Time // when and where the speed was last looked at
	mark    int64
}

const (
	slowStream = 64 << 20               // bytes a second
	lookAgain  = 250 * time.Millisecond // at the speed
)

type waiter struct {
	size  int64
	ready chan struct{}
}

func newSlots(n, spare int) *slots { return &slots{free: n, spare: spare} }

// acquire waits for a slot.
func (s *slots) acquire(ctx context.Context, size int64) error {
	w := s.enter(size)
	if w == nil {
		return nil
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-w.ready:
			return nil
		case <-tick.C:
			s.widen(time.Now())
		case <-ctx.Done():
			return context.Cause(ctx) // the whole copy ends: nobody needs the slot any more
		}
	}
}

// enter takes a free slot, or returns the place in the queue.
func (s *slots) enter(size int64) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == 0 {
		s.since, s.mark = time.Now(), s.moved.Load()
	}
	if s.free > 0 {
		s.free--
		s.taken++
		return nil
	}
	w := &waiter{size: size, ready: make(chan struct{}, 1)}
	heap.Push(&s.waiting, w)
	return w
}

// widen grants a spare slot if the streams were slow since the last look.
func (s *slots) widen(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := now.Sub(s.since)
	if s.spare == 0 || len(s.waiting) == 0 || passed < lookAgain {
		return
	}
	moved := s.moved.Load()
	speed := float64(moved-s.mark) / passed.Seconds() / float64(s.taken)
	s.since, s.mark = now, moved
	if speed < slowStream {
		s.spare--
		s.taken++
		s.next()
	}
}

// next lets the largest that waits go.
func (s *slots) next() {
	heap.Pop(&s.waiting).(*waiter).ready <- struct{}{} //nolint:forcetypeassert // it holds nothing else
}

// release hands the slot on.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		s.next()
		return
	}
	s.free++
	s.taken--
}

// waiters is a heap with the largest first.
type waiters []*waiter

// Len, Less, Swap, Push and Pop are for container/heap.
func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].size > w[j].size }
func (w waiters) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }

// Push appends x.
func (w *waiters) Push(x any) { *w = append(*w, x.(*waiter)) } //nolint:forcetypeassert // it holds nothing else

// Pop takes the last one off.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}

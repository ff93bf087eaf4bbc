package registry

import (
	"container/heap"
	"context"
	"sync"
)

// slots bound how many blobs move at once. Of those that wait the largest goes
// first: the last one to finish decides how long the copy takes.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting waiters
}

type waiter struct {
	size  int64
	ready chan struct{}
}

func newSlots(n int) *slots { return &slots{free: n} }

// acquire waits for a slot.
func (s *slots) acquire(ctx context.Context, size int64) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	w := &waiter{size: size, ready: make(chan struct{}, 1)}
	heap.Push(&s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) // the whole copy ends: nobody needs the slot any more
	}
}

// release hands the slot on.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	heap.Pop(&s.waiting).(*waiter).ready <- struct{}{} //nolint:forcetypeassert // it holds nothing else
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

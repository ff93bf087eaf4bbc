package sources

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// errSlow is in the chain of an error about a source that took too long.
var errSlow = errors.New("too slow")

// ofSource marks a failure that is the source's and not the candidate's: the
// next row of the list would meet it again.
type ofSource struct{ error }

// Unwrap keeps the cause.
func (o ofSource) Unwrap() error { return o.error }

// trouble remembers which sources cannot answer, so that a list of fifty
// candidates meets a hanging source once and not fifty times.
type trouble struct {
	mu sync.Mutex
	of map[string]hitch
}

type hitch struct {
	at  time.Time
	err error
}

func newTrouble() *trouble { return &trouble{of: map[string]hitch{}} }

// known is why a source is not worth asking now; nil if it is. age is how old a
// failure may be that is taken again: none where everything is asked afresh,
// but a rate limit holds for everybody.
func (t *trouble) known(name string, now time.Time, age time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.of[name]
	if !ok || now.Before(h.at) {
		return nil
	}
	var limit rateLimited
	if errors.As(h.err, &limit) && now.Before(limit.Until) {
		return h.err
	}
	if age <= 0 || now.Sub(h.at) >= age {
		return nil
	}
	return fmt.Errorf("%w (%s ago)", h.err, now.Sub(h.at).Round(time.Second))
}

// note remembers a failure if it is the source's.
func (t *trouble) note(name string, now time.Time, err error) {
	var limit rateLimited
	var whole ofSource
	if !errors.As(err, &limit) && !errors.As(err, &whole) && !errors.Is(err, errSlow) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[name] = hitch{now, err}
}

func (t *trouble) clear(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, name)
}

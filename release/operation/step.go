package operation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/store"
)

// phase says what a step may do to prod and what a failure of it means.
type phase int

const (
	looking   phase = iota // reads; leaves nothing, is not journaled, is not repeated by a resumed operation
	checking               // reads too, and again when the operation is resumed
	writing                // writes, prod stays wholly as it was; cancellable at once
	moving                 // the one write that changes prod
	finishing              // prod has changed: not cancellable, retried; failing is exit 6
	owing                  // as finishing, but what fails is owed and written by a later start
)

// step is one step of an operation, as data.
type step struct {
	name  string // in the journal
	words string // for people
	phase phase
	limit time.Duration // of one attempt, from finishing on; 0: attemptLimit
	// done tells from what is true in the registries whether there is nothing
	// left to do; nil: the step is harmless to repeat, and is.
	done func(context.Context, *state) (bool, error)
	do   func(context.Context, *state) error
}

const (
	attempts     = 3
	attemptLimit = time.Minute
	attemptPause = time.Second // doubled after each attempt
)

// errUnchanged ends an operation that has nothing to do.
var errUnchanged = errors.New("already there")

// stepsOf is the list of an action. Lists are made anew, so that nobody changes them.
func stepsOf(action string) []step {
	switch action {
	case ActionPromote:
		return promotion()
	case ActionRollback:
		return rollback()
	}
	return adoption()
}

// errand tells providers on whose behalf they are asked: the signer's, once the key is known.
func (s *state) errand(ctx context.Context) context.Context {
	return registry.WithErrand(ctx, registry.Errand{Person: s.actor(), Operation: s.op.ID})
}

// walk takes the steps in order. Of an operation whose channel has moved only
// those after the move are taken. An error of a finishing step does not keep
// the later ones from being taken, except that what completes a record waits
// for all before it.
func (s *state) walk(ctx context.Context) error {
	var failed error
	for i, st := range s.steps {
		s.index = i
		switch {
		case st.phase <= moving && s.op.Moved:
			continue
		case st.phase == looking && s.resumed:
			continue
		case st.phase == finishing && failed != nil:
			continue
		}
		s.tell(nil)
		if err := s.take(s.errand(ctx), st); err != nil {
			if st.phase < finishing {
				return err
			}
			failed = fault.Join(failed, err)
		}
	}
	return failed
}

// take takes one step, with journal before and after.
func (s *state) take(ctx context.Context, st step) error {
	switch st.phase {
	case looking, checking:
		return st.do(ctx, s)
	case finishing, owing:
		return s.persist(ctx, st)
	case writing, moving:
	}
	if ctx.Err() != nil && !s.sent() { // a run that may go on is to be cancelled, too
		return context.Cause(ctx)
	}
	if s.renew != nil {
		if err := s.renew(); err != nil {
			return err
		}
	}
	if done, err := st.isDone(ctx, s); err != nil || done {
		return fault.Join(err, s.note(st, ended, "was done"))
	}
	if err := s.note(st, "started", ""); err != nil {
		return err
	}
	if err := st.do(ctx, s); err != nil {
		if ctx.Err() != nil && st.phase != moving {
			err = context.Cause(ctx)
		}
		return fault.Join(err, quietly(s.note(st, "failed", err.Error())))
	}
	return s.note(st, ended, "")
}

// quietly drops an error that would hide the one that matters.
func quietly(error) error { return nil }

func (st step) isDone(ctx context.Context, s *state) (bool, error) {
	if st.done == nil {
		return false, nil
	}
	return st.done(ctx, s)
}

// persist takes a step after the move: nobody can cancel it, it is tried again,
// and it looks before each attempt whether the one before did arrive.
func (s *state) persist(ctx context.Context, st step) error {
	limit := st.limit
	if limit == 0 {
		limit = attemptLimit
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	for n := range attempts {
		if n > 0 && s.r.wait(ctx, attemptPause<<(n-1)) != nil {
			break
		}
		if err = s.attempt(ctx, st, limit); err == nil || hopeless(err) {
			break
		}
	}
	if err == nil {
		return nil
	}
	_ = s.note(st, "failed", err.Error()) // the error that counts is err
	if st.phase == owing {
		s.owe(st, err)
		return nil
	}
	return fmt.Errorf("%s: %w", st.words, err)
}

func (s *state) attempt(ctx context.Context, st step, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done, err := st.isDone(ctx, s)
	if err != nil {
		return err
	}
	if !done {
		if err := s.note(st, "started", ""); err != nil {
			s.warn("%v", err) // prod has moved: finishing matters more than the journal
		}
		if err := st.do(ctx, s); err != nil {
			return err
		}
	}
	if err := s.note(st, ended, ""); err != nil {
		s.warn("%v", err)
	}
	return nil
}

// owe remembers what a later start has to write.
func (s *state) owe(st step, err error) {
	s.owed = append(s.owed, st.words)
	s.warn("owed: %s (%v); plimsoll audit sync or the next operation writes it", st.words, err)
}

// hopeless tells whether trying again at once cannot help.
func hopeless(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.Refused || code == fault.Usage || code == fault.Moved || code == fault.Gate || errors.Is(err, errOthers)
}

// note journals that a step started, ended or failed. The end of a step and
// the start of the next are one moment and one write, except for the move.
func (s *state) note(st step, what, why string) error {
	s.op.Steps = append(s.op.Steps, store.StepEntry{Step: st.name, State: what, At: s.r.now().UTC(), Note: clean.Text(clean.Redact(why))})
	if what == ended && st.phase != moving {
		return nil
	}
	return s.save()
}

// ended is the state of a step that is done.
const ended = "done"

// tell reports where the operation is.
func (s *state) tell(copying *registry.Progress) {
	if s.report == nil {
		return
	}
	p := Progress{Step: s.steps[s.index].words, Index: s.index, Copy: copying, Run: s.run, Moved: s.op.Moved}
	for _, st := range s.steps {
		p.Steps = append(p.Steps, st.words)
	}
	s.report(p)
}

// newID sorts by start.
func newID(now time.Time) string {
	return now.UTC().Format("20060102T150405.000000Z") + "-" + rand.Text()[:6]
}

func notFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/release/via"
	"plimsoll/store"
)

const (
	recallLimit  = 2 * time.Minute  // how long a cancelled run is waited for
	recallHaste  = 15 * time.Second // the same, while prod is rolled back
	maxUnread    = 5                // looks at the ledger that may fail after the end of a run
	accountLimit = 20 * time.Minute // how long the end of a run is waited for after the channel moved
)

// settled is in the chain of an error about a run that is over: prod is certain.
// After any other failure the run may still go on.
type settled struct{ error }

// Unwrap keeps the cause.
func (e settled) Unwrap() error { return e.error }

func certain(err error) bool {
	var e settled
	return errors.As(err, &e)
}

// followRun follows the run until the channel moves or the run has ended. A
// cancelled context asks the pipeline to cancel: what is certain then, prod says.
func followRun(ctx context.Context, s *state) error {
	p, err := s.pursue()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := p.look(ctx); err != nil {
			return err
		}
		moved, known, err := p.moved(ctx)
		switch {
		case moved:
			s.tell(nil)
			return nil
		case ctx.Err() != nil:
		case err != nil:
			return err
		case known:
			return p.verdict()
		default:
			_ = p.pause(ctx) // the loop looks at the context
		}
	}
	if errors.Is(context.Cause(ctx), store.ErrLeaseLost) {
		return context.Cause(ctx)
	}
	moved, err := s.recall(ctx, recallLimit)
	if err != nil || moved {
		return err
	}
	return settled{fault.New(fault.Failed, "", context.Cause(ctx), "%s: cancelled before the channel moved; prod has not changed%s", s.what(), s.where())}
}

// recall asks the pipeline to cancel the run, and waits until it is certain what
// became of prod. An error says that it is not.
func (s *state) recall(ctx context.Context, limit time.Duration) (moved bool, err error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer stop()
	p, err := s.pursue()
	if err != nil {
		return false, err
	}
	asked, refusal := false, error(nil)
	for {
		if err := p.look(ctx); err != nil {
			return false, err
		}
		if !asked && p.Via.Run.ID != "" && !p.over() && !p.r.now().Before(p.patience) {
			refusal = p.pipe.Cancel(ctx, p.Via.Run)
			asked = refusal == nil
		}
		moved, known, err := p.moved(ctx)
		if err != nil || known {
			return moved, err
		}
		if p.pause(ctx) != nil {
			break
		}
	}
	switch {
	case asked:
		return false, fmt.Errorf("%s was asked to cancel the run, which has not ended yet", p.pipe.Name())
	case refusal != nil:
		return false, fmt.Errorf("the run was not cancelled: %w", refusal)
	}
	return false, fmt.Errorf("no run was found that could be cancelled")
}

// awaitRecord waits, after the channel moved, for the record that the pipeline
// writes and completes.
func awaitRecord(ctx context.Context, s *state) error {
	p, err := s.pursue()
	if err != nil {
		return err
	}
	for {
		if err := p.look(ctx); err != nil {
			return err
		}
		finished := p.over() // before the ledger is read: what it says then is final
		err := s.readLedger(ctx)
		switch {
		case err == nil && s.accounted(finished):
			return nil
		case err == nil && finished:
			return p.unaccounted()
		case s.hasty:
			return fault.Join(err, errors.New("its run goes on"))
		case err != nil && finished:
			if p.blind++; p.blind > maxUnread {
				return err
			}
		}
		if waited := p.pause(ctx); waited != nil {
			return fmt.Errorf("wait for the record of operation %s: %w", s.op.ID, fault.Join(err, waited))
		}
	}
}

// ours is the record that names our operation, nil without one.
func (s *state) ours() *ledger.Record {
	for i, r := range s.chain.Records {
		if r.Verified && r.Predicate.Operation == s.op.ID && r.Predicate.To.Digest == s.Target {
			return &s.chain.Records[i]
		}
	}
	return nil
}

// accounted takes what the ledger says of the operation. After the end of the run,
// a record of somebody else accounts for it, too: they were faster.
func (s *state) accounted(finished bool) bool {
	r := s.ours()
	if r == nil && finished {
		if r = s.chain.Current(s.Target); r != nil {
			s.warn("the record %s names another operation than ours: somebody else did the same", r.Tag)
		}
	}
	if r == nil || r.State() != ledger.Complete {
		return false
	}
	s.Record, s.Via.Past = &r.Digest, r.Predicate.Overrides
	if len(r.Predicate.Quarantines) == 0 {
		s.Left = ""
	}
	return true
}

// unaccounted says that prod moved and the run left the account unfinished. It
// cannot be finished from here: the second time it is a warning only.
func (p *pursuit) unaccounted() error {
	what := "the ledger has no record of it"
	if r := p.ours(); r != nil {
		p.Record, what = &r.Digest, "its record is not completed; the next operation of this service does that"
	}
	said := fmt.Sprintf("the run ended (%s)%s: %s%s", p.status.Result, p.failure(), what, p.where())
	if p.resumed || p.status.Result == via.Succeeded {
		p.warn("%s", said)
		return nil
	}
	return errors.New(clean.Text(said))
}

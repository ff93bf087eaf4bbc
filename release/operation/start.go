package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plimsoll/config/fault"
	"plimsoll/store"
)

// leaseTime is how long an operation that stopped without a word keeps others
// from starting; a process that is gone frees its lease at once.
const leaseTime = 30 * time.Second

// run takes the lease, deals with what an earlier start left, and walks.
func (r *Runner) run(ctx context.Context, req request, report func(Progress)) (Outcome, error) {
	s, err := r.prepare(req, report)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.reserve(); err != nil {
		return Outcome{}, err
	}
	defer s.drop()
	ctx, stop := s.hold(ctx)
	defer stop()
	if s, err = s.takeOver(ctx); err != nil {
		return Outcome{}, err
	}
	return s.end(ctx, s.walk(ctx))
}

// reserve takes the lease of the service's identity.
func (s *state) reserve() error {
	release, renew, err := s.r.Journal.Lease(s.channel(), s.r.Actor, leaseTime)
	var held *store.LeaseHeld
	if errors.As(err, &held) {
		return fault.New(fault.Failed, "wait until it has ended, or end that process", err,
			"%s: another operation runs on this service", s.what())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.what(), err)
	}
	s.release, s.renew = release, renew
	return nil
}

// hold renews the lease while the operation runs. Losing it cancels what has
// not moved the channel yet: somebody else may be at work.
func (s *state) hold(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	renew := s.renew
	go func() {
		defer close(ended)
		t := time.NewTicker(leaseTime / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := renew(); errors.Is(err, store.ErrLeaseLost) {
					cancel(err)
					return
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// takeOver finds the operations that an earlier start left open on this
// service. The one that is asked for again is gone on with; the others are
// finished or closed first, by a rollback after its own move.
func (s *state) takeOver(ctx context.Context) (*state, error) {
	ops, err := s.r.Journal.Operations(true)
	if err != nil {
		return nil, fmt.Errorf("%s: read the journal: %w", s.what(), err)
	}
	var again *state
	for _, op := range ops {
		if op.Identity != s.op.Identity {
			continue
		}
		old, err := s.reopen(op)
		switch {
		case err != nil:
			return nil, err
		case old.same(s.Request):
			again = old
		case s.op.Action == ActionRollback:
			s.earlier = append(s.earlier, old)
		default:
			if err := old.endFirst(ctx); err != nil {
				return nil, err
			}
		}
	}
	if again == nil {
		return s, nil
	}
	return again, again.pickUp(ctx)
}

// same tells whether a request asks for the operation again. A rollback that
// only owes its record is over: asking again means to go further back.
func (s *state) same(req request) bool {
	if req.resume != "" {
		return s.op.ID == req.resume
	}
	if s.Closing != "" || s.op.Action != req.Action || s.service.Name != req.Service {
		return false
	}
	if req.Action == ActionRollback {
		return !s.settleable() && (req.Digest == s.Request.Digest || req.Digest == s.Target)
	}
	return req.Digest == s.Request.Digest
}

// settleable tells whether nothing but entries of the ledger and the audit
// chain is missing: it can be finished without a person.
func (s *state) settleable() bool {
	return s.Closing != "" || s.op.Moved && (s.Delivery != nil || s.Skipped != "")
}

// pickUp looks on which side of the move the earlier start left prod.
func (s *state) pickUp(ctx context.Context) error {
	if s.Closing != "" || s.op.Moved || s.op.Action == ActionAdopt {
		return nil
	}
	channel, err := s.pointsAt(ctx)
	if err != nil {
		return err
	}
	if err := s.readLedger(ctx); err != nil && s.op.Action == ActionPromote {
		return err
	}
	if s.op.Moved = s.hasMoved(channel); s.op.Moved {
		return s.save()
	}
	return nil
}

// endFirst finishes or closes an operation that another command finds open.
func (s *state) endFirst(ctx context.Context) error {
	if err := s.pickUp(ctx); err != nil {
		return fmt.Errorf("an earlier %s of %s is open: %w", s.op.Action, s.service.Name, err)
	}
	if s.Closing == "" && !s.op.Moved {
		s.Closing = "another command was started instead"
	}
	if err := s.wrapUp(ctx); err != nil {
		return fault.New(fault.CodeOf(err), "finish it first: "+s.command(), err,
			"an earlier %s of %s is open and could not be ended", s.op.Action, s.service.Name)
	}
	return nil
}

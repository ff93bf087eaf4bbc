package operation

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/store"
)

// rollback is the list of steps of a rollback: the channel first. What needs
// the key or the ledger comes after and is owed if it cannot be had.
func rollback() []step {
	return []step{
		{name: "look", words: "find where to go back to", phase: looking, do: lookBack},
		{name: "resume", words: "look whether prod is as it was", phase: checking, do: asItWas},
		{name: "identity", words: "get the promote identity", phase: writing, do: fetchTarget},
		{name: "move", words: "move the channel", phase: moving, do: move},
		{name: "deliver", words: "deliver", phase: finishing, limit: deliverLimit, done: delivered, do: deliver},
		{name: "earlier", words: "close what an earlier start left", phase: owing, do: closeEarlier},
		{name: "record", words: "write the record", phase: owing, done: recorded, do: writeRecord},
		{name: "others", words: "close what others left", phase: finishing, do: closeOthers},
		{name: "audit", words: "note it in the audit chain", phase: finishing, done: audited, do: audit},
	}
}

// lookBack decides where to go, from the channel and the ledger, or from what
// this machine knows of the ledger.
func lookBack(ctx context.Context, s *state) error {
	if err := s.deliverable(); err != nil {
		return err
	}
	channel, err := s.pointsAt(ctx)
	if err != nil {
		return err
	}
	s.Previous = channel
	if s.Request.Digest != "" && channel == s.Request.Digest {
		return errUnchanged
	}
	if err := s.expected(channel); err != nil {
		return err
	}
	unread := s.readLedger(ctx)
	if err := s.pickTarget(ctx, unread); err != nil {
		return err
	}
	if s.Target == channel {
		return errUnchanged
	}
	if !s.Request.NoQuarantine {
		s.Left = channel
	}
	return fault.Join(s.onTime(false), s.sortEarlier(channel))
}

// fetchTarget proves that prod still has the target before anything changes, or
// brings it back from the registry's bin.
// Whether the identity may write, the move itself tells, one request sooner.
func fetchTarget(ctx context.Context, s *state) error {
	s.identity()
	err := s.load(ctx)
	if notFound(err) {
		return s.bringBack(ctx, err)
	}
	return err
}

// sortEarlier says of each operation that an earlier start left open on which
// side of its move it ended, while the channel still tells. They are closed
// after our own move: going back does not wait for them.
func (s *state) sortEarlier(channel digest.Digest) error {
	for _, old := range s.earlier {
		old.chain = s.chain
		switch {
		case old.Closing != "" || old.op.Moved:
		case old.hasMoved(channel):
			old.op.Moved = true
		default:
			old.Closing = "a rollback was started instead"
		}
		if err := old.save(); err != nil {
			return err
		}
	}
	return nil
}

// closeEarlier finishes them as far as that is possible now; they stay open
// otherwise, and a later start closes them.
func closeEarlier(ctx context.Context, s *state) error {
	for _, old := range s.earlier {
		if old.Closing == "" && old.Delivery == nil && old.Skipped == "" {
			old.Skipped = "not delivered: prod was rolled back to " + short(s.Target)
		}
		old.hasty = true
		if err := old.wrapUp(ctx); err != nil {
			s.warn("the %s of %s stays open: %v", old.op.Action, short(old.Target), err)
		}
	}
	s.earlier = nil
	return nil
}

// recalled ends the run of an operation that is to be closed. One that moved the
// channel all the same is finished instead.
func (s *state) recalled(ctx context.Context) error {
	limit := recallLimit
	if s.hasty {
		limit = recallHaste
	}
	moved, err := s.recall(ctx, limit)
	if err != nil {
		return s.astray(err)
	}
	if moved {
		s.Closing = ""
	}
	return nil
}

// wrapUp closes an operation that did not move, or finishes one that did.
func (s *state) wrapUp(ctx context.Context) error {
	if s.Closing != "" && s.sent() {
		if err := s.recalled(ctx); err != nil {
			return err
		}
	}
	if s.Closing != "" {
		return s.abandon(ctx, s.Closing, store.Abandoned)
	}
	_, err := s.end(ctx, s.walk(ctx))
	if err == nil && len(s.owed) > 0 {
		return fmt.Errorf("still owed: %s", words(s.owed))
	}
	return err
}

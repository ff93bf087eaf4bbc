package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

// closingTime bounds the marking of a record after a failure or a cancellation.
const closingTime = 20 * time.Second

// end turns how the walk ended into an outcome, an exit code and the last line
// of the journal.
func (s *state) end(ctx context.Context, err error) (Outcome, error) {
	switch {
	case errors.Is(err, errUnchanged):
		return s.unchanged(), nil
	case err == nil && len(s.owed) == 0:
		return s.outcome(), s.closeAs(store.Done, "")
	case err == nil:
		s.op.Problem = "owed: " + words(s.owed)
		if err := s.save(); err != nil {
			s.warn("%v", err)
		}
		return s.outcome(), nil
	case s.op.Moved:
		return s.outcome(), s.unfinished(err)
	case errors.Is(err, errUncertain):
		return Outcome{}, s.uncertain(err)
	case s.sent() && !certain(err):
		return Outcome{}, s.astray(err)
	case !s.known:
		return Outcome{}, s.cancelled(ctx, err)
	}
	return Outcome{}, s.fail(ctx, err)
}

// unchanged is the outcome of an operation that had nothing to do.
func (s *state) unchanged() Outcome {
	s.Finished = s.op.Started
	o := s.outcome()
	o.Unchanged = true
	if s.chain != nil {
		if r := s.chain.Current(s.Target); r != nil {
			o.Record = &r.Digest
		}
	}
	return o
}

// closeAs writes the last line.
func (s *state) closeAs(state store.OperationState, problem string) error {
	s.Judgement.Document, s.Policy = nil, nil // nothing is resumed any more, and journals are kept for long
	s.op.State, s.op.Ended, s.op.Problem = state, s.r.now().UTC(), clean.Text(clean.Redact(problem))
	return s.save()
}

// unfinished says that prod has moved and what is missing; the operation stays open.
func (s *state) unfinished(err error) error {
	s.op.Problem = clean.Text(clean.Redact(err.Error()))
	return fault.New(fault.Unfinished, "prod has changed; run it again to finish: "+s.command(), fault.Join(err, s.save()),
		"%s: the channel %s has moved, but a later step is unfinished", s.what(), s.channel())
}

// uncertain says that only the registry knows; the next start asks it.
func (s *state) uncertain(err error) error {
	s.op.Problem = clean.Text(clean.Redact(err.Error()))
	return fault.New(fault.Unfinished, "when the registry answers again, this finds out and finishes it: "+s.command(), fault.Join(err, s.save()),
		"%s: the channel %s was written and could not be read back: prod may have moved", s.what(), s.channel())
}

// cancelled names a cancellation; other errors stay as they are.
func (s *state) cancelled(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fault.New(fault.Failed, "", err, "%s: cancelled before the channel moved; prod has not changed", s.what())
}

// fail ends an operation before the move: prod is wholly as it was. A refusal
// or a cancellation closes it, and so does a failure before there is a record;
// a failure after that leaves it open, so that the record stays the only one.
func (s *state) fail(ctx context.Context, err error) error {
	err = s.cancelled(ctx, err)
	if s.Draft == nil || final(ctx, err) {
		if closing := s.abandon(ctx, err.Error(), store.Failed); closing != nil {
			s.warn("%v", closing)
			hint := cmp.Or(fault.HintOf(err), "the next operation of this service, or plimsoll audit sync, tries again")
			return fault.New(fault.CodeOf(err), hint, fault.Join(err, closing), "%s: its record stays open", s.what())
		}
		return err
	}
	s.op.Problem = clean.Text(clean.Redact(err.Error()))
	return fault.New(fault.CodeOf(err), cmp.Or(fault.HintOf(err), "run it again to go on where it stopped: "+s.command()), fault.Join(err, quietly(s.save())),
		"%s: prod has not changed, and the operation stays open", s.what())
}

// final tells whether trying again is not what the person wants.
func final(ctx context.Context, err error) bool {
	switch fault.CodeOf(err) {
	case fault.Gate, fault.Moved, fault.Usage:
		return true
	case fault.Failed, fault.Refused, fault.Unfinished:
	}
	return ctx.Err() != nil
}

// abandon closes an operation that did not move the channel. Its record, if
// the ledger has it, is marked first: otherwise it would look unfinished for
// ever. Nobody cancels that; it is bounded instead.
func (s *state) abandon(ctx context.Context, why string, as store.OperationState) error {
	s.Closing = clean.Text(clean.Redact(why))
	if s.Draft == nil || s.op.Action != ActionPromote {
		return s.closeAs(as, why)
	}
	if err := s.save(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	if err := s.markAbandoned(ctx); err != nil {
		s.op.Problem = clean.Text(clean.Redact(err.Error()))
		return fault.Join(err, s.save())
	}
	return s.closeAs(as, why)
}

func (s *state) markAbandoned(ctx context.Context) error {
	if err := s.readLedger(ctx); err != nil {
		return err
	}
	r := s.chain.Find(s.Draft.Digest)
	if r == nil || r.State() != ledger.Unfinished {
		return nil
	}
	if err := s.signing(ctx); err != nil {
		return err
	}
	if err := s.book().Abandon(ctx, s.signer, *r, s.completion("", s.Closing)); err != nil {
		return fmt.Errorf("mark the record %s as abandoned: %w", s.Draft.Tag, err)
	}
	return nil
}

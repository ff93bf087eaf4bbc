package operation

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

func (s *state) question() Question {
	q := Question{Service: s.service, Digest: s.Target, Prod: s.Previous, Promoter: s.Actor, Requesters: s.requesters()}
	for _, gate := range s.Request.Overrides {
		q.Overrides = append(q.Overrides, gates.Override{Gate: gate, Reason: s.Request.Reason})
	}
	return q
}

// judge asks for a fresh verdict and refuses what is not ready.
func judge(ctx context.Context, s *state) error {
	if err := fault.Join(s.mayOverride(), s.mayAsk()); err != nil {
		return err
	}
	j, err := s.r.Judge.Judge(ctx, s.question())
	if err != nil {
		return fmt.Errorf("%s: judge it: %w", s.what(), err)
	}
	if err := s.onTime(true); err != nil { // staging has answered by now
		return err
	}
	if len(j.Tags) == 0 {
		return fault.New(fault.Gate, "plimsoll list "+s.service.Name+" shows the candidates", nil,
			"%s: no tag that candidates.tags selects points at %s in %s; only a candidate may be promoted", s.what(), s.Target, s.staging)
	}
	if j.Verdict != gates.Ready {
		return fault.New(fault.Gate, "plimsoll gates "+s.service.Name+" "+s.Target.String(), nil,
			"%s: it is %s: %s", s.what(), j.Verdict, refusals(j))
	}
	s.Judgement = j
	used := s.overridden()
	for _, gate := range s.Request.Overrides {
		if !slices.Contains(used, gate) {
			s.warn("%s needed no override; the record names none", gate)
		}
	}
	return nil
}

// refusals are the checks that say no, with their reasons.
func refusals(j Judgement) string {
	var no []string
	for _, c := range j.Checks {
		if c.Status.Passes() {
			continue
		}
		text := fmt.Sprintf("%s %s", c.Gate, c.Status)
		switch {
		case len(c.Reasons) > 0:
			text += " (" + words(c.Reasons) + ")"
		case c.Summary != "":
			text += " (" + c.Summary + ")"
		}
		no = append(no, clean.Text(text))
	}
	if len(no) == 0 {
		return "no check says why"
	}
	return words(no)
}

// asItWas finds a channel that moved since the operation was decided. For an
// operation that was just decided, that was looked at already.
func asItWas(ctx context.Context, s *state) error {
	if !s.resumed || s.sent() { // of an order that was sent, its run tells
		return nil
	}
	if err := s.deliverable(); err != nil {
		return err
	}
	return s.unmoved(ctx)
}

// lookAgain reads, right before the channel moves, everything that may have
// changed since the verdict.
func lookAgain(ctx context.Context, s *state) error {
	no, err := s.r.Judge.Objections(ctx, s.question())
	if err != nil {
		return fmt.Errorf("%s: look once more for objections: %w", s.what(), err)
	}
	if len(no) > 0 {
		return fault.New(fault.Gate, "plimsoll gates "+s.service.Name+" "+s.Target.String(), nil,
			"%s: since the verdict: %s", s.what(), clean.Text(words(no)))
	}
	if err := s.readLedger(ctx); err != nil {
		return fmt.Errorf("%s: read the ledger %s once more: %w", s.what(), s.books, err)
	}
	platforms, err := s.platforms(ctx, s.Target)
	if err != nil {
		return err
	}
	if why := s.chain.QuarantinedBy(append([]digest.Digest{s.Target}, platforms...)...); why != "" {
		return fault.New(fault.Gate, "choose another candidate", nil, "%s: it is quarantined: %s", s.what(), clean.Text(why))
	}
	if err := s.alone(); err != nil {
		return err
	}
	return s.unmoved(ctx)
}

// alone refuses to move the channel if somebody else wrote a record meanwhile:
// of our number, or a later one, whose author did not know that we would move.
func (s *state) alone() error {
	mine := s.chain.Find(s.Draft.Digest)
	if mine == nil {
		return fault.New(fault.Failed, "ask who may delete from "+s.books.String(), nil,
			"%s: its record %s is no longer in the ledger; nothing was changed", s.what(), s.Draft.Tag)
	}
	if other := s.chain.Rival(*mine); other != nil {
		return fault.New(fault.Moved, "plimsoll history "+s.service.Name+" shows it; look at prod again, then decide", nil,
			"%s: %s took number %d of the ledger at the same time (%s of %s); nothing was changed", s.what(),
			clean.Text(other.Predicate.Actor.ID), other.Number, clean.Text(other.Predicate.Action), short(other.Predicate.To.Digest))
	}
	return nil
}

// unmoved compares the channel with what the operation was decided against.
func (s *state) unmoved(ctx context.Context) error {
	channel, err := s.pointsAt(ctx)
	if err != nil {
		return err
	}
	if channel == s.Previous {
		return nil
	}
	return fault.New(fault.Moved, "look at the difference again, then decide", nil,
		"%s: prod moved meanwhile: %s points at %s, not at %s; it was left there", s.what(), s.channel(), short(channel), short(s.Previous))
}

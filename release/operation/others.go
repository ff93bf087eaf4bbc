package operation

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/release/ledger"
)

// leftAlone is how old another machine's unfinished record must be before it
// counts as left behind by a crash.
const leftAlone = 10 * time.Minute

// closeOthers says of the records that another machine wrote ahead and never
// completed what became of them. Our record has a higher number by now, so
// their authors cannot move the channel any more. What cannot be written stays
// for the next operation: nothing depends on it.
func closeOthers(ctx context.Context, s *state) error {
	if s.chain == nil || s.Record == nil || s.signer == nil {
		return nil
	}
	for _, r := range s.chain.Records {
		if !s.leftBehind(r) {
			continue
		}
		c := s.completion(evidence.OutcomeAbandoned, "its machine never said what became of it, and the channel was not moved to it")
		c.Delivery, c.Seconds = "", 0
		if s.inProd(r.Predicate.To.Digest, r.Number) {
			c.Outcome, c.Reason, c.Delivery = evidence.OutcomeDone, "its machine never completed it, but it was in prod", "not known"
		}
		if err := s.book().Complete(ctx, s.signer, r, c); err != nil {
			s.warn("the unfinished record %s stays open: %v", r.Tag, err)
		}
	}
	return nil
}

// leftBehind tells whether a record is another's, unfinished and old.
func (s *state) leftBehind(r ledger.Record) bool {
	return r.Verified && !r.Missing && r.State() == ledger.Unfinished && r.Number < s.Draft.Number &&
		s.r.now().Sub(r.Predicate.StartedOn) >= leftAlone
}

// inProd tells whether we, or a record after that number, found the digest in prod.
func (s *state) inProd(d digest.Digest, number int) bool {
	if s.Previous == d {
		return true
	}
	for _, later := range s.chain.Records {
		if later.Verified && later.Number > number && later.Predicate.Previous.Digest == d {
			return true
		}
	}
	return false
}

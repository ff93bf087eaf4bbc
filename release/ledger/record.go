package ledger

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// Record is one entry of a channel. Only a Verified one proves anything; of
// the others the predicate is a claim, with its texts cut and cleaned.
type Record struct {
	Number    int
	Tag       string
	Digest    digest.Digest // of its manifest
	Predicate evidence.PromotionPredicate
	Verified  bool   // signed by a group of records, for this repository and channel
	Signer    string // the id that trust gives the key; "" for a plain key
	// Problem is why it is not verified; of a verified record, what else is
	// odd about it. "" if nothing is.
	Problem    string
	Missing    bool        // it was taken out of the ledger; this machine remembers it
	Completion *Completion // verified; nil: none

	unknown bool // the key that may have signed it is not known
}

// Completion is the verified account of what became of a record that was
// written ahead of the move.
type Completion struct {
	Digest    digest.Digest // of its manifest
	Predicate evidence.CompletionPredicate
	Signer    string
}

// State is what is known about a record.
type State string

// The states of a record.
const (
	Complete   State = "complete"   // the channel moved, everything was done
	Unfinished State = "unfinished" // written ahead; whether the channel moved is not said
	Abandoned  State = "abandoned"  // the channel was not moved
)

// State tells what the record, with its completion, says about itself.
func (r Record) State() State {
	switch {
	case r.Completion != nil && r.Completion.Predicate.Outcome == evidence.OutcomeAbandoned:
		return Abandoned
	case r.Completion != nil || !r.Predicate.FinishedOn.IsZero():
		return Complete
	}
	return Unfinished
}

// At is when the record's action ended, as signed; when it began if that is not known.
func (r Record) At() time.Time {
	switch {
	case !r.Predicate.FinishedOn.IsZero():
		return r.Predicate.FinishedOn
	case r.Completion != nil && !r.Completion.Predicate.FinishedOn.IsZero():
		return r.Completion.Predicate.FinishedOn
	}
	return r.Predicate.StartedOn
}

// Seconds is how long the action took; 0 if that is not known.
func (r Record) Seconds() float64 {
	if r.Completion != nil && r.Predicate.Seconds == 0 {
		return r.Completion.Predicate.Seconds
	}
	return r.Predicate.Seconds
}

// counts tells whether the record may say something about prod.
func (r Record) counts() bool { return r.Verified && r.State() != Abandoned }

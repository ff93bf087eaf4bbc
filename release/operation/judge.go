package operation

import (
	"context"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
)

// Question is what a Judge is asked about.
type Question struct {
	Service  config.Service
	Digest   digest.Digest // the candidate
	Prod     digest.Digest // what the channel points at; "" for none
	Promoter string        // id of who promotes, "" if unknown
	// Requesters are those who asked the promoter, a pipeline.
	Requesters []string
	// Overrides are the gates that the promoter asks to go past; the policy lets them.
	Overrides []gates.Override
}

// Judgement is a verdict with what a record says about it. It is journaled:
// a promotion that is resumed finishes with the judgement that it began with.
type Judgement struct {
	Verdict gates.State   `json:"verdict"`
	Checks  []gates.Check `json:"checks"`
	Policy  string        `json:"policy"` // digest of the policy, "sha256:…"
	// Document is the policy itself, for the ledger.
	Document []byte `json:"document,omitempty"`
	// Tags are the tags in staging that point at the digest and that the
	// service's candidates.tags selects. Without one it may not be promoted.
	Tags []string `json:"tags"`
}

// Judge reads evidence and decides; the desk is one.
type Judge interface {
	// Judge resolves the digest in staging, reads its evidence again, never from
	// memory, and evaluates the gates. A candidate that is gone is an error with
	// registry.ErrNotFound in its chain; evidence that cannot be read is no error
	// here but a check that blocks.
	Judge(ctx context.Context, q Question) (Judgement, error)
	// Objections reads once more, right before the channel moves, what can only
	// say no: checks that now fail (failed results, rejections, revocations,
	// remembered negatives) and quarantines. It returns them in words; nil means
	// that there are none. Evidence that merely grew old since the judgement is no
	// objection. What cannot be read is an error, and the channel stays.
	Objections(ctx context.Context, q Question) ([]string, error)
}

package operation

import (
	"context"

	"plimsoll/config/fault"
)

// adoption is the list of steps that sign a first record for what is in prod.
func adoption() []step {
	return []step{
		{name: "look", words: "look at prod and its ledger", phase: looking, do: lookAt},
		{name: "resume", words: "look whether prod is as it was", phase: checking, do: stillThere},
		{name: "identity", words: "get the promote identity", phase: writing, do: mayPush},
		{name: "release-tag", words: "put the release tag", phase: writing, done: tagged, do: putTag},
		{name: "record", words: "write the record", phase: writing, done: recorded, do: writeRecord},
		{name: "audit", words: "note it in the audit chain", phase: writing, done: audited, do: audit},
	}
}

// lookAt finds what there is to adopt. What has a record is adopted already.
func lookAt(ctx context.Context, s *state) error {
	channel, err := s.pointsAt(ctx)
	if err != nil {
		return err
	}
	s.Target = channel
	if err := s.expected(channel); err != nil {
		return err
	}
	if channel == "" {
		return fault.New(fault.Failed, "promote a candidate: plimsoll list "+s.service.Name, nil,
			"adopt %s: the channel %s points at nothing yet", s.service.Name, s.channel())
	}
	if err := s.readLedger(ctx); err != nil {
		return err
	}
	if s.chain.Current(channel) != nil {
		return errUnchanged
	}
	if s.chain.Head != nil {
		s.Previous = s.chain.Head.Predicate.To.Digest // what the ledger believed to be in prod
	}
	if err := s.onTime(true); err != nil {
		return err
	}
	return s.signing(ctx)
}

// stillThere finds, after a crash, a channel that moved since.
func stillThere(ctx context.Context, s *state) error {
	if !s.resumed {
		return nil
	}
	channel, err := s.pointsAt(ctx)
	if err != nil || channel == s.Target {
		return err
	}
	return s.overtaken(channel, nil)
}

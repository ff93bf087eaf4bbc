package operation

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/release/ledger"
)

var (
	// errOthers is in the chain of an error about a channel that somebody else
	// moved between our write and our reading back.
	errOthers = errors.New("somebody else moved the channel")
	// errUncertain is in the chain of an error after which only the registry
	// knows whether the channel moved.
	errUncertain = errors.New("it is not known whether the channel moved")
)

// move is the one write that changes prod. Up to here prod is wholly as it
// was. From the journal entry on nobody cancels it: an interrupted write could
// arrive. What counts is what the channel says afterwards.
func move(ctx context.Context, s *state) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.Moving = true
	if err := s.save(); err != nil {
		s.Moving = false
		return err
	}
	ctx = context.WithoutCancel(ctx)
	var err error
	for n := range attempts {
		if n > 0 && s.r.wait(ctx, attemptPause<<(n-1)) != nil {
			break
		}
		if err = s.attemptMove(ctx, n > 0); err == nil || hopeless(err) {
			break
		}
	}
	if err == nil || errors.Is(err, errOthers) {
		s.op.Moved, s.Finished = true, s.r.now().UTC()
	}
	if err == nil {
		s.tell(nil)
	}
	return err
}

// load reads the target's manifest in prod: what is written must be there.
func (s *state) load(ctx context.Context) error {
	if s.manifest.Raw != nil {
		return nil
	}
	m, err := s.reader.Manifest(ctx, s.prod, s.Target.String())
	if notFound(err) {
		return fault.New(fault.Failed, "choose another digest: plimsoll history "+s.service.Name, err,
			"%s: prod no longer has %s", s.what(), s.Target)
	}
	if err != nil {
		return fmt.Errorf("%s: read it in prod: %w", s.what(), err)
	}
	s.manifest = m
	return nil
}

// attemptMove writes the channel once and reads it back, whatever the answer
// to the write was. Before a second attempt it looks whether the first arrived
// late, or somebody else was faster: their move is not to be undone.
func (s *state) attemptMove(ctx context.Context, again bool) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	if again {
		switch channel, err := s.pointsAt(ctx); {
		case err != nil:
			return fmt.Errorf("%w: %w", errUncertain, err)
		case channel == s.Target:
			return nil
		case channel != s.Previous:
			return s.overtaken(channel, nil)
		}
	}
	put := s.identity().PutManifest(ctx, s.prod, s.service.Channel, s.manifest)
	channel, err := s.pointsAt(ctx)
	switch {
	case err != nil && put == nil:
		return fmt.Errorf("%w: the write was accepted, reading it back failed: %w", errUncertain, err)
	case err != nil:
		return fmt.Errorf("%w: %w", errUncertain, fault.Join(put, err))
	case channel == s.Target:
		return nil
	case put == nil:
		return fmt.Errorf("%w: %s points at %s right after it was moved to %s", errOthers, s.channel(), short(channel), short(s.Target))
	case channel != s.Previous:
		return s.overtaken(channel, put)
	}
	return fmt.Errorf("move the channel %s: %w", s.channel(), put)
}

func (s *state) overtaken(channel digest.Digest, cause error) error {
	return fault.New(fault.Moved, "look at prod again, then decide", cause,
		"%s: prod moved meanwhile: %s points at %s; it was left there", s.what(), s.channel(), short(channel))
}

// hasMoved tells on which side of the move an earlier start left prod, from
// what the channel and the ledger say. Without the journal's word that the
// write may have been sent, it was not.
func (s *state) hasMoved(channel digest.Digest) bool {
	switch {
	case s.op.Moved:
		return true
	case s.Via != nil && s.chain != nil && s.ours() != nil && s.ours().State() == ledger.Complete:
		return true
	case !s.Moving:
		return false
	case channel == s.Target:
		return true
	case s.chain == nil:
		return false
	}
	for _, later := range s.chain.Records { // somebody found it there and moved on
		if later.Verified && later.Predicate.Previous.Digest == s.Target && later.Predicate.StartedOn.After(s.op.Started) {
			return true
		}
	}
	return false
}

// platforms are the manifests of an index's images, none for an image alone.
func (s *state) platforms(ctx context.Context, d digest.Digest) ([]digest.Digest, error) {
	raw := s.remembered(d)
	if raw == nil {
		m, err := s.reader.Manifest(ctx, s.prod, d.String())
		if err != nil {
			return nil, fmt.Errorf("read the platforms of %s: %w", s.prod.At(d), err)
		}
		raw = m.Raw
		s.remember(raw)
	}
	return platformsOf(raw), nil
}

// remembered is a manifest that this machine has, nil if it does not.
func (s *state) remembered(d digest.Digest) []byte {
	if s.manifest.Raw != nil && s.manifest.Descriptor.Digest == d {
		return s.manifest.Raw
	}
	raw, err := s.r.Journal.Content(d)
	if err != nil {
		return nil
	}
	return raw
}

// remember keeps what is named by its digest; a store that fails costs requests only.
func (s *state) remember(raw ...[]byte) { _ = s.r.Journal.PutContent(raw...) }

package operation

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/delivery"
)

// maxSkew is how far the local clock may be off the registries'.
const maxSkew = 5 * time.Minute

// look reads, before anything is asked for or written, what would keep a
// promotion from ending well: the delivery, the channel, the key, the ledger.
func look(ctx context.Context, s *state) error {
	if err := s.deliverable(); err != nil {
		return err
	}
	channel, err := s.pointsAt(ctx)
	if err != nil {
		return err
	}
	if channel == s.Target {
		s.Previous = channel
		s.withoutRecord(ctx)
		return errUnchanged
	}
	if err := s.expected(channel); err != nil {
		return err
	}
	s.Previous = channel
	if s.Via == nil { // else the pipeline signs
		if err := s.signing(ctx); err != nil {
			return err
		}
	}
	if err := s.readLedger(ctx); err != nil {
		return fault.New(fault.CodeOf(err), "a promotion needs its ledger; promote again when it can be read", err,
			"%s: the ledger %s cannot be read, nothing was changed", s.what(), s.books)
	}
	if channel != "" && s.chain.Current(channel) == nil {
		s.warn("the channel points at %s, which has no record: it was pushed past the gate; the record of this promotion names it", channel)
	}
	if err := s.ready(ctx, s.reader); err != nil {
		return err
	}
	if _, err := s.reader.HasReferrersAPI(ctx, s.prod); err != nil {
		return fmt.Errorf("ask how %s keeps referrers: %w", s.prod, err)
	}
	return s.onTime(true)
}

// expected compares the channel with what the caller saw.
func (s *state) expected(channel digest.Digest) error {
	want := s.Request.Expect
	if want == "" || want == channel.String() || want == None && channel == "" {
		return nil
	}
	return fault.New(fault.Moved, "look at the difference again, then decide: plimsoll diff "+s.service.Name+" "+s.Target.String(), nil,
		"%s: prod moved since it was shown: %s points at %s, not at %s; nothing was changed", s.what(), s.channel(), short(channel), want)
}

// withoutRecord warns about what is in prod past the gate.
func (s *state) withoutRecord(ctx context.Context) {
	if s.readLedger(ctx) == nil && s.chain.Current(s.Previous) == nil {
		s.warn("%s is in prod without a record; plimsoll adopt %s signs one", s.Previous, s.service.Name)
	}
}

// onTime compares the local clock with the registries': signed times depend on
// it. A rollback only warns.
func (s *state) onTime(refuse bool) error {
	for _, host := range []string{s.staging.Host, s.prod.Host} {
		skew, known := s.reader.Skew(host)
		if !known || skew.Abs() <= maxSkew {
			continue
		}
		if !refuse {
			s.warn("the local clock is %s off that of %s; signed times will be wrong", skew.Abs().Round(time.Second), host)
			continue
		}
		return fault.New(fault.Failed, "set the clock of this machine, then promote again", nil,
			"%s: the local clock is %s off that of %s, more than %s; nothing was changed",
			s.what(), skew.Abs().Round(time.Second), host, maxSkew)
	}
	return nil
}

// signing opens the person's key, once, and sees to it that its records would count.
func (s *state) signing(ctx context.Context) error {
	if s.signer != nil {
		s.Actor = cmp.Or(s.Actor, s.id)
		return nil
	}
	hint := "name a key under signing in personal.yaml; plimsoll key generate makes one"
	if s.r.Signer == nil {
		return fault.New(fault.Usage, hint, nil, "%s: there is no key to sign the record with; nothing was changed", s.what())
	}
	signer, id, err := s.r.Signer(ctx)
	if err != nil {
		return fmt.Errorf("%s: open the key that signs the record: %w", s.what(), err)
	}
	if !s.counts(signer.Public()) {
		return fault.New(fault.Usage, "records of "+s.service.Name+" are signed by: "+words(s.service.Records), nil,
			"%s: the key of %q is in no group that may sign records, so a record by it would count for nothing", s.what(), id)
	}
	s.signer, s.id = signer, id
	s.Actor = cmp.Or(s.Actor, id)
	return nil
}

// counts tells whether a record by that key counts now.
func (s *state) counts(public crypto.PublicKey) bool {
	now := s.r.now()
	return slices.ContainsFunc(s.recorders(), func(g config.Group) bool {
		return slices.ContainsFunc(g.Members(), func(m config.Person) bool { return m.Key.Is(public) && m.Key.Counts(now) })
	})
}

// recorders are the groups whose records count.
func (s *state) recorders() []config.Group { return gates.Recorders(s.rules()) }

// deliverable finds a delivery that could not run before anything has changed.
func (s *state) deliverable() error {
	if s.Via != nil { // the pipeline delivers
		return nil
	}
	e := s.event()
	if e.Digest == "" { // a rollback that has no target yet
		e.Digest = digest.FromString("")
		e.Reference = s.prod.At(e.Digest)
	}
	return delivery.Check(s.service.Deliver, e, s.delivering()) //nolint:wrapcheck // it names service and remedy
}

func (s *state) event() delivery.Event {
	return delivery.Event{Reference: s.prod.At(s.Target), Digest: s.Target, Service: s.service.Name, Channel: s.service.Channel, Previous: s.Previous}
}

func (s *state) delivering() delivery.Options {
	return delivery.Options{Commands: s.r.Commands, Dir: s.r.Config.Dir, Environ: s.r.Environ, Secrets: s.r.Config.SecretVariables()}
}

// mayPush asks for the promote identity and proves that it may write, before
// bytes are copied for nothing.
func mayPush(ctx context.Context, s *state) error {
	if err := s.signing(ctx); err != nil { // of a resumed promotion
		return err
	}
	if err := s.ready(ctx, s.identity()); err != nil { // it may know what the everyday identity may not
		return err
	}
	for _, repo := range []registry.Repository{s.prod, s.books} {
		if err := s.identity().CanPush(ctx, repo); err != nil {
			return fmt.Errorf("the promote identity may not write %s: %w", repo, err)
		}
	}
	return nil
}

// ready finds rules of prod's repositories that would refuse a promotion
// half-way: tags that cannot move, a repository that is not there.
func (s *state) ready(ctx context.Context, c *registry.Client) error {
	needs := registry.Needs{
		Moves: []string{s.service.Channel}, Adds: []string{ReleaseTag(s.Target)}, Lists: []string{registry.Fallback(s.Target)},
	}
	if err := c.Ready(ctx, s.prod, needs); err != nil {
		return fmt.Errorf("%s: nothing was changed: %w", s.what(), err)
	}
	if err := c.Ready(ctx, s.books, registry.Needs{}); err != nil {
		return fmt.Errorf("%s: nothing was changed: the ledger: %w", s.what(), err)
	}
	return nil
}

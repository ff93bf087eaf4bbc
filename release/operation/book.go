package operation

import (
	"cmp"
	"context"
	"math"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
	"plimsoll/release/ledger"
)

// toolName is what statements call this program.
const toolName = "plimsoll"

// readLedger reads the ledger now. On an error s.chain is what this machine knew.
func (s *state) readLedger(ctx context.Context) error {
	chain, err := ledger.New(s.reader, s.books, s.r.Journal).Read(ctx, s.recorders(), s.prod, s.service.Channel)
	s.chain = &chain
	return err //nolint:wrapcheck // it names the ledger
}

// book is the ledger with the promote identity.
func (s *state) book() *ledger.Ledger {
	return ledger.New(s.identity(), s.books, s.r.Journal).Trusting(s.recorders())
}

// recorded tells whether the ledger has our record. A draft whose number
// somebody else took before ours was published is dropped: its successor is signed anew.
func recorded(ctx context.Context, s *state) (bool, error) {
	switch {
	case s.Draft == nil:
		return false, nil
	case s.Record != nil && !s.resumed:
		return true, nil
	}
	if err := s.readLedger(ctx); err != nil {
		return false, err
	}
	if s.chain.Find(s.Draft.Digest) != nil {
		s.Record = &s.Draft.Digest
		return true, nil
	}
	if s.chain.Highest >= s.Draft.Number {
		s.Draft = nil
	}
	return false, nil
}

// writeRecord signs the record, journals the signed bytes, then publishes
// them: whatever breaks in between, they are published once.
func writeRecord(ctx context.Context, s *state) error {
	if err := s.signing(ctx); err != nil {
		return err
	}
	if s.Draft == nil {
		p, err := s.predicate(ctx)
		if err != nil {
			return err
		}
		d, r, err := s.book().Draft(ctx, s.signer, p)
		if err != nil {
			return err
		}
		s.Draft = &draft{Draft: d, Number: r.Number}
		if err := s.save(); err != nil && !s.op.Moved {
			s.Draft = nil
			return err
		}
	}
	if err := s.book().Publish(ctx, s.Draft.Draft); err != nil {
		return err
	}
	s.Record = &s.Draft.Digest
	return nil
}

// predicate is the record of the operation.
func (s *state) predicate(ctx context.Context) (evidence.PromotionPredicate, error) {
	p := evidence.PromotionPredicate{
		Action: s.op.Action, Service: s.service.Name, Channel: s.service.Channel,
		From:     evidence.Place{URI: s.staging.String(), Digest: s.Target, Tags: s.Judgement.Tags},
		To:       evidence.Place{URI: s.prod.String(), Digest: s.Target, Tags: s.outcome().Tags},
		Previous: evidence.Pointer{Digest: s.Previous}, Policy: evidence.Pointer{Digest: s.policy()},
		Actor: evidence.Identity{ID: s.actor()}, Reason: s.Request.Reason, Gates: []evidence.PassedGate{},
		Overrides: append([]string{}, s.overridden()...), Quarantines: []evidence.Pointer{}, StartedOn: s.op.Started,
		Tool: evidence.Tool{Name: toolName, Version: s.r.Version}, Operation: cmp.Or(s.Request.Operation, s.op.ID),
	}
	for _, asker := range s.requesters() {
		p.RequestedBy = append(p.RequestedBy, evidence.Identity{ID: clean.Text(asker)})
	}
	s.identify()
	p.Identity = s.Identity
	// A store that cannot tell its head is audit verify's business.
	_, p.AuditHead, _ = s.r.Journal.AuditHead()
	// A rollback has just read the chain; naming its head saves the ledger a look.
	if s.op.Action == ActionRollback && s.chain != nil && s.chain.Head != nil {
		p.PreviousRecord.Digest = s.chain.Head.Digest
	}
	for _, c := range s.Judgement.Checks {
		g := evidence.PassedGate{Gate: c.Gate, Status: string(c.Status), Evidence: []evidence.Pointer{}}
		for _, d := range c.Evidence {
			g.Evidence = append(g.Evidence, evidence.Pointer{Digest: d})
		}
		p.Gates = append(p.Gates, g)
	}
	if s.op.Action == ActionPromote {
		return p, nil
	}
	p.From = evidence.Place{URI: s.prod.String(), Digest: s.Target}
	p.FinishedOn, p.Seconds = s.Finished, s.seconds()
	if s.Finished.IsZero() {
		p.FinishedOn = s.r.now().UTC()
	}
	return p, s.quarantined(ctx, &p)
}

// quarantined names what a rollback leaves, with its platforms: its record
// quarantines them.
func (s *state) quarantined(ctx context.Context, p *evidence.PromotionPredicate) error {
	if s.Left == "" {
		return nil
	}
	platforms, err := s.platforms(ctx, s.Left)
	if err != nil && !notFound(err) {
		return err
	}
	for _, d := range append([]digest.Digest{s.Left}, platforms...) {
		p.Quarantines = append(p.Quarantines, evidence.Pointer{Digest: d})
	}
	return nil
}

// policy is the digest of the policy that holds now, or of the one that judged.
func (s *state) policy() digest.Digest {
	if s.Judgement.Policy != "" {
		return digest.Digest(s.Judgement.Policy)
	}
	return digest.Digest(s.rules().Digest())
}

// completion is what became of our record.
func (s *state) completion(outcome, reason string) evidence.CompletionPredicate {
	c := evidence.CompletionPredicate{
		Service: s.service.Name, Channel: s.service.Channel, Outcome: outcome, Reason: reason,
		Actor: evidence.Identity{ID: s.id}, FinishedOn: s.r.now().UTC(), Seconds: s.seconds(),
		Tool: evidence.Tool{Name: toolName, Version: s.r.Version},
	}
	switch {
	case s.Skipped != "":
		c.Delivery = s.Skipped
	case s.Delivery != nil:
		c.Delivery = s.Delivery.Kind + ": " + s.Delivery.Detail
	}
	c.Seconds = math.Max(0, c.Seconds)
	return c
}

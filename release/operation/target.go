package operation

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// pickTarget finds where a rollback goes. unread is why the ledger could not
// be read; then s.chain is what this machine knew.
func (s *state) pickTarget(ctx context.Context, unread error) error {
	if unread != nil {
		s.warn("the ledger could not be read (%v); the target comes from what this machine knew", unread)
	}
	if s.Request.Digest == "" {
		return s.pickLastGood(unread)
	}
	s.Target = s.Request.Digest
	if s.chain.Target(s.Target) == nil {
		if err := s.vouched(ctx, unread); err != nil {
			return err
		}
	}
	if why := s.badBecause(s.Target); why != "" && s.Request.Reason == "" {
		return fault.New(fault.Usage, "say why with --reason if it must be", nil,
			"%s: it is quarantined: %s", s.what(), clean.Text(why))
	}
	return nil
}

// pickLastGood takes the newest digest that was in prod and is not
// quarantined, neither in the ledger nor by a rollback whose record is owed.
func (s *state) pickLastGood(unread error) error {
	if t := s.chain.LastGood(s.Previous); t != nil && s.badBecause(t.Digest) == "" {
		s.Target = t.Digest
		return nil
	}
	for _, t := range s.chain.Targets(s.Previous) {
		if s.badBecause(t.Digest) == "" {
			s.Target = t.Digest
			return nil
		}
	}
	hint := "plimsoll history " + s.service.Name + " shows what was in prod; name a digest to go back to"
	return fault.New(fault.Failed, hint, unread,
		"rollback %s: there is nothing to roll back to: no verified record of another digest that is not quarantined", s.service.Name)
}

// badBecause is why a digest is quarantined, "" if it is not.
func (s *state) badBecause(d digest.Digest) string {
	all := append([]digest.Digest{d}, platformsOf(s.remembered(d))...)
	if why := s.chain.QuarantinedBy(all...); why != "" {
		return why
	}
	for _, old := range s.earlier {
		if old.op.Action == ActionRollback && old.op.Moved && old.Left == d && old.Record == nil {
			return "a rollback left it; that is not in the ledger yet"
		}
	}
	return ""
}

// vouched accepts a named target without a record only while the ledger
// cannot be read, and only by the signed summary that its promotion attached in prod.
func (s *state) vouched(ctx context.Context, unread error) error {
	hint := "plimsoll history " + s.service.Name + " shows the digests that were in prod"
	if unread == nil {
		return fault.New(fault.Failed, hint, nil,
			"%s: the ledger has no verified record of %s for this service; only what was in prod can be rolled back to", s.what(), s.Target)
	}
	found, err := s.reader.Referrers(ctx, s.prod, s.Target, nil)
	if err != nil {
		return fmt.Errorf("%s: the ledger cannot be read; look for its verification summary in prod: %w", s.what(), err)
	}
	for _, d := range found.Descriptors {
		if d.Annotations[evidence.AnnotationPredicate] == evidence.VSA && s.summaryCounts(ctx, d) {
			s.warn("%s has a verified summary in prod; its record could not be looked up", s.Target)
			return nil
		}
	}
	return fault.New(fault.Failed, hint, unread, "%s: the ledger cannot be read and prod has no verified summary of %s", s.what(), s.Target)
}

// summaryCounts verifies one summary with the keys of records.
func (s *state) summaryCounts(ctx context.Context, d ocispec.Descriptor) bool {
	m, err := s.reader.Manifest(ctx, s.prod, d.Digest.String())
	if err != nil {
		return false
	}
	layers := layersOf(m.Raw)
	if len(layers) != 1 {
		return false
	}
	raw, err := s.reader.Blob(ctx, s.prod, layers[0], registry.MaxBundle)
	if err != nil {
		return false
	}
	item := evidence.Item{Subject: s.Target, Manifest: d.Digest, Layer: layers[0].Digest, Form: evidence.Bundle, Raw: raw}
	for _, g := range s.recorders() {
		v, err := evidence.Verify(item, g, s.r.now())
		if err == nil && v.About(s.Target) && v.Statement.PredicateType == evidence.VSA && passedHere(v.Statement.Predicate, s.prod.At(s.Target)) {
			return true
		}
	}
	return false
}

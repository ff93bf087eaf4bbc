package operation

import (
	"context"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// document is the policy that judged, nil if nobody knows it any more: an
// operation of an older version was finished after the configuration changed.
func (s *state) document() []byte {
	for _, raw := range [][]byte{s.Judgement.Document, s.rules().Document()} {
		if digest.FromBytes(raw) == s.policy() {
			return raw
		}
	}
	return nil
}

// policyKept tells whether the ledger has the policy that judged.
func policyKept(_ context.Context, s *state) (bool, error) {
	if s.document() == nil {
		s.warn("the policy %s is not known any more; the ledger does not get it", s.policy())
		return true, nil
	}
	return s.chain != nil && s.chain.Document(s.policy()) != nil, nil
}

// keepPolicy writes the policy that judged into the ledger, so that the record
// can be judged again when the configuration has changed. It approves nothing: an
// owner does that.
func keepPolicy(ctx context.Context, s *state) error {
	if err := s.signing(ctx); err != nil {
		return err
	}
	if s.Policy == nil {
		d, err := s.book().DraftPolicy(ctx, s.signer, evidence.PolicyPredicate{
			Policy: s.document(), Service: s.service.Name, Decision: evidence.Used,
			Actor: evidence.Identity{ID: s.actor()}, DecidedOn: s.op.Started,
		})
		if err != nil {
			return err //nolint:wrapcheck // it names the service
		}
		s.Policy = &d
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.book().Publish(ctx, *s.Policy) //nolint:wrapcheck // it names entry and ledger
}

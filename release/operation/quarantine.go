package operation

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

// Quarantine signs that a digest must not be promoted, or with Lift that it may
// be again, and writes that to the ledger. Nothing in prod changes; what is in
// force already is left alone.
func (r *Runner) Quarantine(ctx context.Context, req QuarantineRequest) (Quarantined, error) {
	action := ActionQuarantine
	if req.Lift {
		action = ActionLift
	}
	if err := fullDigest(req.Digest); err != nil {
		return Quarantined{}, err
	}
	if req.Reason == "" {
		return Quarantined{}, fault.New(fault.Usage, "say why with --reason", nil, "%s %s: a reason is required", action, req.Service)
	}
	s, err := r.prepare(request{Action: action, Service: req.Service, Digest: req.Digest, Reason: req.Reason}, nil)
	if err != nil {
		return Quarantined{}, err
	}
	defer s.drop()
	if err := s.signing(ctx); err != nil {
		return Quarantined{}, err
	}
	if err := s.readLedger(ctx); err != nil {
		return Quarantined{}, err
	}
	out := Quarantined{Service: req.Service, Digest: req.Digest, Reason: req.Reason, Lifted: req.Lift}
	if out.Evidence, err = s.pronounce(ctx, req); err != nil {
		return Quarantined{}, err
	}
	out.Unchanged = out.Evidence == ""
	if out.Unchanged {
		return out, nil
	}
	data := map[string]any{"digest": req.Digest, "reason": req.Reason, "evidence": out.Evidence, "lift": req.Lift}
	if _, err := r.Journal.Audit(action, req.Service, s.actor(), data); err != nil {
		return out, fmt.Errorf("%s is written; note it in the audit chain: %w", action, err)
	}
	return out, nil
}

// pronounce writes the statement, or one lift for each quarantine in force. ""
// means that there was nothing to do.
func (s *state) pronounce(ctx context.Context, req QuarantineRequest) (digest.Digest, error) {
	platforms, err := s.anyPlatforms(ctx, req.Digest)
	if err != nil {
		return "", err
	}
	p := evidence.QuarantinePredicate{
		Digest: req.Digest, Platforms: []digest.Digest{}, Prod: s.prod.String(), Reason: req.Reason,
		Actor: evidence.Identity{ID: s.actor()}, DecidedOn: s.r.now().UTC(),
	}
	if !req.Lift {
		if len(s.chain.Standing(req.Digest)) > 0 {
			return "", nil
		}
		p.Platforms = append(p.Platforms, platforms...)
		return s.book().Quarantine(ctx, s.signer, p) //nolint:wrapcheck // it names digest and ledger
	}
	var last digest.Digest
	// A record quarantines an image and its platforms one by one, so all of them are lifted.
	for _, q := range s.chain.Standing(append([]digest.Digest{req.Digest}, platforms...)...) {
		p.Lifts.Digest = q.Digest
		p.Digest = q.Predicate.Digest
		d, err := s.book().Quarantine(ctx, s.signer, p)
		if err != nil {
			return "", err //nolint:wrapcheck // as above
		}
		last = d
	}
	return last, nil
}

// anyPlatforms are the platforms of a digest in prod or staging. One that is
// in neither can be quarantined too: it may come back.
func (s *state) anyPlatforms(ctx context.Context, d digest.Digest) ([]digest.Digest, error) {
	platforms, err := s.platforms(ctx, d)
	if err == nil || !notFound(err) {
		return platforms, err
	}
	m, err := s.reader.Manifest(ctx, s.staging, d.String())
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the platforms of %s: %w", s.staging.At(d), err)
	}
	return platformsOf(m.Raw), nil
}

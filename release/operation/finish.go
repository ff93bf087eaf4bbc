package operation

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/release/delivery"
	"plimsoll/release/ledger"
)

func delivered(_ context.Context, s *state) (bool, error) {
	return s.Delivery != nil || s.Skipped != "", nil
}

// deliver tells prod compute. After a crash it may tell twice; it never tells
// of a digest that the channel has left meanwhile.
func deliver(ctx context.Context, s *state) error {
	if s.resumed {
		channel, err := s.pointsAt(ctx)
		if err != nil {
			return err
		}
		if channel != s.Target {
			s.Skipped = fmt.Sprintf("not delivered: the channel points at %s since", short(channel))
			return nil
		}
	}
	result, err := delivery.Deliver(ctx, s.service.Deliver, s.event(), s.delivering())
	if err != nil {
		return err //nolint:wrapcheck // it names the command and what it said
	}
	s.Delivery = &result
	return nil
}

// completed tells whether the ledger says what became of our record.
func completed(ctx context.Context, s *state) (bool, error) {
	if !s.resumed {
		return false, nil
	}
	if err := s.readLedger(ctx); err != nil {
		return false, err
	}
	r := s.chain.Find(s.Draft.Digest)
	return r != nil && r.Completion != nil && r.Completion.Predicate.Outcome == evidence.OutcomeDone, nil
}

// complete says in the ledger that the move and the delivery are done.
func complete(ctx context.Context, s *state) error {
	if err := s.signing(ctx); err != nil {
		return err
	}
	return s.book().Complete(ctx, s.signer, s.record(), s.completion(evidence.OutcomeDone, "")) //nolint:wrapcheck // it names record and ledger
}

// record is our record as the ledger has it, or as we wrote it.
func (s *state) record() ledger.Record {
	if s.chain != nil {
		if r := s.chain.Find(s.Draft.Digest); r != nil {
			return *r
		}
	}
	r := ledger.Record{Number: s.Draft.Number, Tag: s.Draft.Tag, Digest: s.Draft.Digest, Verified: true}
	r.Predicate.Service, r.Predicate.Channel, r.Predicate.Number = s.service.Name, s.service.Channel, s.Draft.Number
	return r
}

// AuditData is what the local audit chain keeps of an operation.
type AuditData struct {
	Operation string         `json:"operation"`
	Digest    digest.Digest  `json:"digest"`
	Previous  *digest.Digest `json:"previous"`
	Record    *digest.Digest `json:"record"`
	Reason    string         `json:"reason"`
	Seconds   float64        `json:"seconds"`
	Tags      []string       `json:"tags"`
	Delivery  string         `json:"delivery,omitempty"`
	Overrides []string       `json:"overrides,omitempty"`
	// Run is the link to the pipeline's run that did it; RequestedBy, for a
	// pipeline, who asked it.
	Run         string   `json:"run,omitempty"`
	RequestedBy []string `json:"requestedBy,omitempty"`
}

// audited looks, after a crash, whether the chain has the operation.
func audited(_ context.Context, s *state) (bool, error) {
	if s.Audited || !s.resumed {
		return s.Audited, nil
	}
	for e, err := range s.r.Journal.AuditEntries() {
		if err != nil {
			return false, fmt.Errorf("read the audit chain: %w", err)
		}
		var d AuditData
		if e.Action == s.op.Action && json.Unmarshal(e.Data, &d) == nil && d.Operation == s.op.ID {
			return true, nil
		}
	}
	return false, nil
}

func audit(_ context.Context, s *state) error {
	o := s.outcome()
	data := AuditData{
		Operation: s.op.ID, Digest: o.Digest, Previous: o.Previous, Record: o.Record,
		Reason: s.Request.Reason, Seconds: o.Seconds, Tags: o.Tags, Delivery: s.completion("", "").Delivery, Overrides: o.Overrides,
	}
	data.RequestedBy = o.RequestedBy
	if o.Via != nil {
		data.Run = o.Via.Link
	}
	if _, err := s.r.Journal.Audit(s.op.Action, s.service.Name, s.actor(), data); err != nil {
		return fmt.Errorf("note the %s in the audit chain: %w", s.op.Action, err)
	}
	s.Audited = true
	return nil
}

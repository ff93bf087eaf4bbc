package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// court decides what entries prove: for one repository and channel, with the
// keys of some groups.
type court struct {
	*Ledger
	groups  []config.Group
	prod    registry.Repository
	channel string
}

// verdict is what one entry says, believed or not.
type verdict[T any] struct {
	predicate T
	signer    string
	problem   string // why it proves nothing; "": it is believed
	unknown   bool   // a key that may have signed it is not known: it may prove what it says
}

// judge verifies an entry with the groups, then decodes the predicate from the
// verified bytes and asks agrees whether statement and predicate say what the
// tag says. Of an entry that is not believed the predicate is a bare claim.
func judge[T any](c court, e entry, predicateType string, agrees func(T, evidence.Statement) error) (v verdict[T]) {
	item := evidence.Item{Manifest: e.Manifest, Layer: e.Bundle, Form: evidence.Bundle, Raw: e.raw, Problem: e.problem}
	if e.problem != "" {
		v.problem = e.problem
		return v
	}
	opened, err := evidence.Open(item)
	if err != nil {
		v.problem = clean.Text(err.Error())
		return v
	}
	verified, err := c.signed(opened)
	if err == nil {
		err = read(verified.Statement, predicateType, &v.predicate)
	}
	if err == nil {
		err = agrees(v.predicate, verified.Statement)
	}
	if err != nil {
		v.predicate = claim[T](item)
		v.problem = clean.Text(err.Error())
		v.unknown = errors.Is(err, evidence.ErrUnreadable)
		return v
	}
	v.signer = verified.Person
	return v
}

// signed tries the groups in turn. The error is that of the last, which is as
// good as any but one: that the key of a member is not known.
func (c court) signed(e *evidence.Envelope) (evidence.Verified, error) {
	err := fmt.Errorf("%w: the configuration names no group under records", evidence.ErrWrongSigner)
	for _, g := range c.groups {
		v, no := e.Verify(g, c.now())
		if no == nil {
			return v, nil
		}
		if !errors.Is(err, evidence.ErrUnreadable) {
			err = no
		}
	}
	return evidence.Verified{}, err //nolint:wrapcheck // it says all there is
}

func read(s evidence.Statement, predicateType string, into any) error {
	if s.PredicateType != predicateType {
		return fmt.Errorf("it is a %s, not a %s", s.PredicateType, predicateType)
	}
	if err := json.Unmarshal(s.Predicate, into); err != nil {
		return fmt.Errorf("%w: %w", evidence.ErrMalformed, err)
	}
	return nil
}

// promotion checks that a record counts for this repository and the channel of its tag.
func (c court) promotion(e entry) func(evidence.PromotionPredicate, evidence.Statement) error {
	return func(p evidence.PromotionPredicate, s evidence.Statement) error {
		switch {
		case p.To.Digest.Validate() != nil || !s.About(p.To.Digest):
			return fmt.Errorf("%w: it is not about the digest that it says prod got", evidence.ErrWrongSubject)
		case p.To.URI != c.prod.String():
			return fmt.Errorf("it is a record of the repository %s", p.To.URI)
		case p.Channel != e.where:
			return fmt.Errorf("it is a record of the channel %s", p.Channel)
		case p.Number != e.number:
			return fmt.Errorf("its tag says number %d, it says %d", e.number, p.Number)
		case p.StartedOn.IsZero() && p.FinishedOn.IsZero():
			return errors.New("it names no time")
		}
		return nil
	}
}

// completion checks that a completion is about the record of its tag.
func (c court) completion(r Record) func(evidence.CompletionPredicate, evidence.Statement) error {
	return func(p evidence.CompletionPredicate, s evidence.Statement) error {
		switch {
		case p.Record.Digest != r.Digest || !s.About(r.Digest):
			return fmt.Errorf("%w: it is not about the record of its tag", evidence.ErrWrongSubject)
		case p.Channel != c.channel || p.Number != r.Number:
			return errors.New("it completes a record of another channel or number")
		case p.Outcome != evidence.OutcomeDone && p.Outcome != evidence.OutcomeAbandoned:
			return fmt.Errorf("its outcome %q is none", p.Outcome)
		}
		return nil
	}
}

// quarantine checks that a quarantine counts for this repository.
func (c court) quarantine(e entry) func(evidence.QuarantinePredicate, evidence.Statement) error {
	return func(p evidence.QuarantinePredicate, s evidence.Statement) error {
		switch {
		case p.Digest.Validate() != nil || !s.About(p.Digest):
			return fmt.Errorf("%w: it is not about the digest that it names", evidence.ErrWrongSubject)
		case !strings.HasPrefix(p.Digest.Encoded(), e.image):
			return errors.New("its tag names another image")
		case p.Prod != c.prod.String():
			return fmt.Errorf("it is a quarantine of the repository %s", p.Prod)
		}
		return nil
	}
}

// record makes a Record of an entry.
func (c court) record(e entry) Record {
	v := judge(c, e, evidence.Promotion, c.promotion(e))
	r := Record{
		Number: e.number, Tag: e.tag, Digest: e.Manifest, Predicate: v.predicate, Verified: v.problem == "",
		Signer: v.signer, Problem: v.problem, Missing: e.missing, unknown: v.unknown,
	}
	if r.Verified && r.Signer != "" && r.Signer != r.Predicate.Actor.ID {
		r.Problem = clean.Text(fmt.Sprintf("it says that %s acted, the signature is that of %s", r.Predicate.Actor.ID, r.Signer))
	}
	return r
}

func (c court) quarantined(e entry) Quarantine {
	v := judge(c, e, evidence.Quarantine, c.quarantine(e))
	return Quarantine{
		Tag: e.tag, Digest: e.Manifest, Predicate: v.predicate, Verified: v.problem == "", Signer: v.signer,
		Problem: v.problem, Missing: e.missing, image: e.image, unreadable: e.raw == nil || v.unknown, unknown: v.unknown,
	}
}

// maxClaimed is how many digests of a list are kept of an entry that is not believed.
const maxClaimed = 100

// claim is what an entry says that is not believed: the few fields that
// a screen shows, cut and cleaned, so that thousands of them weigh little.
func claim[T any](item evidence.Item) (out T) {
	statement, ok := claimed(item)
	if !ok {
		return out
	}
	switch v := any(&out).(type) {
	case *evidence.PromotionPredicate:
		var p evidence.PromotionPredicate
		if json.Unmarshal(statement.Predicate, &p) == nil {
			*v = evidence.PromotionPredicate{
				Action: clean.Text(p.Action), Number: p.Number, Service: clean.Text(p.Service), Channel: clean.Text(p.Channel),
				To:    evidence.Place{URI: clean.Text(p.To.URI), Digest: valid(p.To.Digest)},
				Actor: evidence.Identity{ID: clean.Text(p.Actor.ID)}, Reason: clean.Text(p.Reason),
				StartedOn: p.StartedOn, FinishedOn: p.FinishedOn, Previous: p.Previous, Seconds: p.Seconds,
				Quarantines: p.Quarantines[:min(len(p.Quarantines), maxClaimed)],
			}
		}
	case *evidence.QuarantinePredicate:
		var p evidence.QuarantinePredicate
		if json.Unmarshal(statement.Predicate, &p) == nil {
			*v = evidence.QuarantinePredicate{
				Digest: valid(p.Digest), Platforms: p.Platforms[:min(len(p.Platforms), maxClaimed)], Prod: clean.Text(p.Prod), Reason: clean.Text(p.Reason),
				Actor: evidence.Identity{ID: clean.Text(p.Actor.ID)}, DecidedOn: p.DecidedOn, Lifts: p.Lifts,
			}
		}
	}
	return out
}

func valid(d digest.Digest) digest.Digest {
	if d.Validate() != nil {
		return ""
	}
	return d
}

// claimed is the statement inside a bundle, not verified.
func claimed(item evidence.Item) (evidence.Statement, bool) {
	var bundle struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if json.Unmarshal(item.Raw, &bundle) != nil {
		return evidence.Statement{}, false
	}
	s, err := evidence.ParseStatement(bundle.Envelope.Payload)
	return s, err == nil
}

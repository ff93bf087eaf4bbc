package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gowebpki/jcs"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// Policy is one statement about a policy. Its document is what the policy
// digest names, so who asks for a digest that a verified record names may
// believe it, whoever signed the statement. Whether an owner approved it, Signed tells.
type Policy struct {
	Tag       string
	Digest    digest.Digest            // of its manifest: what a later approval names as the one before
	Predicate evidence.PolicyPredicate // a claim, until a signature was checked
	Document  []byte                   // canonical; its SHA-256 is Predicate.Digest; nil with a Problem
	Problem   string                   // why it is none
	Missing   bool                     // it was taken out of the ledger; this machine remembers it, and it still counts

	envelope *evidence.Envelope
}

// Document is the policy of that digest, nil if nobody wrote it down.
func (c Chain) Document(policy digest.Digest) []byte {
	for _, p := range c.Policies {
		if p.Document != nil && p.Predicate.Digest == policy {
			return p.Document
		}
	}
	return nil
}

// policy reads a statement about a policy. Which keys may have signed it stands
// in the policy before it, so nothing is verified here but that it is what it names.
func (c court) policy(e entry) Policy {
	p := Policy{Tag: e.tag, Digest: e.Manifest, Problem: e.problem, Missing: e.missing}
	if e.problem != "" {
		return p
	}
	if err := p.read(e); err != nil {
		p.Problem, p.Document, p.envelope = clean.Text(err.Error()), nil, nil
	}
	return p
}

func (p *Policy) read(e entry) error {
	item := evidence.Item{Manifest: e.Manifest, Layer: e.Bundle, Form: evidence.Bundle, Raw: e.raw}
	var err error
	if p.envelope, err = evidence.Open(item); err != nil {
		return err //nolint:wrapcheck // it says all there is
	}
	statement, ok := claimed(item)
	if !ok || statement.PredicateType != evidence.Policy {
		return errors.New("it is no statement about a policy")
	}
	if err := json.Unmarshal(statement.Predicate, &p.Predicate); err != nil {
		return fmt.Errorf("%w: %w", evidence.ErrMalformed, err)
	}
	// Encoding a statement may escape what the canonical form does not.
	if p.Document, err = jcs.Transform(p.Predicate.Policy); err != nil {
		return fmt.Errorf("%w: its policy is no JSON: %w", evidence.ErrMalformed, err)
	}
	switch d := digest.FromBytes(p.Document); {
	case d != p.Predicate.Digest || !statement.About(d):
		return fmt.Errorf("%w: its policy is not the one of its digest", evidence.ErrWrongSubject)
	case !strings.HasPrefix(d.Encoded(), e.image):
		return errors.New("its tag names another policy")
	}
	return nil
}

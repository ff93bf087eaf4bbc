package release

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// ApproveRequest asks for a signed decision about a candidate.
type ApproveRequest struct {
	Service  string
	Digest   digest.Digest
	Decision string  // evidence.Approved, Rejected or Revoked; "" is Approved
	Comment  string  // at most clean.Limit characters are shown
	Expect   *string // the prod digest that the person saw, "none" for none; nil: not checked
	// Expires ends an approval; zero: the gate's max-age does, if it has one.
	Expires time.Time
}

// SignOff is a decision that was signed and attached.
type SignOff struct {
	Service  string         `json:"service"`
	Digest   digest.Digest  `json:"digest"`
	Decision string         `json:"decision"`
	Reviewer string         `json:"reviewer"`
	Prod     *digest.Digest `json:"prod"`     // what it was decided against
	Expires  *time.Time     `json:"expires"`  // null: with prod and policy only
	Evidence digest.Digest  `json:"evidence"` // manifest of the statement
	Warning  string         `json:"warning,omitempty"`
}

// none is how a caller names an empty channel.
const none = "none"

// Approve signs a decision about one candidate against what prod runs now and
// under the policy of now, and attaches it in staging. Exit code 4 if prod is
// not what the caller saw.
func (d *Desk) Approve(ctx context.Context, r ApproveRequest) (SignOff, error) {
	if err := d.mayWrite("sign off"); err != nil {
		return SignOff{}, err
	}
	if r.Decision == "" {
		r.Decision = evidence.Approved
	}
	if r.Decision != evidence.Approved && r.Decision != evidence.Rejected && r.Decision != evidence.Revoked {
		return SignOff{}, fault.New(fault.Usage, "approve, --reject or --revoke", nil, "%q is no decision", r.Decision)
	}
	p, err := d.place(r.Service)
	if err != nil {
		return SignOff{}, err
	}
	shelf := d.shelf(p.staging)
	defer shelf.flush()
	sub, err := d.subject(ctx, p, shelf, r.Digest)
	if err != nil {
		return SignOff{}, err
	}
	prod, err := d.expected(ctx, p, r.Expect)
	if err != nil {
		return SignOff{}, err
	}
	return d.signOff(ctx, p, sub, prod, r)
}

// expected is what the channel points at, if that is what the caller saw.
func (d *Desk) expected(ctx context.Context, p place, expect *string) (digest.Digest, error) {
	root, err := d.channelRoot(ctx, p)
	if err != nil || expect == nil || *expect == "" {
		return root.Digest, err
	}
	seen := digest.Digest(*expect)
	if *expect == none {
		seen = ""
	}
	if seen != root.Digest {
		return "", fault.New(fault.Moved, "look at what changes now, then decide again", nil,
			"%s points at %s, not at %s as shown", p.channel(), orNone(root.Digest), orNone(seen))
	}
	return root.Digest, nil
}

func orNone(dg digest.Digest) string {
	if dg == "" {
		return none
	}
	return dg.String()
}

// signOff signs as the person that trust knows the key by.
func (d *Desk) signOff(ctx context.Context, p place, sub subject, prod digest.Digest, r ApproveRequest) (SignOff, error) {
	key, err := d.signer(ctx)
	if err != nil {
		return SignOff{}, err
	}
	groups := d.everyGroup()
	if p.Gates.SignOff != nil {
		groups = p.Gates.SignOff.Signers
	}
	id, ok := d.member(key.Public(), groups)
	if !ok || id == "" {
		return SignOff{}, fault.New(fault.Usage, "ask for your public key to be added under trust: {…: {people: {your id: key}}}, or use another key", nil,
			"your key is no person of %s, so a sign-off with it would count for nothing", list(groups))
	}
	now := d.Now()
	predicate := gates.NewSignOff(p.policy, prod, r.Decision, id, r.Comment, now)
	if predicate.ExpiresOn, err = r.until(p, now); err != nil {
		return SignOff{}, err
	}
	made, err := d.attach(ctx, key, p.staging, sub.descriptor(), evidence.SignOff, predicate)
	if err != nil {
		return SignOff{}, err
	}
	out := SignOff{Service: p.Name, Digest: sub.Digest, Decision: r.Decision, Reviewer: id, Prod: pointer(prod), Evidence: made}
	out.Warning = d.audit("sign-off", p.Name, id, map[string]any{
		"digest": sub.Digest, "decision": r.Decision, "prod": pointer(prod),
		"evidence": made, "comment": r.Comment,
	})
	if !predicate.ExpiresOn.IsZero() {
		out.Expires = &predicate.ExpiresOn
	}
	if r.Decision != evidence.Approved {
		err = d.rememberNegatives([]gates.Negative{{Gate: gates.SignOff, Subject: sub.Digest, Evidence: made, Key: id, At: predicate.DecidedOn, Reason: negativeReason(r, id)}})
	}
	if err != nil {
		out.Warning = "it is not remembered on this machine: " + err.Error()
	}
	return out, nil
}

// until is when an approval ends. A no does not end by itself.
func (r ApproveRequest) until(p place, now time.Time) (time.Time, error) {
	switch g := p.Gates.SignOff; {
	case r.Expires.IsZero() && r.Decision == evidence.Approved && g != nil && g.MaxAge > 0:
		return now.Add(g.MaxAge).UTC().Truncate(time.Second), nil
	case r.Expires.IsZero():
		return time.Time{}, nil
	case r.Decision != evidence.Approved:
		return time.Time{}, fault.New(fault.Usage, "leave the expiry out", nil, "a decision of %s does not expire; only who took it takes it back", r.Decision)
	case !r.Expires.After(now):
		return time.Time{}, fault.New(fault.Usage, "name a later time", nil, "the sign-off would have expired already")
	}
	return r.Expires.UTC().Truncate(time.Second), nil
}

func negativeReason(r ApproveRequest, id string) string {
	what := map[string]string{evidence.Rejected: "rejected", evidence.Revoked: "revoked"}[r.Decision]
	if r.Comment == "" {
		return fmt.Sprintf("%s by %s", what, id)
	}
	return fmt.Sprintf("%s by %s: %s", what, id, r.Comment)
}

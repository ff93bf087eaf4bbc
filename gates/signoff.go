package gates

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// NewSignOff is the decision that reviewer takes now about a candidate of the
// policy's service, bound to the prod digest ("" for none) and to the policy.
func NewSignOff(p Policy, prod digest.Digest, decision, reviewer, comment string, now time.Time) evidence.SignOffPredicate {
	return evidence.SignOffPredicate{
		Decision:  decision,
		Reviewer:  evidence.Identity{ID: reviewer},
		Service:   p.Service.Name,
		From:      p.Service.Staging,
		To:        channelOf(p),
		Prod:      evidence.Pointer{Digest: prod},
		Policy:    evidence.Pointer{Digest: digest.Digest(p.Digest())},
		Comment:   comment,
		DecidedOn: now.UTC().Truncate(time.Second),
	}
}

// channelOf is where a promotion of the service goes: host/path:channel.
func channelOf(p Policy) string { return p.Service.Prod + ":" + p.Service.Channel }

// decision is one person's statement about the candidate.
type decision struct {
	proof
	evidence.SignOffPredicate
}

// negative tells whether the decision takes an approval away.
func (d decision) negative() bool { return d.Decision != evidence.Approved }

// signOff: a quorum of distinct people approved this candidate against this
// prod digest under this policy, and nobody who rejected it stands by that.
func (e *evaluation) signOff() Check {
	gate := e.policy.Service.Gates.SignOff
	if gate.When == config.Never {
		return failed(NotRequired, "never", "sign-off is never asked for here (when: never)")
	}
	f, problem := e.ask(gate.Signers, func(t string) bool { return t == evidence.SignOff }, []digest.Digest{e.in.Candidate})
	if problem != nil {
		e.standing = "a sign-off that cannot be read may be a rejection"
		return *problem
	}
	people := e.decisions(&f)
	e.rememberNo(people)
	t := e.tally(people)
	switch {
	case len(t.rejected)+len(t.gone) > 0:
		e.standing = "a rejection stands, and only who rejected can take it back"
	case len(f.broken) > 0:
		e.standing = "a sign-off that cannot be read may be a rejection"
	}
	if len(f.broken) > 0 {
		return failed(Error, "error", append(f.broken, t.reasons...)...)
	}
	c := e.verdictOf(t)
	c.Reasons = append(c.Reasons, f.beside(c.Status == Needed || c.Status == Stale)...)
	return c
}

// decisions reads the sign-offs by reviewer. One whose reviewer is not the
// person of its key does not count, whoever the key belongs to.
func (e *evaluation) decisions(f *found) map[string][]decision {
	people := map[string][]decision{}
	for _, p := range f.proofs {
		var d evidence.SignOffPredicate
		if err := json.Unmarshal(p.Statement.Predicate, &d); err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v: %v", label(p.Item), p.Group, evidence.ErrMalformed, err))
			continue
		}
		switch {
		case p.Person == "":
			f.reject(p.Item, fmt.Sprintf("%v: the key of %s belongs to no person (trust: {%s: {people: …}})", evidence.ErrWrongSigner, p.Group, p.Group))
		case d.Reviewer.ID != p.Person:
			f.reject(p.Item, fmt.Sprintf("%v: it says that %s decided, and was signed by %s", evidence.ErrWrongSigner, clean.Text(d.Reviewer.ID), p.Person))
		case d.Service != e.policy.Service.Name:
			f.reject(p.Item, fmt.Sprintf("%v: it is about the service %s", evidence.ErrWrongSubject, clean.Text(d.Service)))
		case d.Decision != evidence.Approved && d.Decision != evidence.Rejected && d.Decision != evidence.Revoked:
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: the decision %q is not known", label(p.Item), p.Person, clean.Text(d.Decision)))
		default:
			people[p.Person] = append(people[p.Person], decision{p, d})
		}
	}
	return people
}

// rememberNo notes rejections and revocations.
func (e *evaluation) rememberNo(people map[string][]decision) {
	for id, decisions := range people {
		for _, d := range decisions {
			if d.negative() {
				e.negatives = append(e.negatives, Negative{
					Gate: SignOff, Subject: e.in.Candidate, Evidence: d.id(), Key: id, At: d.at, Reason: no(id, d),
				})
			}
		}
	}
}

// no says a rejection or revocation in one line.
func no(id string, d decision) string {
	word := "rejected it"
	if d.Decision == evidence.Revoked {
		word = "revoked the sign-off"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s%s: %s", id, word, onDate(d.proof), clean.Text(d.Comment)), ": ")
}

// tally is who says what.
type tally struct {
	approved []string // ids whose approval counts
	stale    []string // why approvals no longer count, though they did
	void     []string // why approvals never counted
	rejected []string
	gone     []string // a "no" that disappeared
	reasons  []string // revocations and approvals, for people
	evidence []digest.Digest
	negative []digest.Digest
}

// tally counts the decisions of all people.
func (e *evaluation) tally(people map[string][]decision) tally {
	missing := newest(gone(SignOff, e.in))
	ids := slices.Sorted(maps.Keys(people))
	for id := range missing {
		if _, ok := people[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var t tally
	for _, id := range ids {
		lost, isLost := missing[id]
		e.person(&t, id, people[id], lost, isLost)
	}
	return t
}

// person counts what one person decided: the latest "no" counts, unless an
// approval came after it; any approval after it that is bound to what there is now is enough.
func (e *evaluation) person(t *tally, id string, decisions []decision, lost ruling, isLost bool) {
	var last *decision
	for i, d := range decisions {
		if d.negative() && (last == nil || later(d.ruling(), last.ruling()) > 0) {
			last = &decisions[i]
		}
	}
	after := func(r ruling) []decision {
		return slices.DeleteFunc(slices.Clone(decisions), func(d decision) bool { return d.negative() || later(d.ruling(), r) < 0 })
	}
	approvals := decisions
	switch {
	case isLost && (last == nil || later(lost, last.ruling()) > 0):
		approvals = after(lost)
		if len(approvals) == 0 {
			t.gone = append(t.gone, lost.reasons...)
			return
		}
	case last != nil:
		approvals = after(last.ruling())
		if len(approvals) == 0 {
			t.no(id, *last)
			return
		}
	}
	e.approvals(t, id, approvals)
}

// no notes a standing rejection or revocation.
func (t *tally) no(id string, d decision) {
	if d.Decision == evidence.Rejected {
		t.rejected = append(t.rejected, no(id, d))
		t.negative = append(t.negative, d.Manifest)
		return
	}
	t.reasons = append(t.reasons, no(id, d))
}

// approvals counts a person once if any of the approvals is good.
func (e *evaluation) approvals(t *tally, id string, approvals []decision) {
	slices.SortFunc(approvals, func(a, b decision) int { return later(b.ruling(), a.ruling()) }) // the latest first
	var void, old []string
	for _, d := range approvals {
		reason, once := e.unbound(id, d)
		if reason == "" {
			t.approved = append(t.approved, id)
			t.evidence = append(t.evidence, d.Manifest)
			t.reasons = append(t.reasons, strings.TrimSuffix(fmt.Sprintf("%s approved%s: %s", id, onDate(d.proof), clean.Text(d.Comment)), ": "))
			return
		}
		if once {
			old = append(old, reason)
		} else {
			void = append(void, reason)
		}
	}
	t.stale = append(t.stale, old[:min(1, len(old))]...) // the latest says it best
	t.void = append(t.void, void...)
}

// unbound says why an approval does not count, "" if it does; old is true if
// it did until something changed.
func (e *evaluation) unbound(id string, d decision) (why string, old bool) {
	gate := e.policy.Service.Gates.SignOff
	if gate.NotPromoter && e.in.Promoter != "" && e.in.Promoter == id {
		return fmt.Sprintf("%s promotes, and may not sign off too (not-by: [promoter])", id), false
	}
	if gate.NotPromoter && e.requested(id) {
		return fmt.Sprintf("%s asked for the promotion, and may not sign off too (not-by: [promoter])", id), false
	}
	if d.From != e.policy.Service.Staging || d.To != channelOf(e.policy) {
		return fmt.Sprintf("%s approved a promotion from %s to %s, not this one", id, clean.Text(d.From), clean.Text(d.To)), false
	}
	if d.at.IsZero() {
		return fmt.Sprintf("%s approved, but the sign-off does not say when", id), true
	}
	if d.Prod.Digest != e.in.Prod {
		return fmt.Sprintf("%s approved on %s against %s in prod, and prod is %s now: look at the new diff and sign again",
			id, moment(d.at), digestOrNone(d.Prod.Digest), digestOrNone(e.in.Prod)), true
	}
	if d.Policy.Digest.String() != e.policy.Digest() {
		return fmt.Sprintf("%s approved on %s under another policy (%s, now %s): sign again", id, moment(d.at), digestOrNone(d.Policy.Digest), short(digest.Digest(e.policy.Digest()))), true
	}
	if !d.ExpiresOn.IsZero() && !e.in.Now.Before(d.ExpiresOn) {
		return fmt.Sprintf("%s's approval expired on %s", id, moment(d.ExpiresOn)), true
	}
	if reason, tooOld := stale(d.at, gate.MaxAge, e.in.Now); tooOld {
		return fmt.Sprintf("%s approved, but %s", id, reason), true
	}
	return "", false
}

// digestOrNone is a digest for people.
func digestOrNone(d digest.Digest) string {
	if d == "" {
		return "nothing"
	}
	return short(d)
}

// ruling is the decision as something that can be put in order of time.
func (d decision) ruling() ruling {
	r := ruling{at: d.at, bad: d.negative(), status: Pass, id: d.id()}
	if d.Decision == evidence.Rejected {
		r.status = Fail
	}
	return r
}

// verdictOf makes the check of a tally. A "no" counts whether or not the change asks for a sign-off.
func (e *evaluation) verdictOf(t tally) Check {
	gate := e.policy.Service.Gates.SignOff
	quorum := max(gate.Quorum, 1)
	open := quorum - len(t.approved)
	c := Check{Evidence: append(slices.Clone(t.evidence), t.negative...), Reasons: t.reasons}
	switch {
	case len(t.gone) > 0:
		c.Status, c.Summary, c.Reasons = Error, "evidence disappeared", slices.Concat(t.gone, t.rejected, t.reasons)
	case len(t.rejected) > 0:
		c.Status, c.Summary, c.Reasons = Fail, "rejected", slices.Concat(t.rejected, t.reasons)
	case gate.When == config.BiggerChange && e.in.BiggerErr == nil && len(e.in.Bigger) == 0:
		c.Status, c.Summary = NotRequired, "none"
		c.Reasons = append([]string{"no rule says that this is a bigger change against prod, so nobody has to sign off"}, t.reasons...)
	case open <= 0:
		c.Status, c.Summary = Pass, strings.Join(t.approved, ", ")
		c.Reasons = slices.Concat(t.reasons, t.stale, t.void)
	default:
		c.Status, c.Summary = Needed, fmt.Sprintf("needed by %d of %s", open, strings.Join(gate.Signers, ", "))
		if len(t.stale) > 0 {
			c.Status = Stale
		}
		c.Reasons = slices.Concat([]string{e.neededBecause(open)}, t.stale, t.void, t.reasons)
	}
	return c
}

// neededBecause says why somebody has to sign off.
func (e *evaluation) neededBecause(open int) string {
	gate := e.policy.Service.Gates.SignOff
	line := fmt.Sprintf("sign-off needed by %d of %s", open, list(gate.Signers, "or"))
	switch {
	case cmp.Or(gate.When, config.Always) == config.Always:
	case e.in.BiggerErr != nil:
		line += fmt.Sprintf(" (whether this is a bigger change could not be told: %v)", e.in.BiggerErr)
	default:
		line += " (" + strings.Join(e.in.Bigger, "; ") + ")"
	}
	return line + "; give it with: plimsoll approve " + e.policy.Service.Name + " " + e.in.Candidate.String()
}

// requested tells whether that person is one of those who asked a pipeline to promote.
func (e *evaluation) requested(id string) bool {
	return slices.ContainsFunc(e.in.Requesters, func(r string) bool { return strings.EqualFold(r, id) })
}

package gates

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// maxSkew is how far in the future a signed time may lie.
const maxSkew = 5 * time.Minute

// maxReasons is how many lines of one kind a check gives.
const maxReasons = 50

// reader reads the evidence of one candidate, each item once for all gates.
type reader struct {
	now       time.Time
	candidate digest.Digest
	subjects  []digest.Digest // the candidate and its platforms
	everyone  []config.Group  // in trust: to name who signed what does not count
	items     []opened
}

// opened is an item with its outer form, or why it has none.
type opened struct {
	item     evidence.Item
	envelope *evidence.Envelope
	err      error
	known    map[string]verified // by the names of the groups: several gates ask for the same
}

// verified is what verifyAny says, with the signed time.
type verified struct {
	evidence.Verified
	err   error
	at    time.Time
	atErr error // why the signed time cannot be read
}

// verify asks verifyAny once for the groups.
func (o opened) verify(groups []config.Group, now time.Time) verified {
	key := groupNames(groups)
	v, ok := o.known[key]
	if !ok {
		if v.Verified, v.err = verifyAny(o.envelope, groups, now); v.err == nil {
			v.at, v.atErr = v.SignedTime()
		}
		o.known[key] = v
	}
	return v
}

// newReader opens all items, in an order that does not depend on the listing.
// What the listing has twice is read once.
func newReader(p Policy, in Input) *reader {
	r := &reader{everyone: Groups(p), now: in.Now, candidate: in.Candidate, subjects: []digest.Digest{in.Candidate}}
	for _, p := range in.Platforms {
		if p.Digest != in.Candidate {
			r.subjects = append(r.subjects, p.Digest)
		}
	}
	items := slices.Clone(in.Evidence)
	slices.SortFunc(items, compareItems)
	items = slices.CompactFunc(items, func(a, b evidence.Item) bool { return compareItems(a, b) == 0 })
	for _, item := range items {
		o := opened{item: item, known: map[string]verified{}}
		o.envelope, o.err = evidence.Open(item)
		r.items = append(r.items, o)
	}
	return r
}

// compareItems orders items by all that makes one differ from another.
func compareItems(a, b evidence.Item) int {
	return cmp.Or(
		cmp.Compare(a.Manifest, b.Manifest), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Form, b.Form),
		cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Problem, b.Problem),
		cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.ArtifactType, b.ArtifactType), cmp.Compare(a.Signature, b.Signature), bytes.Compare(a.Raw, b.Raw),
	)
}

// proof is a statement that counts for a gate: verified with the gate's keys,
// of its predicate type, about the candidate or one of its platforms.
type proof struct {
	evidence.Verified
	at time.Time // signed; zero without one
}

// id names the statement for good: its manifest, or, in an .att tag whose
// manifest changes with every addition, its layer.
func (p proof) id() digest.Digest { return identify(p.Item) }

// identify names an item for good.
func identify(item evidence.Item) digest.Digest {
	if item.Layer != "" && (item.Form == evidence.DSSE || item.Manifest == "") {
		return item.Layer
	}
	return item.Manifest
}

// question is what a gate asks for.
type question struct {
	groups []config.Group
	wants  func(predicateType string) bool
	about  []digest.Digest
	raw    bool     // unsigned attachments may be meant for it
	others []string // groups whose statements of that type another gate reads
}

// names tells whether people who look at the gate of q want to hear of an item
// that does not count: one that claims to be what q wants, or does not say what
// it is. The claim is not verified: it decides what is shown, and nothing else.
func (q question) names(item evidence.Item) bool {
	switch {
	case item.PredicateType != "":
		return q.wants(item.PredicateType)
	case item.Form == evidence.Other && item.ArtifactType != "":
		return q.raw
	}
	return true
}

// gather finds the statements that count for q.
func (r *reader) gather(q question) found {
	var f found
	for _, o := range r.items {
		if o.err != nil {
			f.unopened(o, q)
			continue
		}
		v := o.verify(q.groups, r.now)
		switch {
		case errors.Is(v.err, evidence.ErrMalformed):
			f.broken = append(f.broken, fmt.Sprintf("%s is signed by a key of this gate, but %v", label(o.item), v.err))
		case errors.Is(v.err, evidence.ErrUnreadable):
			f.unreadable(o.item, v.err, q)
		case v.err != nil && q.names(o.item):
			r.disown(&f, o, v.err, q)
		case v.err != nil:
		default:
			f.consider(v, q, r.now)
		}
	}
	return f
}

// disown notes why a statement does not count that none of the asked groups
// signed, and who in trust did. What another gate reads is no news beside an answer.
func (r *reader) disown(f *found, o opened, err error, q question) {
	if errors.Is(err, evidence.ErrWrongSigner) {
		if by := o.verify(r.everyone, r.now); by.err == nil {
			why := fmt.Sprintf("%v: signed by %s, and asked for is %s", evidence.ErrWrongSigner, cmp.Or(by.Person, by.Group), groupNames(q.groups))
			if slices.Contains(q.others, by.Group) {
				f.reject(o.item, why)
			} else {
				f.disown(o.item, why, q)
			}
			return
		}
	}
	f.disown(o.item, err.Error(), q)
}

// verifyAny tries the groups in order, and takes the first that knows the person
// behind the key, else the first. Of several errors the most telling is kept.
func verifyAny(e *evidence.Envelope, groups []config.Group, now time.Time) (evidence.Verified, error) {
	var worst error
	var first *evidence.Verified
	for _, g := range groups {
		v, err := e.Verify(g, now)
		switch {
		case err == nil && v.Person != "":
			return v, nil
		case err == nil && first == nil:
			first = &v
		case err != nil && (worst == nil || errors.Is(worst, evidence.ErrWrongSigner)):
			worst = err
		}
	}
	if first != nil {
		return *first, nil
	}
	if len(groups) > 1 && errors.Is(worst, evidence.ErrWrongSigner) {
		return evidence.Verified{}, fmt.Errorf("%w: no key of %s made its signature", evidence.ErrWrongSigner, groupNames(groups))
	}
	return evidence.Verified{}, worst
}

// groupNames lists groups for people.
func groupNames(groups []config.Group) string {
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return list(names, "or")
}

// list joins names for people.
func list(names []string, word string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + word + " " + names[len(names)-1]
}

// label names an item for people: what it claims to be, and where it is.
func label(item evidence.Item) string {
	kind := item.PredicateType
	if kind == "" {
		kind = item.ArtifactType
	}
	if kind == "" {
		kind = string(item.Form)
	}
	return fmt.Sprintf("%s %s", clean.Text(kind), short(identify(item)))
}

// short is the first 12 hex digits of a digest.
func short(d digest.Digest) string {
	_, hex, ok := strings.Cut(d.String(), ":")
	if !ok {
		return clean.Text(d.String())
	}
	return clean.Text(hex[:min(12, len(hex))])
}

// subjectsOf names what a statement is about.
func subjectsOf(s evidence.Statement) string {
	names := make([]string, 0, 3)
	for _, subject := range s.Subject[:min(3, len(s.Subject))] {
		for algorithm, hex := range subject.Digest {
			names = append(names, clean.Text(algorithm+":"+hex))
			break
		}
	}
	slices.Sort(names)
	return list(names, "and")
}

// moment writes a time for people.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// atMost cuts a list of reasons and says how many are left.
func atMost(reasons []string) []string {
	if len(reasons) <= maxReasons {
		return reasons
	}
	return append(slices.Clone(reasons[:maxReasons]), fmt.Sprintf("and %d more", len(reasons)-maxReasons))
}

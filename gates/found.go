package gates

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// found is what a reader has for a gate.
type found struct {
	proofs   []proof
	rejected []string // statements that do not count, each with the reason
	claims   []string // those of them that claim to be what is asked for, and are not by whom or not about what
	broken   []string // what blocks: unreadable, signed but malformed, dated tomorrow
}

// unopened says what an item is that could not even be opened.
func (f *found) unopened(o opened, q question) {
	switch {
	case errors.Is(o.err, evidence.ErrUnreadable):
		f.unreadable(o.item, o.err, q)
	case o.item.Form == evidence.BuildKit:
		// Part of the image; the base-image gate reads it on its own terms.
	case q.names(o.item):
		f.disown(o.item, o.err.Error(), q)
	}
}

// unreadable blocks: what could not be read or verified might be a "no". The
// hint only spares gates that it does not concern; nothing passes by it.
func (f *found) unreadable(item evidence.Item, err error, q question) {
	if item.PredicateType == "" || q.wants(item.PredicateType) {
		f.broken = append(f.broken, fmt.Sprintf("%s %v", label(item), err))
	}
}

// consider takes a verified statement if it is what q asks for.
func (f *found) consider(v verified, q question, now time.Time) {
	if !q.wants(v.Statement.PredicateType) {
		if v.PredicateType != "" && q.wants(v.PredicateType) {
			f.disown(v.Item, fmt.Sprintf("another predicate: %s, signed by %s", clean.Text(v.Statement.PredicateType), v.Group), q)
		}
		return
	}
	if !slices.ContainsFunc(q.about, v.About) {
		f.disown(v.Item, fmt.Sprintf("%v: signed by %s, but about %s", evidence.ErrWrongSubject, v.Group, subjectsOf(v.Statement)), q)
		return
	}
	switch {
	case v.atErr != nil:
		f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(v.Item), v.Group, v.atErr))
	case v.at.After(now.Add(maxSkew)):
		f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s, is dated %s, which is in the future: check the clock of the signer, and of this machine",
			label(v.Item), v.Group, moment(v.at)))
	default:
		f.proofs = append(f.proofs, proof{v.Verified, v.at})
	}
}

// reject notes why an item does not count.
func (f *found) reject(item evidence.Item, why string) {
	f.rejected = append(f.rejected, label(item)+": "+why)
}

// disown notes why an item that is not by whom, or not about what, is asked for does not count.
func (f *found) disown(item evidence.Item, why string, q question) {
	f.reject(item, why)
	if item.PredicateType != "" && q.wants(item.PredicateType) {
		f.claims = append(f.claims, f.rejected[len(f.rejected)-1])
	}
}

// fewReasons is how many statements that do not count are shown where others do.
const fewReasons = 5

// beside says of the statements that do not count why they do not: all of them
// where something is asked for; where there is an answer already, a few of those
// that would be one if they were by somebody else, or about something else.
func (f *found) beside(asked bool) []string {
	if asked {
		return atMost(f.rejected)
	}
	lines := make([]string, 0, fewReasons+1)
	for _, why := range f.claims[:min(fewReasons, len(f.claims))] {
		lines = append(lines, "does not count: "+why)
	}
	if more := len(f.claims) - fewReasons; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more that do not count", more))
	}
	return lines
}

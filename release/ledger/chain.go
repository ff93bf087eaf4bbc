package ledger

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Chain is the ledger as seen from one channel: its records in order, and the
// quarantines of the repository. It is a value; nothing in it changes later.
type Chain struct {
	Records     []Record // by number; of one number the completed first, the abandoned last
	Quarantines []Quarantine
	Policies    []Policy // by the time that they state; see Signed for which of them owners signed
	Forks       []Fork
	Head        *Record // the verified record with the highest number that was not abandoned
	Highest     int     // the highest number that any entry has, believed or not
	Problems    []string
	Strays      int // tags that are nothing of ours
	Unverified  int // entries that prove nothing
}

// Fork is one number with several records that all moved the channel.
type Fork struct {
	Number  int
	Records []digest.Digest // manifests
}

// Target is a digest that was in prod, with its newest record.
type Target struct {
	Digest      digest.Digest
	Record      Record
	Quarantined string // the reason; "" if it is not quarantined
	LastGood    bool
}

// Current is the newest record of a digest, what history knows about it being
// in prod; nil without a verified one: it was pushed past the gate.
func (c Chain) Current(current digest.Digest) *Record {
	for i := len(c.Records) - 1; i >= 0; i-- {
		if r := c.Records[i]; current != "" && r.counts() && r.Predicate.To.Digest == current {
			return &r
		}
	}
	return nil
}

// Landed tells whether the record's digest really was in prod: it is complete,
// or a later record says that it took its place.
func (c Chain) Landed(r Record) bool {
	if !r.counts() {
		return false
	}
	return r.State() == Complete || slices.ContainsFunc(c.Records, func(later Record) bool {
		return later.counts() && later.Number > r.Number && later.Predicate.Previous.Digest == r.Predicate.To.Digest
	})
}

// Targets are the digests that prod can be rolled back to, the one that was in
// prod last first, without the current one. The last good one is marked: the
// newest that really was in prod and is not quarantined, or, where none is, the
// newest whose record nobody finished.
func (c Chain) Targets(current digest.Digest) []Target {
	var out []Target
	good := -1
	for i := len(c.Records) - 1; i >= 0; i-- {
		r := c.Records[i]
		d := r.Predicate.To.Digest
		if !r.counts() || d == current || slices.ContainsFunc(out, func(t Target) bool { return t.Digest == d }) {
			continue
		}
		out = append(out, Target{Digest: d, Record: r, Quarantined: c.QuarantinedBy(d)})
		at := len(out) - 1
		if out[at].Quarantined == "" && (good < 0 || c.Landed(r) && !c.Landed(out[good].Record)) {
			good = at
		}
	}
	if good >= 0 {
		out[good].LastGood = true
	}
	return out
}

// Target is the target with that digest, whatever is current now; nil without
// a verified record of it.
func (c Chain) Target(d digest.Digest) *Target {
	for _, t := range c.Targets("") {
		if t.Digest == d {
			return &t
		}
	}
	return nil
}

// LastGood is where a rollback goes without a digest; nil: there is nothing to
// roll back to.
func (c Chain) LastGood(current digest.Digest) *Target {
	for _, t := range c.Targets(current) {
		if t.LastGood {
			return &t
		}
	}
	return nil
}

// At is the record of what was in prod at a time; nil before the first one
// that landed.
func (c Chain) At(at time.Time) *Record {
	var best *Record
	for _, r := range c.Records {
		if c.Landed(r) && !r.At().After(at) && (best == nil || !r.At().Before(best.At())) {
			best = &r
		}
	}
	return best
}

// Rival is another record of r's number, or a later one, whose author did not
// know that r's would move the channel; nil if r is the newest alone. One that
// was abandoned or that nobody trusted signed is none. Read the ledger again and
// ask right before the channel moves; who finds one abandons r.
func (c Chain) Rival(r Record) *Record {
	for _, other := range c.Records {
		if other.counts() && other.Digest != r.Digest && other.Number >= r.Number {
			return &other
		}
	}
	return nil
}

// Find is the record with that manifest digest, nil if there is none.
func (c Chain) Find(manifest digest.Digest) *Record {
	for _, r := range c.Records {
		if r.Digest == manifest {
			return &r
		}
	}
	return nil
}

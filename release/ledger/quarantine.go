package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// Quarantine is one entry that quarantines a digest, or lifts a quarantine. A
// record that names quarantines makes one too, with the record's digest.
type Quarantine struct {
	Tag       string
	Digest    digest.Digest // of its manifest: what a lift names
	Predicate evidence.QuarantinePredicate
	Verified  bool
	Signer    string
	Problem   string
	Missing   bool          // it was taken out of the ledger; this machine remembers it, and it still counts
	LiftedBy  digest.Digest // the manifest of the verified lift; "" while it stands

	image      string // first 16 hex of the image digest, from the tag
	unreadable bool   // its bytes could not be had, or the key that may have signed it is not known
	unknown    bool   // the latter; then the predicate is a claim
	implied    bool   // by a record
}

// Lift tells whether the entry ends a quarantine.
func (q Quarantine) Lift() bool { return q.Predicate.Lifts.Digest != "" }

// matches tells whether the quarantine is about one of the digests. One that
// cannot be read is about the digest that its tag names, and about what it claims
// if only its signer is not known: an error is no pass.
func (q Quarantine) matches(digests []digest.Digest) bool {
	for _, d := range digests {
		if q.unreadable && strings.HasPrefix(d.Encoded(), q.image) || q.Predicate.Digest == d || slices.Contains(q.Predicate.Platforms, d) {
			return true
		}
	}
	return false
}

// stands tells whether the quarantine holds now.
func (q Quarantine) stands() bool {
	return q.unreadable || q.Verified && !q.Lift() && q.LiftedBy == ""
}

// Standing are the quarantines that hold for one of the digests: give it a
// candidate and its platform manifests. A lift has to name the Digest of each.
func (c Chain) Standing(digests ...digest.Digest) []Quarantine {
	var out []Quarantine
	for _, q := range c.Quarantines {
		if q.stands() && q.matches(digests) {
			out = append(out, q)
		}
	}
	return out
}

// QuarantinedBy is why one of the digests must not be promoted, by whose word and
// since when, cleaned; "" if they may. Give it a candidate and its platform manifests.
func (c Chain) QuarantinedBy(digests ...digest.Digest) string {
	standing := c.Standing(digests...)
	if len(standing) == 0 {
		return ""
	}
	q := standing[len(standing)-1]
	switch {
	case q.unknown:
		return "a quarantine of it " + q.Problem
	case q.unreadable:
		return "a quarantine of it cannot be read (" + q.Problem + "); repair or remove " + q.Tag + " in the ledger"
	}
	return fmt.Sprintf("%s (by %s on %s)", cmp.Or(clean.Text(q.Predicate.Reason), "no reason was given"),
		clean.Text(cmp.Or(q.Signer, q.Predicate.Actor.ID, "a key without a name")), q.Predicate.DecidedOn.UTC().Format("2006-01-02 15:04 MST"))
}

// impliedBy are the quarantines that verified records name, and those of which it
// is not known whether they do.
func impliedBy(records []Record) []Quarantine {
	var out []Quarantine
	for _, r := range records {
		if !r.counts() && !r.unknown {
			continue
		}
		for _, p := range r.Predicate.Quarantines {
			if p.Digest == "" {
				continue
			}
			out = append(out, Quarantine{
				Tag: r.Tag, Digest: r.Digest, Verified: r.Verified, Signer: r.Signer, Missing: r.Missing, implied: true,
				Problem: r.Problem, image: p.Digest.Encoded(), unreadable: r.unknown, unknown: r.unknown,
				Predicate: evidence.QuarantinePredicate{
					Digest: p.Digest, Prod: r.Predicate.To.URI, Actor: r.Predicate.Actor,
					Reason: cmp.Or(r.Predicate.Reason, "left by "+r.Predicate.Action), DecidedOn: r.At(),
				},
			})
		}
	}
	return out
}

// settle puts quarantines in order of time and marks what was lifted. A lift
// names the quarantine that it ends and is not older. The quarantine that
// a record implies also ends with any later lift for its digest.
func settle(qs []Quarantine) {
	slices.SortStableFunc(qs, func(a, b Quarantine) int {
		return cmp.Or(a.Predicate.DecidedOn.Compare(b.Predicate.DecidedOn), cmp.Compare(a.Tag, b.Tag))
	})
	for i := range qs {
		for _, lift := range qs {
			if lift.Verified && lift.Lift() && !qs[i].Lift() && ends(lift.Predicate, qs[i]) {
				qs[i].LiftedBy = lift.Digest
			}
		}
	}
}

func ends(lift evidence.QuarantinePredicate, q Quarantine) bool {
	if lift.Digest != q.Predicate.Digest || lift.DecidedOn.Before(q.Predicate.DecidedOn.Truncate(time.Second)) {
		return false
	}
	return lift.Lifts.Digest == q.Digest || q.implied
}

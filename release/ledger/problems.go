package ledger

import (
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

// forks finds numbers of which more than one record moved the channel.
func forks(c Chain) []Fork {
	moved := map[int][]digest.Digest{}
	for _, r := range c.Records {
		if c.Landed(r) {
			moved[r.Number] = append(moved[r.Number], r.Digest)
		}
	}
	var out []Fork
	for number, records := range moved {
		if len(records) > 1 {
			out = append(out, Fork{Number: number, Records: records})
		}
	}
	slices.SortFunc(out, func(a, b Fork) int { return a.Number - b.Number })
	return out
}

// problems says in words what does not fit together. None of it takes a
// signature away: it is for people, who ask who could write to the ledger.
func problems(c Chain) []string {
	numbers := make(map[digest.Digest]int, len(c.Records))
	for _, r := range c.Records {
		numbers[r.Digest] = r.Number
	}
	out := gaps(c, numbers)
	for _, f := range c.Forks {
		out = append(out, fmt.Sprintf("record %d is there %d times, and each moved the channel: two machines wrote at once", f.Number, len(f.Records)))
	}
	for _, r := range c.Records {
		if r.Missing {
			out = append(out, fmt.Sprintf("record %d (%s) was taken out of the ledger; this machine remembers it", r.Number, r.Tag))
		}
		if why := c.unlinked(r, numbers); why != "" {
			out = append(out, fmt.Sprintf("record %d (%s) %s", r.Number, r.Tag, why))
		}
	}
	for _, q := range c.Quarantines {
		if q.Missing && !q.implied {
			out = append(out, fmt.Sprintf("the quarantine entry %s was taken out of the ledger; this machine remembers it, and it still counts", q.Tag))
		}
	}
	return out
}

// gaps are numbers below the head that no entry has. They are given out without
// gaps, past entries that prove nothing too; so a gap whose far side is linked
// to its near side only shows that such an entry was cleared away.
func gaps(c Chain, numbers map[digest.Digest]int) []string {
	if c.Head == nil {
		return nil
	}
	var out []string
	last := 0
	for _, r := range c.Records {
		if r.Number > c.Head.Number {
			break
		}
		if r.Number > last+1 && r.Verified && numbers[r.Predicate.PreviousRecord.Digest] != last {
			missing := fmt.Sprintf("record %d is", last+1)
			if r.Number > last+2 {
				missing = fmt.Sprintf("records %d to %d are", last+1, r.Number-1)
			}
			out = append(out, missing+" missing in the ledger: somebody took them out")
		}
		last = r.Number
	}
	return out
}

// unlinked says why the record's link to the one before does not hold.
func (c Chain) unlinked(r Record, numbers map[digest.Digest]int) string {
	if !r.Verified {
		return ""
	}
	before := r.Predicate.PreviousRecord.Digest
	if before == "" {
		if i := slices.IndexFunc(c.Records, func(o Record) bool { return o.counts() && o.Number < r.Number }); i >= 0 {
			return fmt.Sprintf("names no record before it, but there is %d", c.Records[i].Number)
		}
		return ""
	}
	number, found := numbers[before]
	switch {
	case !found:
		return fmt.Sprintf("follows %s, which is not in the ledger", before)
	case number >= r.Number:
		return fmt.Sprintf("follows record %d, which is not before it", number)
	}
	return ""
}

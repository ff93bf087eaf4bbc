package release

import (
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/release/ledger"
)

// repushed says which tags in view named another digest when that was
// promoted: the tag was pushed again, and people may take one image for the other.
func (l *listing) repushed() []string {
	before := promotedAs(l.chain)
	var out []string
	for _, r := range l.rows {
		for _, tag := range r.tags {
			if was := before[tag]; was != "" && was != r.Digest {
				out = append(out, fmt.Sprintf("the tag %s was pushed again: %s was promoted under it, %s is another image", clean.Text(tag), short(was), short(r.Digest)))
			}
		}
	}
	return out
}

// promotedAs is the digest that was promoted last under each staging tag, from verified records.
func promotedAs(c ledger.Chain) map[string]digest.Digest {
	last := map[string]digest.Digest{}
	for _, r := range slices.Backward(c.Records) {
		if !r.Verified || r.State() == ledger.Abandoned {
			continue
		}
		for _, tag := range r.Predicate.From.Tags {
			if last[tag] == "" {
				last[tag] = r.Predicate.To.Digest
			}
		}
	}
	return last
}

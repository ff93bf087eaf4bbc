package release

import (
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/release/ledger"
)

// repushed says which of a candidate's tags named another digest when that was
// promoted: the tag was pushed again, and people may take one image for the other.
func repushed(c ledger.Chain, dg digest.Digest, tags []string) []string {
	before := promotedAs(c)
	var out []string
	for _, tag := range tags {
		if was := before[tag]; was != "" && was != dg {
			out = append(out, fmt.Sprintf("the tag %s was pushed again: %s was promoted under it, %s is another image", clean.Text(tag), short(was), short(dg)))
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

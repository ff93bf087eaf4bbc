package gates

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// Trusted tells whether any group of trust signed item, about one of the
// digests. A bare signature of cosign v2 is always about what it hangs on
// (Item.Subject, which the caller knows from where it found the item). No gate
// passes by this: it is what may travel to prod under evidence.copy: trusted, and
// what still counts of a record's evidence.
func Trusted(item evidence.Item, trust []config.Group, now time.Time, about ...digest.Digest) bool {
	if item.Form == evidence.SimpleSigning {
		return evidence.VerifySimple(item, trust, now) == nil
	}
	envelope, err := evidence.Open(item)
	if err != nil {
		return false
	}
	v, err := verifyAny(envelope, trust, now)
	return err == nil && slices.ContainsFunc(about, v.About)
}

// Vouched tells whether item is an attestation of BuildKit that counts: part of
// the index, about one of its platforms, and any group of trust signed one of all
// about the index, whatever it says. It is what the base-image gate takes.
func Vouched(item evidence.Item, all []evidence.Item, trust []config.Group, now time.Time, index digest.Digest, platforms ...digest.Digest) bool {
	if item.Form != evidence.BuildKit {
		return false
	}
	s, err := insideIndex(item)
	if err != nil || !slices.ContainsFunc(platforms, s.About) {
		return false
	}
	return slices.ContainsFunc(all, func(other evidence.Item) bool {
		return other.Form != evidence.SimpleSigning && Trusted(other, trust, now, index)
	})
}

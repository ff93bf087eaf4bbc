package gates

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// Trusted tells of every manifest among items whether it may travel to prod
// under evidence.copy: trusted. It may if all that it carries is signed by a key
// of any group, and is about what it hangs on (Item.Subject, which the caller
// knows from where it found the item). One layer of an .att tag that nobody
// vouches for keeps the whole tag back: it would be bytes that CI chose.
func Trusted(items []evidence.Item, trust []config.Group, now time.Time) map[digest.Digest]bool {
	trusted := map[digest.Digest]bool{}
	for _, item := range items {
		ok := vouchedFor(item, trust, now)
		if had, seen := trusted[item.Manifest]; seen {
			ok = ok && had
		}
		trusted[item.Manifest] = ok
	}
	return trusted
}

// vouchedFor tells whether any group signed the item, about what it hangs on.
func vouchedFor(item evidence.Item, trust []config.Group, now time.Time) bool {
	envelope, err := evidence.Open(item)
	if err != nil {
		return evidence.VerifySimple(item, trust, now) == nil
	}
	v, err := verifyAny(envelope, trust, now)
	return err == nil && v.About(item.Subject)
}

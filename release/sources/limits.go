package sources

import (
	"time"

	"plimsoll/release/forge"
)

// rateLimited is a failure that ends at a known time.
type rateLimited = forge.Limited

// longest is the longest wait that a server is believed.
const longest = forge.Longest

// limitOf tells whether an answer says that we asked too often, and until when.
func limitOf(r reply, now time.Time) (rateLimited, bool) {
	return forge.Limit(r.status, r.header, r.body, now)
}

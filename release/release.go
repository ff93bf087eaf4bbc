package release

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/release/operation"
)

type (
	// Outcome is what an operation did.
	Outcome = operation.Outcome
	// Arrivals counts the referrers that travelled to prod.
	Arrivals = operation.Arrivals
	// Progress is how far an operation is.
	Progress = operation.Progress
)

// ServiceView is one service as list shows it.
type ServiceView struct {
	Service string `json:"service"`
	Staging string `json:"staging"`
	Prod    Prod   `json:"prod"`
	Error   string `json:"error,omitempty"` // why the service could not be read
	Hint    string `json:"hint,omitempty"`
	// Unsigned says in words that no owner signed the policy of this
	// configuration; "" if one did, if nobody has to, or if that could not be told.
	Unsigned   string      `json:"unsigned,omitempty"`
	Candidates []Candidate `json:"candidates"`
	Warnings   []string    `json:"warnings,omitempty"` // such as a prod channel without a record, an open operation
	At         time.Time   `json:"at"`                 // when it was read; a snapshot's age
	Total      int         `json:"total"`              // candidates that the tag rule selects, before the limit
}

// Prod is what the channel of a service points at.
type Prod struct {
	Reference string         `json:"reference"` // host/path:channel
	Digest    *digest.Digest `json:"digest"`    // null before the first promotion
	Since     *time.Time     `json:"since"`     // of the newest verified record for this digest, null without one
	By        string         `json:"by"`
	// RequestedBy are those who asked By, a pipeline; its word.
	RequestedBy []string       `json:"requestedBy,omitempty"`
	Tags        []string       `json:"tags"`   // its names in staging, the release tag last
	Record      *digest.Digest `json:"record"` // the verified record of this digest; null: pushed past the gate, or the ledger could not be read
	// Unrecorded says in words that the digest was pushed past the gate; "" if it
	// was not, or if that could not be told.
	Unrecorded string   `json:"unrecorded,omitempty"`
	Overrides  []string `json:"overrides,omitempty"` // gates that somebody went past to get it there
	Image
}

// Image describes an image for people; every text is cleaned.
type Image struct {
	Created   *time.Time `json:"created"`
	SizeBytes int64      `json:"sizeBytes"` // all platforms, each blob once, compressed
	Platforms []string   `json:"platforms"`
	Revision  string     `json:"revision"`
	Version   string     `json:"version"`
	Source    string     `json:"source"` // git host URL, http(s) only
}

// Candidate is a digest in the staging repository.
type Candidate struct {
	Digest digest.Digest `json:"digest"`
	Tags   []string      `json:"tags"`
	Image
	AddedBytes int64         `json:"addedBytes"` // of its blobs, those that prod's digest does not have
	Verdict    gates.State   `json:"verdict"`
	Checks     []gates.Check `json:"checks"`
	Error      string        `json:"error,omitempty"`
	Bigger     []string      `json:"bigger,omitempty"` // which rules make it a bigger change
}

// Verdict is what gates prints: all checks of one candidate, read freshly.
type Verdict struct {
	Service string        `json:"service"`
	Digest  digest.Digest `json:"digest"`
	Image   string        `json:"image"` // in staging, host/path@digest
	Verdict gates.State   `json:"verdict"`
	Checks  []gates.Check `json:"checks"`
	Policy  string        `json:"policy"` // digest of the policy
	Bigger  []string      `json:"bigger,omitempty"`
	// Prod is the digest that the verdict was made against, nil for none.
	Prod *digest.Digest `json:"prod"`
	// Warnings are for people: a failure that was seen and is gone from the registry, say.
	Warnings []string `json:"warnings,omitempty"`
}

// Entry is one line of the history.
type Entry struct {
	At        time.Time      `json:"at"`
	Action    string         `json:"action"`
	Service   string         `json:"service"`
	Digest    digest.Digest  `json:"digest"`
	Previous  *digest.Digest `json:"previous"`
	Actor     string         `json:"actor"`
	Reason    string         `json:"reason"`
	Record    *digest.Digest `json:"record"`
	Verified  bool           `json:"verified"`
	Problem   string         `json:"problem,omitempty"` // unfinished, fork, abandoned, why it is not verified
	Seconds   float64        `json:"seconds,omitempty"`
	Overrides []string       `json:"overrides,omitempty"`
	// RequestedBy are those who asked the actor, a pipeline; its word.
	RequestedBy []string        `json:"requestedBy,omitempty"`
	Number      int             `json:"number"`
	Tags        []string        `json:"tags,omitempty"`
	Evidence    []digest.Digest `json:"evidence,omitempty"`
	PolicyHash  string          `json:"policy,omitempty"`
	// Identity is who wrote to prod's registry; nil: the record does not say.
	Identity *evidence.Principal `json:"identity,omitempty"`
}

// Target is a digest that prod can be rolled back to.
type Target struct {
	Digest      digest.Digest `json:"digest"`
	At          time.Time     `json:"at"` // when it was in prod last
	Actor       string        `json:"actor"`
	Record      digest.Digest `json:"record"`
	Tags        []string      `json:"tags"`
	Quarantined string        `json:"quarantined,omitempty"` // the reason
	LastGood    bool          `json:"lastGood"`
	Present     *bool         `json:"present"` // the manifest is still in prod; null: not asked
	// Until is when prod's registry deletes it by its own rules; nil: not by itself, or it does not say.
	Until *time.Time `json:"until,omitempty"`
}

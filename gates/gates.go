package gates

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// Status is the answer of one gate.
type Status string

// The statuses of a check.
const (
	Pass        Status = "pass"
	Fail        Status = "fail"
	Missing     Status = "missing"      // no evidence that counts
	Stale       Status = "stale"        // too old, without signed time, or about another prod or policy
	Needed      Status = "needed"       // a sign-off is asked for
	Waiting     Status = "waiting"      // time has to pass
	Waived      Status = "waived"       // overridden, with a reason
	NotRequired Status = "not-required" // the rule does not ask for it here
	Off         Status = "off"          // switched off in the configuration
	Error       Status = "error"        // it could not be told; blocks
)

// Passes tells whether the status lets a candidate through.
func (s Status) Passes() bool {
	return s == Pass || s == Waived || s == NotRequired || s == Off
}

// Names of the built-in gates, in the order in which checks are shown.
const (
	E2E           = "e2e"
	Scan          = "scan"
	BaseImage     = "base-image"
	SignOff       = "sign-off"
	Soak          = "soak"
	FreezeGate    = "freeze"
	QuarantineOut = "quarantine"
)

// Check is what one gate says about one candidate.
type Check struct {
	Gate     string          `json:"gate"`
	Status   Status          `json:"status"`
	Summary  string          `json:"summary"` // one line, such as "48/48" or "0C 0H 3M"
	Reasons  []string        `json:"reasons"` // in full; never nil
	Evidence []digest.Digest `json:"evidence"`
}

// State is the verdict in one word.
type State string

// The verdicts, in order of precedence.
const (
	Quarantined State = "quarantined"
	InProd      State = "in-prod"
	Blocked     State = "blocked"
	Ready       State = "ready"
)

// Verdict is all checks of a candidate together.
type Verdict struct {
	State     State
	Checks    []Check
	Negatives []Negative // every negative that this evaluation saw, to be remembered
}

// Platform is one image of an index.
type Platform struct {
	Name   string        // os/arch or os/arch/variant
	Digest digest.Digest // its manifest
}

// Negative is a failed result, a rejection or a revocation that was seen. It
// is remembered by the store, so that removing it from the registry never unblocks.
type Negative struct {
	Gate     string        `json:"gate"`
	Subject  digest.Digest `json:"subject"`  // the candidate
	Evidence digest.Digest `json:"evidence"` // manifest of the statement
	Key      string        `json:"key"`      // suite or reviewer that it belongs to
	At       time.Time     `json:"at"`       // its signed time; zero without one
	Reason   string        `json:"reason"`
}

// Input is everything that a verdict depends on. Evaluate is a pure function of it.
type Input struct {
	Now           time.Time
	Service       string
	Candidate     digest.Digest
	Platforms     []Platform    // of the candidate; one for an image without index
	Prod          digest.Digest // "" for none
	Evidence      []evidence.Item
	Listing       error // evidence could not be listed: every gate that reads it is error
	Negatives     []Negative
	Quarantined   string   // why it must not be promoted, "" if it may
	QuarantineErr error    // quarantines could not be read: blocks
	Promoter      string   // id of who promotes, "" if unknown
	Bigger        []string // which bigger-change rules fired against prod, in words
	BiggerErr     error    // the change could not be told: a sign-off is needed
}

// Policy is what decides for one service: its gates, who is trusted, records.
type Policy struct {
	Service config.Service
	Trust   map[string]config.Group
}

package operation

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
	"plimsoll/release/via"
)

// The actions of an operation, as journal, records and output name them.
const (
	ActionPromote    = "promote"
	ActionRollback   = "rollback"
	ActionAdopt      = "adopt"
	ActionQuarantine = "quarantine"
	ActionLift       = "lift"
)

// None is what --expect takes for a channel that points at nothing yet.
const None = "none"

// PromoteRequest asks for a candidate to be copied to prod and the channel to be moved to it.
type PromoteRequest struct {
	Service   string        `json:"service"`
	Digest    digest.Digest `json:"digest"`           // of the index of a multi-platform image
	Expect    string        `json:"expect,omitempty"` // the prod digest that the caller saw, None, or "" for not checked
	Reason    string        `json:"reason,omitempty"`
	Overrides []string      `json:"overrides,omitempty"` // gates to go past, where the policy lets the promoter; with Reason
	Asked
}

// Asked is what a pipeline that promotes for somebody knows of them. Not empty,
// it says that this is the pipeline: nobody else is asked.
type Asked struct {
	RequestedBy []string `json:"requestedBy,omitempty"` // names under which the pipeline knows who asked
	Operation   string   `json:"operation,omitempty"`   // id of the operation of whoever asked, for the record
}

// RollbackRequest asks for the channel to be moved to a digest that was in prod before.
type RollbackRequest struct {
	Service      string        `json:"service"`
	Digest       digest.Digest `json:"digest,omitempty"` // "": the last good one
	Expect       string        `json:"expect,omitempty"` // as in PromoteRequest
	Reason       string        `json:"reason,omitempty"`
	NoQuarantine bool          `json:"noQuarantine,omitempty"` // leave the digest that prod leaves promotable
	Asked
}

// AdoptRequest asks for a first record of what is in prod already.
type AdoptRequest struct {
	Service string `json:"service"`
	Expect  string `json:"expect,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// QuarantineRequest asks for a signed statement that a digest must not be promoted, or may be again.
type QuarantineRequest struct {
	Service string        `json:"service"`
	Digest  digest.Digest `json:"digest"`
	Reason  string        `json:"reason"`
	Lift    bool          `json:"lift,omitempty"`
}

// Quarantined is what quarantine prints.
type Quarantined struct {
	Service  string        `json:"service"`
	Digest   digest.Digest `json:"digest"`
	Evidence digest.Digest `json:"evidence"` // the manifest of the statement in the ledger
	Reason   string        `json:"reason"`
	Lifted   bool          `json:"lifted"`
	// Unchanged is true if there was nothing to lift, or the digest was quarantined already.
	Unchanged bool `json:"unchanged"`
}

// Outcome is what promote, rollback and adopt print.
type Outcome struct {
	Action    string          `json:"action"` // promote, rollback, adopt
	Service   string          `json:"service"`
	Digest    digest.Digest   `json:"digest"`
	Previous  *digest.Digest  `json:"previous"`
	Tags      []string        `json:"tags"`
	Copied    registry.Copied `json:"copied"`
	Referrers Arrivals        `json:"referrers"`
	Record    *digest.Digest  `json:"record"` // null while it could not be written; Warnings says so
	Seconds   float64         `json:"seconds"`
	Unchanged bool            `json:"unchanged"`
	Overrides []string        `json:"overrides,omitempty"` // gates that the promoter went past
	Warnings  []string        `json:"warnings,omitempty"`
	// Quarantined is the digest that a rollback left and quarantined; nil: none.
	Quarantined *digest.Digest `json:"quarantined,omitempty"`
	// Via is the pipeline's run that did it, whose log has what Copied and
	// Referrers do not tell then; nil: this machine did it.
	Via *via.Run `json:"via,omitempty"`
	// RequestedBy are those for whom this machine, a pipeline, did it.
	RequestedBy []string `json:"requestedBy,omitempty"`
}

// Arrivals counts the referrers that travelled to prod.
type Arrivals struct {
	Expected   int             `json:"expected"`
	Arrived    int             `json:"arrived"`
	LeftBehind []digest.Digest `json:"leftBehind"` // manifests; never nil in an Outcome
}

// Progress is one report of a running operation; each replaces the one before.
type Progress struct {
	Step  string             // the step that runs, in words
	Index int                // its place, from 0
	Steps []string           // all of them, in words
	Copy  *registry.Progress // while the image is copied
	Run   *via.Status        // of the pipeline that does it; nil: this machine does
	Moved bool               // the channel has moved: cancelling no longer undoes
}

// Where says on which side of the move an interrupted operation left prod.
type Where string

// The sides.
const (
	Before  Where = "before"  // prod has not changed
	After   Where = "after"   // the channel has moved
	Unknown Where = "unknown" // it ended while the channel was being moved; the registry knows
)

// Pending is an operation of this machine that did not end.
type Pending struct {
	ID      string        `json:"id"`
	Service string        `json:"service"`
	Action  string        `json:"action"`
	Digest  digest.Digest `json:"digest"`
	// Previous is what the channel pointed at before; nil for nothing, or not known yet.
	Previous *digest.Digest `json:"previous"`
	Started  time.Time      `json:"started"`
	Step     string         `json:"step"` // where it stopped, in words
	Prod     Where          `json:"prod"`
	Owed     []string       `json:"owed,omitempty"` // what is still to be written, in words
	Problem  string         `json:"problem,omitempty"`
	Command  string         `json:"command"`       // what finishes it
	Run      string         `json:"run,omitempty"` // link to the pipeline's run that does it
}

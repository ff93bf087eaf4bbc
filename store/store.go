package store

import (
	"encoding/json"
	"time"
)

// OperationState is where an operation stands.
type OperationState string

// The states of an operation.
const (
	Open      OperationState = "open"
	Done      OperationState = "done"
	Failed    OperationState = "failed"    // ended before prod changed
	Abandoned OperationState = "abandoned" // closed by a later start, prod unchanged
)

// Operation is the journal of one promote, rollback, adopt or quarantine.
type Operation struct {
	ID       string          `json:"id"` // sortable by start time
	Service  string          `json:"service"`
	Identity string          `json:"identity"` // prod repository and channel: "host/path:channel"
	Action   string          `json:"action"`
	State    OperationState  `json:"state"`
	Started  time.Time       `json:"started"`
	Ended    time.Time       `json:"ended,omitzero"`
	Moved    bool            `json:"moved"` // the channel has moved
	Steps    []StepEntry     `json:"steps"`
	Data     json.RawMessage `json:"data"` // request, verdict and what the steps learnt; owned by release/operation
	Problem  string          `json:"problem,omitempty"`
}

// StepEntry is one line of an operation's journal.
type StepEntry struct {
	Step  string    `json:"step"`
	State string    `json:"state"` // started, done, failed
	At    time.Time `json:"at"`
	Note  string    `json:"note,omitempty"`
}

// AuditEntry is one link of the local audit chain.
type AuditEntry struct {
	Number   uint64          `json:"number"`
	At       time.Time       `json:"at"`
	Action   string          `json:"action"` // promote, rollback, adopt, quarantine, sign-off, attest, trust, ...
	Service  string          `json:"service"`
	Actor    string          `json:"actor"`
	Data     json.RawMessage `json:"data"`
	Previous string          `json:"previous"` // hash of the entry before, hex
	Hash     string          `json:"hash"`     // SHA-256 of the canonical JSON of the entry without this field, hex
}

package store

import (
	"encoding/json"
	"fmt"
	"time"

	"plimsoll/config/fault"
)

// OperationState is where an operation stands.
type OperationState string

// The states of an operation.
const (
	Pending   OperationState = "open"
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

// closedKept is how many closed operations stay in the journal.
const closedKept = 1000

// PutOperation writes the operation in place of its former state. When it
// returns, the entry is on the disk.
func (s *Store) PutOperation(op Operation) error {
	if op.ID == "" {
		return fault.New(fault.Failed, "", nil, "journal an operation of %s: it has no id", op.Service)
	}
	raw, err := redacted(op)
	if err != nil {
		return fmt.Errorf("journal operation %s: %w", op.ID, err)
	}
	return s.update(func(t txn) error {
		id := []byte(op.ID)
		if err := t.b(bOperations).Put(id, raw); err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
		if op.State == Pending {
			return t.b(bOpen).Put(id, []byte{}) //nolint:wrapcheck // as above
		}
		if err := t.b(bOpen).Delete(id); err != nil {
			return err //nolint:wrapcheck // as above
		}
		return t.pruneOperations()
	})
}

// pruneOperations drops the oldest closed operations beyond closedKept.
func (t txn) pruneOperations() error {
	var closed [][]byte
	cursor := t.b(bOperations).Cursor()
	for id, _ := cursor.First(); id != nil; id, _ = cursor.Next() {
		if t.b(bOpen).Get(id) == nil {
			closed = append(closed, clone(id))
		}
	}
	for _, id := range closed[:max(0, len(closed)-closedKept)] {
		if err := t.b(bOperations).Delete(id); err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
	}
	return nil
}

// Operations are the journaled operations, oldest first; with open only those
// that are not closed.
func (s *Store) Operations(open bool) ([]Operation, error) {
	var out []Operation
	err := s.view(func(t txn) error {
		keys := t.b(bOperations)
		if open {
			keys = t.b(bOpen)
		}
		return keys.ForEach(func(id, _ []byte) error { //nolint:wrapcheck // view says what was tried
			op, err := decode[Operation](t.b(bOperations).Get(id))
			out = append(out, op)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Operation is the operation with that id.
func (s *Store) Operation(id string) (op Operation, found bool, err error) {
	err = s.view(func(t txn) error {
		raw := t.b(bOperations).Get([]byte(id))
		if raw == nil {
			return nil
		}
		found = true
		op, err = decode[Operation](raw)
		return err
	})
	return op, found && err == nil, err
}

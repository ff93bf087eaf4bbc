package store

import (
	"encoding/json"
	"fmt"
)

// pinPrefix keeps pins apart from the files of the bucket that they share: no path begins with it.
const pinPrefix = "pin\x00"

// Pin keeps v, as JSON, under a name, for good: what this machine believed the
// first time, and must not forget to make room. It replaces what was pinned there.
func (s *Store) Pin(name string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("remember %s: %w", name, err)
	}
	value, err := redacted(acceptance{At: s.now().UTC(), Content: string(content)})
	if err != nil {
		return fmt.Errorf("remember %s: %w", name, err)
	}
	return s.update(func(t txn) error {
		return t.b(bAccepted).Put([]byte(pinPrefix+name), value) //nolint:wrapcheck // update says what was tried
	})
}

// Pinned reads what Pin kept into into, a pointer. What does not fit into it is
// an error: it must not count as never seen.
func (s *Store) Pinned(name string, into any) (found bool, err error) {
	a, err := s.acceptance(pinPrefix + name)
	if err != nil || a.Content == "" {
		return false, err
	}
	if err := json.Unmarshal([]byte(a.Content), into); err != nil {
		return false, fmt.Errorf("read what is remembered of %s: %w", name, err)
	}
	return true, nil
}

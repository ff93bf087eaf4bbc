package store

import (
	"encoding/json"
	"fmt"
)

// Snapshot reads what PutSnapshot kept into into, a pointer. It is one read
// transaction, so that a first frame can wait for it. A snapshot that no
// longer fits into is as good as none.
func (s *Store) Snapshot(kind, key string, into any) (found bool, err error) {
	var raw []byte
	err = s.view(func(t txn) error {
		raw = clone(s.snapshots(t).get(snapshotKey(kind, key)))
		return nil
	})
	if err != nil || raw == nil {
		return false, err
	}
	return json.Unmarshal(raw, into) == nil, nil
}

// PutSnapshot keeps v, as JSON and without the secrets of this process, in
// place of the one before.
func (s *Store) PutSnapshot(kind, key string, v any) error {
	raw, err := redacted(v)
	if err != nil {
		return fmt.Errorf("keep the snapshot %s %s: %w", kind, key, err)
	}
	return s.update(func(t txn) error { return s.snapshots(t).put(snapshotKey(kind, key), raw) })
}

func snapshotKey(kind, key string) []byte { return []byte(kind + "\x00" + key) }

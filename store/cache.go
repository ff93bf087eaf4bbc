package store

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// cacheLimit is how many bytes of contents and snapshots are kept; beyond it
// the oldest go. cacheShare is the most that one value may take.
const (
	cacheLimit = 256 << 20
	cacheShare = 16
)

// cached is one of the two buckets that share the limit.
type cached struct {
	txn
	bucket *bolt.Bucket
	letter byte
	limit  uint64
}

func (s *Store) contents(t txn) cached {
	return cached{txn: t, bucket: t.b(bContent), letter: 'c', limit: s.limit}
}

func (s *Store) snapshots(t txn) cached {
	return cached{txn: t, bucket: t.b(bSnapshots), letter: 's', limit: s.limit}
}

// get is the value of key without its place in the order, nil if there is none.
func (c cached) get(key []byte) []byte {
	v := c.bucket.Get(key)
	if v == nil {
		return nil
	}
	numberIn(v)
	return v[8:]
}

// put stores value as the newest of all and drops the oldest beyond the limit.
// The same value again changes nothing; one that is too large to keep only
// drops the one before.
func (c cached) put(key, value []byte) error {
	if old := c.get(key); old != nil && bytes.Equal(old, value) {
		return nil
	}
	total, err := c.drop(key, c.total())
	if err != nil {
		return err
	}
	if uint64(len(value)) > c.limit/cacheShare {
		return c.prune(total)
	}
	seq, err := c.b(bOrder).NextSequence()
	if err != nil {
		return err //nolint:wrapcheck // update says what was tried
	}
	stored := append(number(seq), value...)
	if err := c.bucket.Put(key, stored); err != nil {
		return err //nolint:wrapcheck // as above
	}
	if err := c.b(bOrder).Put(number(seq), append([]byte{c.letter}, key...)); err != nil {
		return err //nolint:wrapcheck // as above
	}
	return c.prune(total + uint64(len(key)+len(stored)))
}

// drop removes the value of key, if there is one, and gives the new total.
func (c cached) drop(key []byte, total uint64) (uint64, error) {
	old := c.bucket.Get(key)
	if old == nil {
		return total, nil
	}
	total -= uint64(len(key) + len(old))
	if err := c.b(bOrder).Delete(clone(old[:8])); err != nil {
		return 0, err //nolint:wrapcheck // update says what was tried
	}
	return total, c.bucket.Delete(key) //nolint:wrapcheck // as above
}

func (c cached) total() uint64 {
	v := c.b(bMeta).Get([]byte(kCacheBytes))
	if v == nil {
		return 0
	}
	return numberIn(v)
}

// prune drops the oldest values until total is within the limit, and notes it.
func (c cached) prune(total uint64) error {
	for total > c.limit {
		seq, at := c.b(bOrder).Cursor().First()
		if len(at) == 0 {
			return damage("the cache has no order")
		}
		bucket := c.b(bContent)
		if at[0] == 's' {
			bucket = c.b(bSnapshots)
		}
		key := clone(at[1:])
		total -= uint64(len(key) + len(bucket.Get(key)))
		if err := bucket.Delete(key); err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
		if err := c.b(bOrder).Delete(clone(seq)); err != nil {
			return err //nolint:wrapcheck // as above
		}
	}
	return c.b(bMeta).Put([]byte(kCacheBytes), number(total)) //nolint:wrapcheck // as above
}

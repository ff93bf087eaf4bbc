package store

import (
	"encoding/binary"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// Format is the version of the layout below. A file with a higher one is
// refused; a change that an older plimsoll would read wrongly raises it.
const Format = 1

// The buckets of the file, all at the top level, all made together with the
// first write. Integers in keys and values are big-endian, 8 bytes.
//
//	meta        format → decimal Format
//	            hash-key → 32 random bytes, made once
//	            cache-bytes → sum of len(key)+len(value) over content and snapshots
//	content     "sha256:…" → seq, 'v', bytes             the bytes have that digest
//	                       or seq, 'm', SHA-256, bytes   an image configuration without its secrets
//	snapshots   kind 0x00 key → seq, JSON
//	order       seq → 'c' or 's', key: every value of content and snapshots
//	            exactly once, by age; its bucket sequence is the highest seq
//	negatives   subject 0x00 gate 0x00 evidence 0x00 key → JSON Negative; never overwritten, never pruned
//	operations  id → JSON Operation
//	open        id → empty: exactly the operations whose state is Open
//	leases      identity → JSON lease
//	audit       number from 1 without gaps → JSON AuditEntry; its bucket sequence is
//	            the highest number; each names the hash of the one before
//	accepted    path → JSON acceptance; or reference of a key service ("…://…") → JSON pinnedKey
//
// Nothing in the file is a secret of a registry or a person: texts pass
// clean.Redact, image configurations are masked.
const (
	bMeta       = "meta"
	bContent    = "content"
	bSnapshots  = "snapshots"
	bOrder      = "order"
	bNegatives  = "negatives"
	bOperations = "operations"
	bOpen       = "open"
	bLeases     = "leases"
	bAudit      = "audit"
	bAccepted   = "accepted"
	bStaged     = "staged"
)

var buckets = []string{bMeta, bContent, bSnapshots, bOrder, bNegatives, bOperations, bOpen, bLeases, bAudit, bAccepted}

const (
	kFormat     = "format"
	kHashKey    = "hash-key"
	kCacheBytes = "cache-bytes"
)

// txn is a transaction on a file whose layout is known to be ours.
type txn struct{ *bolt.Tx }

// b is a bucket. A missing one is damage: the layout makes all of them at once.
func (t txn) b(name string) *bolt.Bucket {
	b := t.Bucket([]byte(name))
	if b == nil {
		panic(damage("the bucket " + name + " is missing"))
	}
	return b
}

// blank tells whether the file has no bucket yet.
func blank(tx *bolt.Tx) bool {
	k, _ := tx.Cursor().First()
	return k == nil
}

// lay makes the buckets in a blank file.
func lay(tx *bolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
	}
	return tx.Bucket([]byte(bMeta)).Put([]byte(kFormat), []byte(strconv.Itoa(Format))) //nolint:wrapcheck // as above
}

// checkFormat refuses a file of a newer plimsoll, and one that is not ours.
func checkFormat(tx *bolt.Tx) error {
	meta := tx.Bucket([]byte(bMeta))
	if meta == nil {
		return damage("it is not a store of plimsoll")
	}
	v, err := strconv.Atoi(string(meta.Get([]byte(kFormat))))
	switch {
	case err != nil || v < 1:
		return damage("it names no format")
	case v > Format:
		return newerFormat(v)
	}
	return nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// numberIn reads the number at the start of b.
func numberIn(b []byte) uint64 {
	if len(b) < 8 {
		panic(damage("a number is cut short"))
	}
	return binary.BigEndian.Uint64(b)
}

// clone copies bytes out of a transaction; nil stays nil.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// Package store is what this machine remembers: caches of what is named by a
// digest, what the screens showed last, negatives that were seen, the journal
// of operations, leases, and the local audit chain. The registries stay the
// only shared truth; losing this file loses caches, the local entries of the
// audit chain and the memory of rejections, nothing else.
//
//	caller ─► view / update ─► open the file (shared / exclusive lock, bounded wait)
//	                            └► one bbolt transaction (committed with fsync)
//	                                └► close: the lock is free again
//
// Nobody holds the lock while waiting for a person or a network, so a second
// console, or a rollback beside an open console, works. A reader of a file
// that does not exist yet sees an empty store.
//
//	store.go       Store, Open
//	layout.go      the file: buckets, keys, invariants, format version
//	transact.go    open, lock, run, close; damage becomes an error, never a panic
//	structure.go   a look at the tree before bbolt trusts it
//	failures.go    errors with their remedy
//	access.go      modes of the directory and the file
//	cache.go       contents and snapshots: bounded, the oldest goes first
//	content.go     bytes by digest; image configurations without their secrets
//	snapshot.go    what a screen showed last
//	negatives.go   failed results, rejections and revocations that were seen
//	journal.go     operations
//	lease.go       one operation at a time for each service
//	audit.go       the hash chain
//	staged.go      since when staging runs a digest
//	accepted.go    configuration files that a person trusted
//	pin.go         what was believed the first time
//	keys.go        public keys of key services, pinned
//	secrets.go     redaction, the keyed hash
package store

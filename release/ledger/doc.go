// Package ledger reads and writes the ledger: a repository in the prod
// registry that holds signed records, quarantines and policies, in order. It is the
// history that every laptop sees.
//
//	entry = OCI manifest without a subject
//	          └► one layer: a Sigstore bundle ─► signed in-toto statement ─► predicate
//
//	<channel>-<8 digits>-<first 8 hex of the manifest digest>       a record
//	<the same>-done                                                 its completion
//	quarantine-<first 16 hex of the image>-<8 hex of the manifest>  a quarantine, or its lift
//	policy-<first 16 hex of the policy>-<8 hex of the manifest>     a policy: used by a promotion, or approved by an owner
//
//	Read:   tag list ─► manifests and bundles that are not known yet ─► signatures of the
//	        records groups ─► statement, tag, repository and channel agree ─► Chain
//	Write:  tag list ─► next number ─► sign ─► blobs, then the manifest under its tag
//
// Entries are never overwritten and never believed without a signature:
// whoever can write to the repository can add entries that count for nothing,
// and take entries away, which is noticed by the gap and by who saw them
// before. OCI has no conditional write, so two machines may take one number:
// both entries stay, and Chain.Rival finds the other one before the channel moves.
//
//	ledger.go      Ledger, what it asks of a registry and of a cache
//	tag.go         names of entries
//	entry.go       from a tag to bytes: manifest, bundle, what is remembered
//	read.go        Read
//	verify.go      from bytes to a believed predicate
//	record.go      Record and what it says
//	chain.go       Chain and its answers
//	quarantine.go  quarantines, their lifts, what they match
//	policy.go      policies that were written down; owners.go: which of them binds
//	approvals.go   how approvals follow one another
//	problems.go    gaps, forks, what was taken away
//	write.go       Draft, Publish, Complete, Abandon, Quarantine, DraftPolicy
package ledger

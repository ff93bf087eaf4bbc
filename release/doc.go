// Package release is the desk: the one thing that the console and the command
// line talk to. It reads what the registries hold, lets the gates judge it,
// signs what people decide, and hands what changes prod to package operation.
// It only composes; every rule lives below it.
//
//	tag list ─► HEAD of the tags in view ─► what the digests are ─► order, limit ─► candidates in view
//	              (16 at a time)              (store, else registry)                      │
//	channel ─► prod's image ─┐                                                            ▼
//	ledger ─► records, quarantines ─► world ──────────────────► judge ◄── evidence: referrers, platforms,
//	remembered failures ─┘                                        │       .att tags, BuildKit's attestations
//	                                                              ▼
//	                                    rows, verdicts, warnings ─► view, kept for the next first frame
//
// What a digest names is read once and kept in the store for good. Lists and
// tags are asked again: at a refresh every tag in view, every new tag, and the
// referrers of every candidate in view. Tags out of view are asked once a
// minute, the referrers of platform manifests every five; gates, approve and
// promote believe nothing that is remembered.
//
//	desk.go        Options, New, services and their repositories
//	release.go     what the desk answers with
//	listing.go     List: one service with its candidates, prod and warnings
//	names.go       tags, what they point at, what a listing remembers
//	candidates.go  from tags to described candidates, one for each digest
//	order.go       which comes first; how people read tags
//	shelf.go       content by digest: the store first, then the registry, once
//	evidence.go    everything that is attached to a digest; pieces.go: manifests into evidence
//	judging.go     what candidates are judged against; Gates
//	answers.go     what sources outside the registry say; which commit an image is of
//	basedates.go   when the base images of a candidate were made
//	staged.go      since when staging runs a digest
//	scans.go       what verified evidence says of an image: vulnerabilities, base images
//	difference.go  Diff
//	resolve.go     what a person means by a candidate
//	sign.go        keys, who they are, statements attached
//	signoff.go     Approve; attest.go: Attest; stated.go: what it signs
//	override.go    who may go past which gate
//	operations.go  promote, roll back, adopt, quarantine; the desk as their judge
//	books.go       the ledger, as the desk reads it
//	history.go     the ledger and the audit chain of this machine as one history
//	targets.go     where prod can be rolled back to
//	verify.go      was this digest promoted? under which policy?
//	policy.go      the policy and its owners' signatures; policydiff.go: what differs, rule by rule
//	audit.go       the audit chain: verify, export, sync
package release

// Package gates decides whether a candidate may go to prod. It is pure: no
// network, no clock, no memory of its own; a verdict is a function of Policy
// and Input, in whatever order the evidence comes.
//
//	evidence items ─► reader ─► per gate: verify (that gate's keys only) ─► parse ─► subject ─► predicate type
//	                                        │                                                     │
//	                             rejected, with the reason                            rulings by key and signed time
//	                                                                                              │
//	remembered negatives that are gone ─► rulings that nobody can read any more ──────────────────┤
//	                                                                                              ▼
//	                                              newest per key ─► rule ─► freshness ─► Check ─► Verdict
//
// Three ideas carry it:
//   - A statement counts only for a gate whose own signer group made it; all
//     others are named in the reasons and change no status.
//   - Whatever goes wrong on the way is an error or missing, never a pass.
//   - A "no" is superseded only by a later signed "yes" with the same key (a
//     suite, a scanner on a platform, a reviewer). One that was seen once and is
//     gone from the registry still stands, as an error.
//
// Files: gates.go (words), policy.go (what decides, its digest), evaluate.go
// (order and verdict), reader.go (which statements count), ruling.go (newest
// per key, negatives), cover.go (platforms); one file per gate: e2e.go, scan.go
// with vex.go, baseimage.go with provenance.go, signoff.go, freeze.go; and for
// others: findings.go (what a scan found, which base images), trusted.go (which
// referrers may travel).
package gates

// Package gates decides whether a candidate may go to prod. It is pure: no
// network and no clock of its own; a verdict is a function of Policy and Input,
// in whatever order the evidence comes. (Two memories make it faster and change
// no answer: which key made which signature, and what a scanner's report says.)
//
//	evidence items ─► reader ─► per gate: verify (that gate's keys only) ─► parse ─► subject ─► predicate type
//	                                        │                                                     │
//	                             rejected, with the reason                            rulings by key and signed time
//	                                                                                              │
//	answers of the sources that the gate names ─► rulings by source, check and time ──────────────┤
//	when base images were made, as their registries say ─► the ruling of the provenance ──────────┤
//	remembered negatives that are gone ─► rulings that nobody can read any more ──────────────────┤
//	                                                                                              ▼
//	                              newest per key ─► rule ─► freshness ─► Check ─► override? ─► Verdict
//	calendar, time in staging, CEL over facts, the policy's signature, quarantine ─► Check ───┘
//
// Five ideas carry it:
//   - A statement counts only for a gate whose own signer group made it. Others
//     change no status; those that claim to be what the gate reads, or do not say
//     what they are, are named in the reasons.
//   - Whatever goes wrong on the way is an error or missing, never a pass.
//   - A "no" is superseded only by a later "yes" with the same key (a suite, a
//     scanner on a platform, a platform, a reviewer). One that was seen once and
//     is gone still stands, as an error.
//   - A source outside the registry is believed as far as the policy names it, and
//     never mixes with what is signed: its keys begin with "source:", it takes no
//     signed "no" away, and nobody's signature takes a "no" of it away.
//   - An override turns a check of its gate into waived and changes nothing else.
//     Nobody goes past a rejection, the policy's signature or a quarantine.
//
// Files: gates.go (words), policy.go and effective.go (what decides, its
// digest), document.go and document_rules.go (a policy that
// can be read again), evaluate.go (order
// and verdict), reader.go and found.go (which statements count, and why others do not), ruling.go (newest per key,
// negatives), cover.go (platforms), sources.go (which answers count),
// override.go, standing.go (the policy's signature); one file per gate: e2e.go,
// scan.go with vex.go, vexfile.go (before it is signed), scananswers.go and scanmemo.go, baseimage.go with baseage.go,
// provenance.go, signoff.go, soak.go, freeze.go with calendar.go, custom.go;
// slsa.go, origin.go and builds.go read provenance for two of them; and for
// others: findings.go (what a scan found, which base images), packages.go (what
// is inside, by bills of materials), revision.go
// (which commit), trusted.go (which referrers may travel).
package gates

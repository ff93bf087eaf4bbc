// Package doctor finds out whether the isolation of a service is real: who can
// write prod, whether what was promoted can still be rolled back to, whether
// what decides can be believed.
//
//	Patient (a service as its desk sees it)
//	   │ read staging, prod and the ledger with the everyday identity
//	   ▼
//	questions, some at a time, each within its time ─► facts: ok, warning, broken, unknown
//
// A fact is never guessed: what an identity may write is proved by an upload
// that is opened and cancelled at once, or by a refusal of an identity that
// the registry is known to accept. What could not be told is unknown, with the
// reason, and counts as a warning. No question fails another.
//
//	report.go     Status, Fact, Service, Report, Request
//	fact.go       how facts are worded; area.go: how they are grouped
//	doctor.go     Patient, Examine: what is asked, how much at a time
//	grant.go      may an identity write? the proof and what it means
//	everyday.go   the identities of every day, and nobody's; around.go: ways in without a push
//	promotion.go  the promotion identity: what it writes, how long it lasts, who it is
//	ci.go         CI's credential
//	hosts.go      referrers, clocks, TLS
//	kept.go       retention, what was promoted, release tags, locks
//	trust.go      keys, roots, roles
//	policy.go     gates, the person's key, the policy's owners
//	channel.go    channel, ledger, open operations, delivery
//	running.go    what prod runs, where a probe tells
package doctor

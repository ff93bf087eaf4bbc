// Package operation promotes, rolls back, adopts and quarantines: each a list
// of steps as data, journaled on this machine, finished after a crash.
//
//	request ─► lease of (prod repository, channel) ─► what an earlier start left
//	             │                                     (finished, or closed)
//	             ▼
//	 look … judge │ identity … copy … record … look again │ MOVE │ deliver … complete … audit
//	 read only;   │ journaled, cancellable at once;       │      │ not cancellable, retried;
//	 leaves       │ prod is wholly before                 │      │ prod is wholly after;
//	 nothing      │                                       │      │ exit 6 leaves it open
//
// A step says whether it is done by what is true in the registries, not by
// what the journal says: the journal only says what was asked, what was judged
// and which bytes were signed. So the same list of steps starts an operation
// and finishes one that a crash cut off anywhere.
//
//	operation.go   requests, outcomes, progress, what is pending
//	judge.go       who decides
//	runner.go      Runner: what it needs, its four actions
//	start.go       the lease, and what an earlier start left open
//	state.go       one operation in flight, and the part of it that is journaled; outcome.go: what is printed
//	step.go        a step; the walk over a list of them, with journal and retries
//	close.go       how an operation ends: done, failed, abandoned, open
//	promote.go     the steps of a promotion; look.go, judged.go: those that only read
//	copy.go        image and evidence to prod, and reading them back
//	choose.go      which referrers travel; trusted.go: who signed them
//	override.go    going past a gate, with a reason; requester.go: for whom a pipeline does it
//	sign.go        release tag, verification summary; policy.go: the policy that judged
//	restore.go     a target that was deleted, back from the registry's bin
//	move.go        the one write that changes prod
//	finish.go      delivery, completion, audit chain
//	rollback.go    the steps of a rollback; target.go: where to
//	others.go      records that another machine left unfinished
//	adopt.go       a first record; quarantine.go: statements against a digest
//	book.go        the ledger, as operations use it
//	appoint.go     who does it, this machine or a pipeline; the order to a pipeline
//	follow.go      its run, the channel and the ledger, until it is certain what became of prod
//	pursuit.go     one look after another, with patience; verdict.go: how a run ended, in words
//	pending.go     what is open; owed.go: writing what could not be written
package operation

// Package via asks a pipeline to promote under its own identity, and follows
// its run: a GitHub Actions workflow or an Azure Pipelines definition.
//
//	Order ─► Dispatch ─► run id, or none said ─► Find (by the operation in the run's name) ─► Look … Look ─► result
//	             │                                                                              └► Cancel
//	             └ an error without Unsent: it may have been dispatched all the same
//
// What a run says is for people: whether prod changed, and by whom, only the
// channel and the ledger tell. Nothing here is kept; release/operation journals
// the order before it is sent, and the run once it is known.
//
//	via.go      Order, Run, Status, Pipeline, Open
//	call.go     one request: TLS, no redirects, sizes, what an answer without one means
//	github.go   workflow_dispatch, runs, jobs, annotations
//	azure.go    runs and builds; timeline.go: their steps
//	viatest/    both, for tests
package via

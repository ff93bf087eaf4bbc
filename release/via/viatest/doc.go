// Package viatest is GitHub and Azure DevOps as their documentation describes
// them, as far as a pipeline is dispatched and followed: on a TLS listener, with
// runs that run.
//
//	Dispatch ─► Run ─► queued ─► Job (what the test's runner does) ─► an exit code ─► how it ended
//
//	server.go  the listener, its token, what goes wrong on the way
//	run.go     runs, cancelling, waiting for them
//	github.go  workflow_dispatch, runs, jobs, annotations
//	azure.go   definitions, runs, builds, timelines
package viatest

// Package demo makes a small, believable release world on this machine: a
// staging and a prod registry in process, three services, their keys, signed
// evidence and history. What is in it was made by the release desk itself, at
// times in the past: the desk follows the demo's clock while the story is told,
// and the real one after.
//
//	Start ─► registries ─► keys, plimsoll.yaml ─► story (build, attest, approve, promote, …) ─► Demo
//	                                                                                    Close removes it all
//
//	demo.go      Start, Close
//	clock.go     the time of the story
//	keys.go      key pairs of CI, scanner and people
//	config.yaml  the configuration, with the addresses filled in
//	images.go    what the services are made of
//	provenance.go  where a build came from, signed by the builder
//	results.go   test and scan results, as the tools write them
//	story.go     what happened, in order
package demo

// Package program runs one program that the accepted configuration names: a
// delivery, a source of evidence, a tool that hands out a token.
//
//	argv ─► child process ─► its answer (bounded), the last lines of what it said
//	        no shell, own group, no secret of ours, time limit
//
// Whether a configuration may run anything at all is for the caller to know.
//
//	program.go   Spec, Run, what went wrong
//	tail.go      the end of an output of any length
//	group_*.go   a process and its children as one
package program

// Package delivery tells prod compute that its channel moved.
//
//	event ─► argv templates ─► child process ─► last lines of its output
//	         (no shell)        own group, no secret of ours,
//	                           time limit, bounded output
//
// Three kinds: tag (prod pulls the channel; nothing to do), command (an argv
// that sets the new digest) and git (a commit; refused by this version, before
// anything changes).
//
//	delivery.go   what is delivered, Check, Deliver
//	command.go    argv; package program runs it
package delivery

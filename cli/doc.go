// Package cli is the command line of Plimsoll: it reads flags, wires
// configuration, registries and the store into a release desk, asks people
// before anything is written, and prints what the desk says, as text or JSON.
//
//	arguments → cobra command → session (config, store, clients, signer) → release desk → text or JSON
//
// It decides nothing about releases; a rule that is found here is misplaced.
//
//	cli.go      Execute, the root command, common flags, how errors leave
//	session.go  from flags to a desk, once per process
//	signer.go   the person's signing key and its password
//	ask.go      prompts, only on a terminal
//	print.go    tables, checks, JSON
//	<verb>.go   one command each
//	demo/       two registries in process with sample services
package cli

//go:generate go run ./internal/docgen ../docs/commands

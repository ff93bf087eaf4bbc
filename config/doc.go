// Package config reads plimsoll.yaml and personal.yaml.
//
//	--config, $PLIMSOLL_CONFIG, here or above, user's directory     find.go
//	       │ path
//	bytes ─► tree (YAML with places, aliases resolved, limits)      tree.go
//	       ─► checked against the table of keys                     keys*.go, shape.go, check.go, format*.go, template.go
//	       ─► bound to Config; files and references checked         bind*.go, keyfile.go
//	       ─► personal.yaml on top                                  load.go
//	Config: config.go, trust.go (who may say what), rules.go (gates), sources.go
//
// The table of keys is the only description of the files. The JSON Schema
// (schema.go) and the list of keys in docs/configuration.md (reference.go) are
// made from it, so that they cannot say anything else than the loader; go generate
// ./config writes both. What is wrong is collected in a source (problem.go) and
// becomes one error that shows the line and says what would be right.
//
// A file may be anybody's until it is trusted: sizes, keys, nesting and aliases
// are limited, no command runs, and nothing but public keys, certificates and roots
// of trust is read; scripts beside the file are only hashed, since what a person
// accepts is the file with all that it names (Config.Text). Keys of key services and
// roots that TUF distributes are left open, with a Problem: config asks no network.
package config

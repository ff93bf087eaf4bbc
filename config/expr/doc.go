// Package expr compiles and evaluates the expressions of custom gates. They
// are written in CEL (https://github.com/google/cel-spec), which has no side
// effects, always ends, and can be checked before it runs.
//
//	text ─► parse ─► check against the declared types ─► Program        at load: position of every mistake
//	                                                        │
//	facts (JSON values) ─► conform to the same types ───────┴─► true, false or an error
//
// What an expression may name is declared: a misspelt field is found when the
// configuration is loaded, not on the evening of a release. Only the predicates
// of evidence are free, since anybody may define one.
//
//	compile.go   text into a Program, with positions
//	eval.go      a Program over facts, within the cost limit
//	schema.go    the variables and their fields
//	declare.go   the schema in the words of the CEL checker
//	conform.go   JSON values into the declared types
//	object.go    predicates, taken apart only when they are looked at
//	explain.go   the facts that an expression names, for people
//
// An expression that cannot be answered (a key that is not there, a fact that
// is not known, too much work) is an error; the caller makes that block.
package expr

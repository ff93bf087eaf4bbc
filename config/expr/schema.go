package expr

import (
	"sync"

	"cel.dev/cel-go/cel"
)

// field is one declared field of an object.
type field struct {
	name string
	kind kind
	// omit: the JSON leaves it out where it is empty, so a missing one is empty
	// and not unknown.
	omit bool
}

// kind is a type in the schema: exactly one of the forms.
type kind struct {
	scalar *cel.Type // string, int, timestamp, …
	object string    // a declared object
	list   *kind
	mapOf  *kind // by string
	null   bool  // may be null, too
}

var (
	text     = kind{scalar: cel.StringType}
	number   = kind{scalar: cel.IntType}
	flag     = kind{scalar: cel.BoolType}
	moment   = kind{scalar: cel.TimestampType}
	anything = kind{scalar: cel.DynType}
	texts    = listOf(text)
	named    = mapOf(text)
	noText   = kind{scalar: cel.StringType, null: true}
	noBool   = kind{scalar: cel.BoolType, null: true}
)

func object(name string) kind { return kind{object: name} }
func listOf(k kind) kind      { return kind{list: &k} }
func mapOf(k kind) kind       { return kind{mapOf: &k} }

// variables are what an expression may start from.
var variables = map[string]kind{
	"image":    object("Image"),
	"config":   object("Config"), // image.config, for short
	"diff":     object("Diff"),
	"evidence": listOf(object("Evidence")),
	"now":      moment,
}

// schema is every object that an expression may look into. Those below Diff are
// the JSON of `plimsoll diff`.
var schema = sync.OnceValue(func() map[string][]field {
	return map[string][]field{
		"Image": {
			{name: "repository", kind: text},
			{name: "digest", kind: text},
			{name: "tags", kind: texts},
			{name: "created", kind: moment},
			{name: "sizeBytes", kind: number},
			{name: "platforms", kind: texts},
			{name: "platform", kind: text},
			{name: "revision", kind: text},
			{name: "version", kind: text},
			{name: "labels", kind: named},
			{name: "config", kind: object("Config")},
			{name: "perPlatform", kind: mapOf(object("Config"))},
		},
		"Config": {
			{name: "user", kind: text},
			{name: "entrypoint", kind: texts},
			{name: "cmd", kind: texts},
			{name: "env", kind: named},
			{name: "exposedPorts", kind: texts},
			{name: "workingDir", kind: text},
			{name: "volumes", kind: texts},
			{name: "stopSignal", kind: text},
			{name: "labels", kind: named},
		},
		"Evidence": {
			{name: "predicateType", kind: text},
			{name: "group", kind: text},
			{name: "person", kind: text, omit: true},
			{name: "identity", kind: text, omit: true},
			{name: "signedAt", kind: moment},
			{name: "subject", kind: text},
			{name: "digest", kind: text},
			{name: "predicate", kind: anything},
		},
		"Diff": {
			{name: "from", kind: noText},
			{name: "to", kind: text},
			{name: "config", kind: listOf(object("Change"))},
			{name: "layers", kind: object("Layers")},
			{name: "packages", kind: object("Packages")},
			{name: "vulnerabilities", kind: object("Vulnerabilities")},
			{name: "files", kind: object("Files")},
			{name: "baseImage", kind: object("BaseImage")},
			{name: "platforms", kind: object("Platforms")},
			{name: "size", kind: object("Sizes")},
			{name: "revision", kind: object("Revisions")},
			{name: "version", kind: object("Revisions")},
			{name: "compareURL", kind: text, omit: true},
			{name: "fetchedBytes", kind: number},
		},
		"Change": {
			{name: "field", kind: text},
			{name: "name", kind: text},
			{name: "platform", kind: text},
			{name: "from", kind: noText},
			{name: "to", kind: noText},
		},
		"Layers": {
			{name: "shared", kind: number},
			{name: "added", kind: listOf(object("Layer"))},
			{name: "removed", kind: listOf(object("Layer"))},
			{name: "sharedBytes", kind: number},
			{name: "addedBytes", kind: number},
			{name: "removedBytes", kind: number},
		},
		"Layer": {{name: "digest", kind: text}, {name: "bytes", kind: number}, {name: "createdBy", kind: text}},
		"Packages": {
			{name: "added", kind: texts},
			{name: "removed", kind: texts},
			{name: "changed", kind: texts},
			{name: "ecosystems", kind: texts},
			{name: "problem", kind: text, omit: true},
			{name: "partial", kind: text, omit: true},
		},
		"Vulnerabilities": {
			{name: "introduced", kind: listOf(object("Finding"))},
			{name: "fixed", kind: listOf(object("Finding"))},
			{name: "problem", kind: text, omit: true},
			{name: "partial", kind: text, omit: true},
		},
		"Finding": {
			{name: "id", kind: text},
			{name: "package", kind: text},
			{name: "version", kind: text},
			{name: "fixedIn", kind: text, omit: true},
			{name: "severity", kind: text},
			{name: "title", kind: text, omit: true},
			{name: "url", kind: text, omit: true},
		},
		"Files":     {{name: "added", kind: texts}, {name: "removed", kind: texts}, {name: "modified", kind: texts}},
		"BaseImage": {{name: "from", kind: text}, {name: "to", kind: text}, {name: "fromClaimed", kind: flag}, {name: "toClaimed", kind: flag}, {name: "pinned", kind: noBool}},
		"Platforms": {{name: "added", kind: texts}, {name: "removed", kind: texts}},
		"Sizes":     {{name: "from", kind: number}, {name: "to", kind: number}},
		"Revisions": {{name: "from", kind: text}, {name: "to", kind: text}},
	}
})

// Fields are the names of the fields of a declared object, in the order of
// the documentation; none for an object that is not declared. Objects are Image,
// Config, Evidence, Diff and what these hold.
func Fields(object string) []string {
	fields := schema()[object]
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

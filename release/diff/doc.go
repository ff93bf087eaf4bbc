// Package diff tells what changes between two images: what prod runs and what
// would replace it.
//
//	digest ─► Describe(reader) ─► Image ─┐
//	                                     ├─► Compare (pure) ─► Diff ─► JSON, Text, Bigger
//	digest ─► Describe(reader) ─► Image ─┘
//	scan reports, provenance ────────────┘
//
// Describe is the only part that reads; it asks a Reader, which knows caches
// and registries. Compare is a pure function, so that the same two images
// give the same answer on every machine.
//
//	image.go      what an image is, for people: platforms, layers, configuration
//	describe.go   manifests and indexes into an Image
//	reduce.go     an image configuration into what is kept of it
//	mask.go       secrets in its text masked, the rest made fit to be shown
//	compare.go    Diff and Compare
//	changes.go    configuration, platform by platform
//	layers.go     layers shared, added and removed
//	findings.go   vulnerabilities introduced and fixed
//	packages.go   packages, from bills of materials
//	baseimage.go  what is built on: proved by provenance, or claimed by labels
//	version.go    semantic versions of labels and tags
//	facts.go      what custom gates may look at
//	link.go       the compare page of the git host
//	bigger.go     which rules make it a bigger change
//	text.go       the page for a terminal or a log
package diff

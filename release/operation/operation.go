package operation

import (
	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// Outcome is what promote and rollback print.
type Outcome struct {
	Action    string          `json:"action"` // promote, rollback, adopt
	Service   string          `json:"service"`
	Digest    digest.Digest   `json:"digest"`
	Previous  *digest.Digest  `json:"previous"`
	Tags      []string        `json:"tags"`
	Copied    registry.Copied `json:"copied"`
	Referrers Arrivals        `json:"referrers"`
	Record    *digest.Digest  `json:"record"`
	Seconds   float64         `json:"seconds"`
	Unchanged bool            `json:"unchanged"`
	Warnings  []string        `json:"warnings,omitempty"`
}

// Arrivals counts the referrers that travelled to prod.
type Arrivals struct {
	Expected   int             `json:"expected"`
	Arrived    int             `json:"arrived"`
	LeftBehind []digest.Digest `json:"leftBehind"`
}

// Progress is one report of a running operation; each replaces the one before.
type Progress struct {
	Step  string             // the step that runs, in words
	Index int                // its place, from 0
	Steps []string           // all of them, in words
	Copy  *registry.Progress // while the image is copied
	Moved bool               // the channel has moved: cancelling no longer undoes
}

package diff

import (
	"slices"

	"github.com/opencontainers/go-digest"
)

// Diff is what changes when To takes the place of From. Lists are never null
// in JSON. Files is part of the format and stays empty at this depth: telling
// them needs the layers themselves.
type Diff struct {
	From            *digest.Digest  `json:"from"` // null: there was nothing
	To              digest.Digest   `json:"to"`
	Config          []Change        `json:"config"`
	Layers          Layers          `json:"layers"`
	Packages        Packages        `json:"packages"`
	Vulnerabilities Vulnerabilities `json:"vulnerabilities"`
	Files           Files           `json:"files"`
	BaseImage       BaseImage       `json:"baseImage"`
	Platforms       Platforms       `json:"platforms"`
	Size            Sizes           `json:"size"`
	Revision        Revisions       `json:"revision"`
	Version         Versions        `json:"version"`
	CompareURL      string          `json:"compareURL,omitempty"` // on the git host; http or https only
	FetchedBytes    int64           `json:"fetchedBytes"`         // read from registries to tell it
}

// Platforms are the platforms that come and go, by name.
type Platforms struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// Sizes are all platforms, each blob once, compressed, in bytes.
type Sizes struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Revisions are the commits, from the label org.opencontainers.image.revision.
type Revisions struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Files is what changes in the file system; empty at this depth.
type Files struct {
	Added    []string `json:"added"`
	Removed  []string `json:"removed"`
	Modified []string `json:"modified"`
}

// Base is what an image was built from.
type Base struct {
	Name   string // name@digest, or as much of it as is known; several, comma between them, where the build took several
	Pinned *bool  // the build named all by digest; nil if that is not known for every platform
}

// Labels that say where an image comes from
// (https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md).
const (
	LabelRevision   = "org.opencontainers.image.revision"
	LabelSource     = "org.opencontainers.image.source"
	LabelVersion    = "org.opencontainers.image.version"
	LabelBaseName   = "org.opencontainers.image.base.name"
	LabelBaseDigest = "org.opencontainers.image.base.digest"
)

// Compare tells what changes from one image to another; from nil: everything
// is added. It is pure.
func Compare(from *Image, to Image) Diff {
	d := Diff{To: to.Digest, Packages: packages(from, to), Files: Files{[]string{}, []string{}, []string{}}}
	before := Image{}
	if from != nil {
		before = *from
		d.From = &from.Digest
	}
	d.Platforms = platforms(before, to)
	d.Config = changes(from, to)
	d.Layers = layers(before, to)
	d.Vulnerabilities = findings(from, to)
	d.BaseImage = baseImage(before, to)
	d.Size = Sizes{From: before.Size(), To: to.Size()}
	d.Revision = Revisions{From: before.Label(LabelRevision), To: to.Label(LabelRevision)}
	d.Version = Versions{From: before.version(), To: to.version()}
	d.CompareURL = CompareURL(source(before, to), d.Revision.From, d.Revision.To)
	return d
}

// Empty tells whether nothing changes.
func (d Diff) Empty() bool {
	return len(d.Config)+len(d.Layers.Added)+len(d.Layers.Removed)+len(d.Platforms.Added)+len(d.Platforms.Removed)+
		len(d.Packages.Added)+len(d.Packages.Removed)+len(d.Packages.Changed)+
		len(d.Vulnerabilities.Introduced)+len(d.Vulnerabilities.Fixed) == 0 && d.BaseImage.From == d.BaseImage.To
}

func platforms(from, to Image) Platforms {
	return Platforms{Added: missing(to.Names(), from.Names()), Removed: missing(from.Names(), to.Names())}
}

// missing are those of a that b does not have, sorted.
func missing(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// source is where the code lives, if both images do not disagree about it.
func source(from, to Image) string {
	a, b := from.Label(LabelSource), to.Label(LabelSource)
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return ""
}

package diff

import (
	"maps"
	"slices"
	"strings"
)

// Package is one package inside an image, from a verified bill of materials.
type Package struct {
	Ecosystem string // the type of its package URL: deb, npm, golang, …
	Name      string // with its namespace
	Version   string
}

// Contents is what the newest verified bills of materials say is inside an image.
type Contents struct {
	List    []Package
	Missing []string // platforms without one
	Problem string   // why there is nothing to compare, "" if there is
}

// Packages is what changes in the software inside: package URLs
// (https://github.com/package-url/purl-spec), of all platforms together.
type Packages struct {
	Added      []string `json:"added"`
	Removed    []string `json:"removed"`
	Changed    []string `json:"changed"`           // pkg:deb/debian/zlib1g 1.3 → 1.4
	Ecosystems []string `json:"ecosystems"`        // that come in: the image before has no package of them
	Problem    string   `json:"problem,omitempty"` // why it could not be told; then the lists are empty
	Partial    string   `json:"partial,omitempty"` // what the lists leave out

	onlyOne bool // of the images says what is inside
}

// packages compares two bills of materials by package; a package that is there
// in several versions is compared by all of them.
func packages(from *Image, to Image) Packages {
	out := Packages{Added: []string{}, Removed: []string{}, Changed: []string{}, Ecosystems: []string{}}
	after, before := to.contents(), Contents{}
	if from != nil {
		before = from.contents()
	}
	out.Problem, out.Partial = caveats("bill of materials", before.Problem, before.Missing, after.Problem, after.Missing)
	if out.Problem != "" {
		out.onlyOne = (before.Problem == "") != (after.Problem == "")
		return out
	}
	had, has := before.versions(), after.versions()
	for _, key := range slices.Sorted(maps.Keys(has)) {
		switch old := had[key]; {
		case old == nil:
			out.Added = append(out.Added, key+"@"+strings.Join(has[key], ", "))
		case !slices.Equal(old, has[key]):
			out.Changed = append(out.Changed, key+" "+strings.Join(old, ", ")+" → "+strings.Join(has[key], ", "))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(had)) {
		if has[key] == nil {
			out.Removed = append(out.Removed, key+"@"+strings.Join(had[key], ", "))
		}
	}
	out.Ecosystems = missing(after.ecosystems(), before.ecosystems())
	return out
}

// contents are what is known of the image's packages.
func (i Image) contents() Contents {
	if i.Contents == nil {
		return Contents{Problem: "there is no verified bill of materials of it"}
	}
	return *i.Contents
}

// versions are the versions of each package, sorted, by package URL without version.
func (c Contents) versions() map[string][]string {
	out := map[string][]string{}
	for _, p := range c.List {
		key := "pkg:" + p.Ecosystem + "/" + p.Name
		if !slices.Contains(out[key], p.Version) {
			out[key] = append(out[key], p.Version)
		}
	}
	for _, versions := range out {
		slices.Sort(versions)
	}
	return out
}

func (c Contents) ecosystems() []string {
	var out []string
	for _, p := range c.List {
		if !slices.Contains(out, p.Ecosystem) {
			out = append(out, p.Ecosystem)
		}
	}
	return out
}

// caveats say why evidence of two images could not be compared, or what it leaves out.
func caveats(what, problemBefore string, missingBefore []string, problemAfter string, missingAfter []string) (problem, partial string) {
	var problems, parts []string
	for _, side := range []struct {
		name, problem string
		missing       []string
	}{{"the image before", problemBefore, missingBefore}, {"the new image", problemAfter, missingAfter}} {
		switch {
		case side.problem != "":
			problems = append(problems, side.name+": "+side.problem)
		case len(side.missing) > 0:
			parts = append(parts, side.name+": no verified "+what+" of "+strings.Join(side.missing, ", "))
		}
	}
	return strings.Join(problems, "; "), strings.Join(parts, "; ")
}

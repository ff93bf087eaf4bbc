package release

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
	"plimsoll/release/diff"
)

// dependency is an entry of SLSA's resolvedDependencies (v1) or materials (v0.2).
type dependency struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// dependencies are those of a provenance predicate
// (https://slsa.dev/spec/v1.1/provenance, https://slsa.dev/spec/v0.2/provenance).
func dependencies(predicate json.RawMessage) []dependency {
	var p struct {
		BuildDefinition struct {
			ResolvedDependencies []dependency `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		Materials []dependency `json:"materials"`
	}
	if json.Unmarshal(predicate, &p) != nil {
		return nil // the base-image gate says so
	}
	return append(p.BuildDefinition.ResolvedDependencies, p.Materials...)
}

// baseOf are the images that a build took in, by all provenance of its
// platforms together; nil if none says. Provenance does not mark which of them
// is the base of the last stage, so all are named. BuildKit writes the digest
// as a qualifier of the package URL only where the build named it.
func baseOf(statements []evidence.Verified) *diff.Base {
	var names []string
	pinned := true
	for _, v := range statements {
		for _, d := range dependencies(v.Statement.Predicate) {
			name, byDigest, ok := imageOf(d)
			if !ok {
				continue
			}
			pinned = pinned && byDigest
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &diff.Base{Name: clean.Text(strings.Join(names, ", ")), Pinned: pinned}
}

// imageOf reads a dependency that is an image, as name@digest. Frontends of
// the builder (docker/dockerfile) are tools, no bases.
func imageOf(d dependency) (name string, pinned, ok bool) {
	p, err := packageurl.FromString(d.URI)
	if err != nil || p.Type != packageurl.TypeDocker && p.Type != packageurl.TypeOCI {
		return "", false, false
	}
	name = strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")
	if name == "docker/dockerfile" {
		return "", false, false
	}
	if p.Version != "" {
		name += ":" + p.Version
	}
	if hex := d.Digest["sha256"]; hex != "" {
		name += "@sha256:" + hex
	}
	_, pinned = p.Qualifiers.Map()["digest"]
	return name, pinned, true
}

package gates

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/package-url/packageurl-go"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// Base is one image that a build began from, as its provenance names it.
type Base struct {
	Reference string        // name:tag as in the Dockerfile
	Resolved  digest.Digest // what it was at the time of the build, "" if not recorded
	Pinned    bool          // named by digest in the Dockerfile
	Platform  string        // os/arch that was taken of it, "" if not recorded
}

// String is name:tag@digest.
func (b Base) String() string {
	if b.Resolved == "" {
		return b.Reference
	}
	return b.Reference + "@" + b.Resolved.String()
}

// compareBases orders images by name, then by platform.
func compareBases(a, b Base) int {
	return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(a.Platform, b.Platform))
}

// provenance is what the gates read of SLSA provenance.
type provenance struct {
	bases    []Base
	buildKit bool // the builder is BuildKit, which lists every image that it took
}

// dependency is a material (v0.2) or a resolved dependency (v1).
type dependency struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// Build types of BuildKit (its docs/attestations/slsa-definitions.md, and before v1).
const (
	buildKitV1  = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
	buildKitV02 = "https://mobyproject.org/buildkit@v1"
)

// isProvenance tells whether the base-image gate reads a predicate type.
func isProvenance(t string) bool { return t == evidence.SLSA1 || t == evidence.SLSA02 }

// readProvenance reads SLSA provenance v1 or v0.2.
func readProvenance(s evidence.Statement) (provenance, error) {
	var p struct {
		BuildType       string       `json:"buildType"` // v0.2
		Materials       []dependency `json:"materials"`
		BuildDefinition struct {
			BuildType    string       `json:"buildType"` // v1
			Dependencies []dependency `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
	}
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return provenance{}, fmt.Errorf("%w: no SLSA provenance: %w", evidence.ErrMalformed, err)
	}
	deps, buildType := p.BuildDefinition.Dependencies, p.BuildDefinition.BuildType
	if s.PredicateType == evidence.SLSA02 {
		deps, buildType = p.Materials, p.BuildType
	}
	out := provenance{buildKit: buildType == buildKitV1 || buildType == buildKitV02}
	for _, d := range deps {
		b, ok, err := d.base()
		if err != nil {
			return provenance{}, err
		}
		if ok && !slices.Contains(out.bases, b) {
			out.bases = append(out.bases, b)
		}
	}
	slices.SortFunc(out.bases, compareBases)
	if len(out.bases) == 0 && !out.buildKit {
		return provenance{}, errNoBases
	}
	return out, nil
}

// errNoBases is provenance that does not say what the image is built on, such
// as that of actions/attest-build-provenance.
var errNoBases = errors.New("the provenance lists no image that the build began from; only a builder that sees the Dockerfile, such as BuildKit, can")

// frontends are images that run a Dockerfile (# syntax=) and end up in no image.
var frontends = []string{"docker/dockerfile", "docker/dockerfile-upstream"}

// base reads a dependency; ok is false if it is no image.
func (d dependency) base() (b Base, ok bool, err error) {
	if !strings.HasPrefix(d.URI, "pkg:docker/") && !strings.HasPrefix(d.URI, "pkg:oci/") {
		return Base{}, false, nil
	}
	purl, err := packageurl.FromString(d.URI)
	if err != nil {
		return Base{}, false, fmt.Errorf("%w: package URL %q: %w", evidence.ErrMalformed, clean.Text(d.URI), err)
	}
	q := purl.Qualifiers.Map()
	full := purl.Name
	if purl.Namespace != "" {
		full = purl.Namespace + "/" + purl.Name
	}
	if slices.Contains(frontends, full) || q["ref_type"] == "blob" {
		return Base{}, false, nil
	}
	b = Base{Reference: clean.Text(full), Platform: clean.Text(q["platform"])}
	if purl.Version != "" && !strings.HasPrefix(purl.Version, "sha256:") {
		b.Reference += ":" + clean.Text(purl.Version)
	}
	pinned, perr := digest.Parse(q["digest"])
	b.Pinned = perr == nil
	if hex := d.Digest["sha256"]; hex != "" {
		if resolved := digest.NewDigestFromEncoded(digest.SHA256, hex); resolved.Validate() == nil {
			b.Resolved = resolved
		}
	}
	if b.Resolved == "" && b.Pinned {
		b.Resolved = pinned
	}
	return b, true, nil
}

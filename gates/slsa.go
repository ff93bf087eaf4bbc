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
	Reference  string        // name:tag as in the Dockerfile
	Repository string        // host/path, in full: docker.io/library/debian
	Resolved   digest.Digest // what it was at the time of the build, "" if not recorded
	Pinned     bool          // named by digest in the Dockerfile
	Platform   string        // os/arch that was taken of it, "" if not recorded
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
	origin   origin
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

// isProvenance tells whether a predicate type is SLSA provenance.
func isProvenance(t string) bool { return t == evidence.SLSA1 || t == evidence.SLSA02 }

// slsaV1 is SLSA provenance v1 (https://slsa.dev/spec/v1.1/provenance), as far
// as it is read.
type slsaV1 struct {
	BuildDefinition struct {
		BuildType    string                     `json:"buildType"`
		Parameters   map[string]json.RawMessage `json:"externalParameters"`
		Dependencies []dependency               `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder  evidence.Identity `json:"builder"`
		Metadata struct {
			BuildKit buildKitMetadata `json:"buildkit_metadata"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

// slsaV02 is SLSA provenance v0.2 (https://slsa.dev/spec/v0.2/provenance), as far as it is read.
type slsaV02 struct {
	BuildType  string            `json:"buildType"`
	Builder    evidence.Identity `json:"builder"`
	Materials  []dependency      `json:"materials"`
	Invocation struct {
		ConfigSource dependency `json:"configSource"`
	} `json:"invocation"`
	Metadata struct {
		BuildKit buildKitMetadata `json:"https://mobyproject.org/buildkit@v1#metadata"`
	} `json:"metadata"`
}

// buildKitMetadata is what BuildKit adds.
type buildKitMetadata struct {
	VCS struct {
		Source   string `json:"source"`
		Revision string `json:"revision"`
	} `json:"vcs"`
}

// readProvenance reads SLSA provenance v1 or v0.2.
func readProvenance(s evidence.Statement) (provenance, error) {
	var out provenance
	var deps []dependency
	buildType, err := "", error(nil)
	if s.PredicateType == evidence.SLSA02 {
		var p slsaV02
		err = json.Unmarshal(s.Predicate, &p)
		deps, buildType, out.origin = p.Materials, p.BuildType, p.origin()
	} else {
		var p slsaV1
		err = json.Unmarshal(s.Predicate, &p)
		deps, buildType, out.origin = p.BuildDefinition.Dependencies, p.BuildDefinition.BuildType, p.origin()
	}
	if err != nil {
		return provenance{}, fmt.Errorf("%w: no SLSA provenance: %w", evidence.ErrMalformed, err)
	}
	out.buildKit = buildType == buildKitV1 || buildType == buildKitV02
	for _, d := range deps {
		b, ok, err := d.base()
		if err != nil {
			return provenance{}, err
		}
		if ok && !slices.Contains(out.bases, b) {
			out.bases = append(out.bases, b)
		}
		out.origin.depends(d)
	}
	slices.SortFunc(out.bases, compareBases)
	return out, nil
}

// listsBases tells whether the provenance is of a builder that lists the images that it took.
func (p provenance) listsBases() bool { return p.buildKit || len(p.bases) > 0 }

// errNoBases is provenance that does not say what the image is built on, such
// as that of actions/attest-build-provenance.
var errNoBases = errors.New("the provenance lists no image that the build began from; only a builder that sees the Dockerfile, such as BuildKit, can")

// frontends are Docker's own images that run a Dockerfile (# syntax=) and end up
// in no image. Provenance does not mark the role of an image, so any other
// frontend counts as a base image: it decides what the build makes.
var frontends = []string{"docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream"}

// base reads a dependency; ok is false if it is no image. A blob (ref_type=blob)
// is a file that was fetched, and no image either.
func (d dependency) base() (b Base, ok bool, err error) {
	if !strings.HasPrefix(d.URI, "pkg:docker/") && !strings.HasPrefix(d.URI, "pkg:oci/") {
		return Base{}, false, nil
	}
	purl, err := packageurl.FromString(d.URI)
	if err != nil {
		return Base{}, false, fmt.Errorf("%w: package URL %q: %w", evidence.ErrMalformed, clean.Text(d.URI), err)
	}
	q := purl.Qualifiers.Map()
	name, repository := imageOf(purl, q["repository_url"])
	if slices.Contains(frontends, repository) || q["ref_type"] == "blob" {
		return Base{}, false, nil
	}
	b = Base{Reference: clean.Text(name), Repository: clean.Text(repository), Platform: clean.Text(q["platform"])}
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

// imageOf is the name of an image in a package URL as a Dockerfile has it, and
// its repository in full. pkg:docker carries the host in its namespace, or a
// registry in repository_url; pkg:oci the whole repository in repository_url
// (https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst).
func imageOf(purl packageurl.PackageURL, at string) (name, repository string) {
	name = purl.Name
	if purl.Namespace != "" {
		name = purl.Namespace + "/" + purl.Name
	}
	at = strings.TrimSuffix(strings.TrimPrefix(at, "https://"), "/")
	switch {
	case at == "":
		return name, fullRepository(name)
	case purl.Type == "oci" && (at == purl.Name || strings.HasSuffix(at, "/"+purl.Name)):
		return at, fullRepository(at)
	}
	return at + "/" + name, fullRepository(at + "/" + name)
}

// fullRepository is host/path of a name as docker understands it: debian is docker.io/library/debian.
func fullRepository(name string) string {
	host, path, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", name
	}
	host = strings.ToLower(host)
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return host + "/" + path
}

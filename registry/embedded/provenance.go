package embedded

import (
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/package-url/packageurl-go"
)

// Attestation is an unsigned in-toto statement that BuildKit leaves beside an image.
type Attestation struct {
	PredicateType string // such as https://slsa.dev/provenance/v1 or https://spdx.dev/Document
	Predicate     any    // becomes JSON
}

// Provenance is what BuildKit tells about a build.
type Provenance struct {
	Version    string // of SLSA: "v1", the default, or "v0.2"
	Bases      []Base // of all stages, and the frontend
	Repository string // the source, such as https://github.com/acme/chat.git
	Revision   string // its commit, hex
	Dockerfile string // with its text BuildKit's mode is max, else min
	Started    time.Time
	Finished   time.Time
}

// Base is an image that a build started from.
type Base struct {
	Name     string // such as alpine or gcr.io/distroless/static
	Tag      string
	Digest   digest.Digest // what the tag was resolved to
	Pinned   bool          // the Dockerfile itself names the digest
	Platform string        // such as linux/amd64
}

// The predicate types of SLSA provenance that BuildKit writes.
const (
	provenanceV1  = "https://slsa.dev/provenance/v1"
	provenanceV02 = "https://slsa.dev/provenance/v0.2"
)

type object = map[string]any

// Attestation is the provenance in the form that its version prescribes.
// https://docs.docker.com/build/metadata/attestations/slsa-definitions/
func (p Provenance) Attestation() Attestation {
	if p.Version == "v0.2" {
		return Attestation{PredicateType: provenanceV02, Predicate: p.v02()}
	}
	return Attestation{PredicateType: provenanceV1, Predicate: p.v1()}
}

func (p Provenance) v1() object {
	metadata := object{
		"invocationID": digest.FromString(p.Repository + p.Revision).Encoded()[:24],
		"startedOn":    p.Started.UTC(), "finishedOn": p.Finished.UTC(),
	}
	if p.Dockerfile != "" {
		metadata["buildkit_metadata"] = p.source()
	}
	return object{
		"buildDefinition": object{
			"buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
			"externalParameters": object{
				"configSource": p.configSource("path"),
				"request":      object{"frontend": "dockerfile.v0"},
			},
			"internalParameters":   object{"builderPlatform": "linux/amd64"},
			"resolvedDependencies": p.materials(),
		},
		"runDetails": object{"builder": object{"id": ""}, "metadata": metadata},
	}
}

func (p Provenance) v02() object {
	metadata := object{
		"buildInvocationID": digest.FromString(p.Repository + p.Revision).Encoded()[:24],
		"buildStartedOn":    p.Started.UTC(), "buildFinishedOn": p.Finished.UTC(),
		"completeness": object{"parameters": true, "environment": true, "materials": false},
		"reproducible": false,
	}
	if p.Dockerfile != "" {
		metadata["https://mobyproject.org/buildkit@v1#metadata"] = p.source()
	}
	return object{
		"builder": object{"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1",
		"materials": p.materials(),
		"invocation": object{
			"configSource": p.configSource("entryPoint"),
			"parameters":   object{"frontend": "dockerfile.v0"},
			"environment":  object{"platform": "linux/amd64"},
		},
		"metadata": metadata,
	}
}

func (p Provenance) configSource(path string) object {
	source := object{path: "Dockerfile"}
	if p.Repository != "" {
		source["uri"], source["digest"] = p.Repository, object{"sha1": p.Revision}
	}
	return source
}

// source is where mode=max keeps the Dockerfile.
func (p Provenance) source() object {
	return object{
		"source": object{"infos": []object{{"filename": "Dockerfile", "language": "Dockerfile", "data": []byte(p.Dockerfile)}}},
		"vcs":    object{"source": p.Repository, "revision": p.Revision},
	}
}

func (p Provenance) materials() []object {
	list := make([]object, 0, len(p.Bases)+1)
	for _, b := range p.Bases {
		list = append(list, object{"uri": b.purl(), "digest": object{b.Digest.Algorithm().String(): b.Digest.Encoded()}})
	}
	if p.Repository != "" {
		list = append(list, object{"uri": p.Repository, "digest": object{"sha1": p.Revision}})
	}
	return list
}

// purl is the base as a package URL; the digest qualifier is there only if the
// Dockerfile names the digest, and it is how a reader tells a pinned base.
func (b Base) purl() string {
	qualifiers := map[string]string{}
	if b.Pinned {
		qualifiers["digest"] = b.Digest.String()
	}
	if b.Platform != "" {
		qualifiers["platform"] = b.Platform
	}
	return dockerPURL(b.Name, b.Tag, qualifiers)
}

func dockerPURL(name, version string, qualifiers map[string]string) string {
	namespace := ""
	if i := strings.LastIndex(name, "/"); i >= 0 {
		namespace, name = name[:i], name[i+1:]
	}
	return packageurl.NewPackageURL("docker", namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}

// addAttestations makes the attestation manifest of the image that subject
// describes and returns its entry of the index.
// https://docs.docker.com/build/metadata/attestations/attestation-storage/
func (b *Built) addAttestations(img Image, subject ocispec.Descriptor) (ocispec.Descriptor, error) {
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	config := ocispec.Image{Platform: ocispec.Platform{Architecture: "unknown", OS: "unknown"}, RootFS: ocispec.RootFS{Type: "layers"}}
	for _, a := range img.Attestations {
		d, err := b.addJSON("application/vnd.in-toto+json", img.statement(a, subject))
		if err != nil {
			return d, err
		}
		d.Annotations = map[string]string{"in-toto.io/predicate-type": a.PredicateType}
		m.Layers = append(m.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	if img.AttestationArtifact {
		m.ArtifactType = "application/vnd.docker.attestation.manifest.v1+json"
		m.Config = b.addRaw(ocispec.MediaTypeEmptyJSON, []byte("{}"))
		m.Subject = &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	} else {
		var err error
		if m.Config, err = b.addJSON(ocispec.MediaTypeImageConfig, config); err != nil {
			return m.Config, err
		}
	}
	sealed, err := b.addManifest(m.MediaType, m.ArtifactType, m)
	d := sealed.Descriptor
	d.Platform = &config.Platform
	d.Annotations = map[string]string{
		"vnd.docker.reference.type":   "attestation-manifest",
		"vnd.docker.reference.digest": subject.Digest.String(),
	}
	return d, err
}

// statement is the in-toto statement around a predicate.
func (img Image) statement(a Attestation, subject ocispec.Descriptor) object {
	name, tag, _ := strings.Cut(img.Name, ":")
	if name == "" {
		name = "image"
	}
	platform := fmt.Sprintf("%s/%s", subject.Platform.OS, subject.Platform.Architecture)
	return object{
		"_type": "https://in-toto.io/Statement/v0.1", "predicateType": a.PredicateType,
		"subject": []object{{
			"name":   dockerPURL(name, tag, map[string]string{"platform": platform}),
			"digest": object{subject.Digest.Algorithm().String(): subject.Digest.Encoded()},
		}},
		"predicate": a.Predicate,
	}
}

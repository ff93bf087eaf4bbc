package evidence

import (
	"encoding/json"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Annotations of a manifest that carries a bundle. The first two are
// cosign's, the third is what Trivy looks for.
const (
	AnnotationContent   = "dev.sigstore.bundle.content"
	AnnotationPredicate = "dev.sigstore.bundle.predicateType"
	AnnotationInToto    = "in-toto.io/predicate-type"
)

// EmptyConfig is the configuration blob of the manifests of this package.
func EmptyConfig() []byte { return []byte("{}") }

// Manifest makes the OCI manifest that carries a bundle, exactly as cosign v3
// stores one, and the descriptor of its only layer, the bundle. A nil subject
// makes a ledger entry, which hangs on nothing. Its configuration is EmptyConfig.
func Manifest(bundle []byte, predicateType string, subject *ocispec.Descriptor, created time.Time) ([]byte, ocispec.Descriptor) {
	layer := ocispec.Descriptor{MediaType: BundleMediaType, Digest: digest.FromBytes(bundle), Size: int64(len(bundle))}
	config := EmptyConfig()
	m := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: BundleMediaType,
		Config: ocispec.Descriptor{
			MediaType: ocispec.MediaTypeEmptyJSON, Digest: digest.FromBytes(config), Size: int64(len(config)),
		},
		Layers: []ocispec.Descriptor{layer},
		Annotations: map[string]string{
			ocispec.AnnotationCreated: created.UTC().Format(time.RFC3339),
			AnnotationContent:         "dsse-envelope",
			AnnotationPredicate:       predicateType,
			AnnotationInToto:          predicateType,
		},
	}
	if subject != nil {
		m.Subject = &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic("gates/evidence: a manifest of strings and numbers cannot be encoded: " + err.Error())
	}
	return raw, layer
}

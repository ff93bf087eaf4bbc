package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry"
)

// Media types of Docker's schema 2,
// https://distribution.github.io/distribution/spec/manifest-v2-2/
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// Image is a container image for one platform.
type Image struct {
	Layers []Layer
	// Config is the image configuration; Build fills in the diff IDs, the
	// history where there is none, and linux/amd64 where no platform is named.
	Config      ocispec.Image
	Annotations map[string]string // of the manifest
	// DockerSchema2 makes a Docker manifest in place of an OCI one. Of several
	// images all must agree; their index is a Docker manifest list then.
	DockerSchema2 bool
	// Attestations become a BuildKit attestation manifest beside the image, in
	// an index even if the image is alone.
	Attestations []Attestation
	// AttestationArtifact writes that manifest as BuildKit does with
	// oci-artifact=true: with an artifact type, an empty configuration and the
	// image as subject.
	AttestationArtifact bool
	// Name is what BuildKit was told to call the image, such as
	// registry.example.com/app:v1; attestations name it.
	Name string
}

// Blob is a blob with the means to make its bytes, as often as needed.
type Blob struct {
	Descriptor ocispec.Descriptor
	Open       func() (io.ReadCloser, error)
}

// Built is an image, an index or an artifact with all that belongs to it.
type Built struct {
	Root     registry.Manifest
	Children []registry.Manifest // to be put before the root, in this order
	Blobs    []Blob              // each once
}

// Descriptor is the root's descriptor.
func (b Built) Descriptor() ocispec.Descriptor { return b.Root.Descriptor }

// Build makes one image, or an index of several. An image with attestations
// is always in an index, as BuildKit does it.
func Build(images ...Image) (Built, error) {
	if len(images) == 0 {
		return Built{}, fmt.Errorf("build an index: no image in it")
	}
	var b Built
	var children, attestations []ocispec.Descriptor
	for _, img := range images {
		m, err := b.addImage(img)
		if err != nil {
			return Built{}, err
		}
		d, config := m.Descriptor, img.platform()
		d.Platform = &config.Platform
		children = append(children, d)
		if len(img.Attestations) > 0 {
			a, err := b.addAttestations(img, d)
			if err != nil {
				return Built{}, err
			}
			attestations = append(attestations, a)
		}
	}
	if len(b.Children) == 1 {
		b.Root, b.Children = b.Children[0], nil
		return b, nil
	}
	err := b.addIndex(append(children, attestations...), images[0].DockerSchema2)
	return b, err
}

// platform is the configuration with its platform filled in.
func (img Image) platform() ocispec.Image {
	c := img.Config
	if c.OS == "" {
		c.OS = "linux"
	}
	if c.Architecture == "" {
		c.Architecture = "amd64"
	}
	return c
}

// addImage builds the image's configuration and manifest; the manifest is the last child then.
func (b *Built) addImage(img Image) (registry.Manifest, error) {
	config, manifest := img.platform(), ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Annotations: img.Annotations,
	}
	config.RootFS = ocispec.RootFS{Type: "layers"}
	named := config.History != nil
	for _, l := range img.Layers {
		l, err := l.Prepare()
		if err != nil {
			return registry.Manifest{}, err
		}
		d := ocispec.Descriptor{MediaType: l.mediaType(img.DockerSchema2), Digest: l.facts.digest, Size: l.facts.size, URLs: l.URLs}
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.facts.diffID)
		if !named {
			config.History = append(config.History, ocispec.History{Created: config.Created, CreatedBy: l.CreatedBy})
		}
		if l.URLs == nil {
			b.addBlob(d, l.open)
		}
	}
	configType := ocispec.MediaTypeImageConfig
	if img.DockerSchema2 {
		manifest.MediaType, configType = dockerManifest, dockerConfig
	}
	var err error
	if manifest.Config, err = b.addJSON(configType, config); err != nil {
		return registry.Manifest{}, err
	}
	return b.addManifest(manifest.MediaType, "", manifest)
}

// addIndex makes the index that is the root.
func (b *Built) addIndex(children []ocispec.Descriptor, docker bool) error {
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: children,
	}
	if docker {
		index.MediaType = dockerList
	}
	var err error
	b.Root, err = sealed(index.MediaType, "", index)
	return err
}

// Artifact is a manifest that is no image, such as a bare SBOM that somebody
// attached: the empty configuration, one layer, and a subject if there is one.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
func Artifact(artifactType, layerType string, content []byte, subject *ocispec.Descriptor, annotations map[string]string) (Built, error) {
	var b Built
	empty, layer := b.addRaw(ocispec.MediaTypeEmptyJSON, []byte("{}")), b.addRaw(layerType, content)
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: empty, Layers: []ocispec.Descriptor{layer}, Subject: subject, Annotations: annotations,
	}
	var err error
	b.Root, err = sealed(m.MediaType, artifactType, m)
	return b, err
}

// addManifest seals a manifest and appends it to the children.
func (b *Built) addManifest(mediaType, artifactType string, v any) (registry.Manifest, error) {
	m, err := sealed(mediaType, artifactType, v)
	if err == nil {
		b.Children = append(b.Children, m)
	}
	return m, err
}

// sealed is v as JSON with its descriptor.
func sealed(mediaType, artifactType string, v any) (registry.Manifest, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return registry.Manifest{}, fmt.Errorf("build a manifest: %w", err)
	}
	return registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{
		MediaType: mediaType, ArtifactType: artifactType, Digest: digest.FromBytes(raw), Size: int64(len(raw)),
	}}, nil
}

func (b *Built) addJSON(mediaType string, v any) (ocispec.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("build a blob of type %s: %w", mediaType, err)
	}
	return b.addRaw(mediaType, raw), nil
}

func (b *Built) addRaw(mediaType string, raw []byte) ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	b.addBlob(d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil })
	return d
}

// addBlob adds the blob unless it is there.
func (b *Built) addBlob(d ocispec.Descriptor, open func() (io.ReadCloser, error)) {
	for _, known := range b.Blobs {
		if known.Descriptor.Digest == d.Digest {
			return
		}
	}
	b.Blobs = append(b.Blobs, Blob{Descriptor: d, Open: open})
}

package diff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

// Reader reads what digests name, several at once: who implements it asks a
// cache first. The answers are in the order of the question; the bytes were
// verified. Implementations are safe for concurrent use.
type Reader interface {
	Manifests(ctx context.Context, want ...ocispec.Descriptor) ([]registry.Manifest, error)
	Configs(ctx context.Context, want ...ocispec.Descriptor) ([]Config, error)
}

// ErrNoImage is in the chain of an error about a manifest that is no image: a
// signature, an attestation, a chart or another artifact.
var ErrNoImage = errors.New("not an image")

// The most of what one image may have; no build makes more, and what a
// registry sends must not fill the memory.
const (
	maxLayers    = 1000
	maxPlatforms = 100
	maxBlob      = 1 << 44 // 16 TiB, far above what a registry takes; keeps sums from overflowing
)

// Docker's media types (https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md).
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// What BuildKit writes on the attestations in an index.
const (
	referenceType   = "vnd.docker.reference.type"
	referenceDigest = "vnd.docker.reference.digest"
	attestationType = "attestation-manifest"
)

// document is a manifest or an index: what they have together and each alone.
type document struct {
	specs.Versioned
	MediaType    string               `json:"mediaType"`
	ArtifactType string               `json:"artifactType"`
	Config       *ocispec.Descriptor  `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Manifests    []ocispec.Descriptor `json:"manifests"`
	Subject      *ocispec.Descriptor  `json:"subject"`
}

// Describe reads the image that root names: its manifest, the manifests of its
// platforms and their configurations; no layer. What is no image gives ErrNoImage.
func Describe(ctx context.Context, r Reader, root ocispec.Descriptor) (Image, error) {
	w := walk{reader: r, image: Image{Digest: root.Digest}}
	if err := w.manifests(ctx, 0, root); err != nil {
		return Image{}, err
	}
	if len(w.image.Platforms) == 0 {
		return Image{}, fmt.Errorf("%s: %w: it has no platform", root.Digest, ErrNoImage)
	}
	if err := w.configs(ctx); err != nil {
		return Image{}, err
	}
	return w.image, nil
}

// walk is one description under way.
type walk struct {
	reader  Reader
	image   Image
	pending []ocispec.Descriptor // the configuration of each platform, in order
	hints   []string             // what the index says of each platform
}

// manifests reads one level of the tree and goes down into indexes.
func (w *walk) manifests(ctx context.Context, depth int, want ...ocispec.Descriptor) error {
	if depth > registry.MaxDepth {
		return fmt.Errorf("%s has more than %d levels of indexes: %w", w.image.Digest, registry.MaxDepth, registry.ErrLimit)
	}
	got, err := w.reader.Manifests(ctx, want...)
	if err != nil {
		return err
	}
	if depth == 0 && len(got) > 0 {
		w.image.MediaType = got[0].Descriptor.MediaType
	}
	for i, d := range want[:min(len(want), len(got))] {
		if err := w.manifest(ctx, depth, d, got[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) manifest(ctx context.Context, depth int, d ocispec.Descriptor, m registry.Manifest) error {
	var doc document
	if err := json.Unmarshal(m.Raw, &doc); err != nil {
		return fmt.Errorf("manifest %s is no JSON: %w", d.Digest, err)
	}
	kind := doc.MediaType
	if kind == "" {
		kind = m.Descriptor.MediaType
	}
	switch {
	case kind == ocispec.MediaTypeImageIndex || kind == dockerList:
		return w.index(ctx, depth, doc)
	case isImage(kind, doc):
		return w.platform(d, doc)
	case depth > 0 && doc.Config != nil:
		return nil // an artifact beside the platforms, never a platform
	}
	return fmt.Errorf("%s: %w (%s)", d.Digest, ErrNoImage, clean.Text(artifactType(doc, kind)))
}

// isImage tells an image manifest from an artifact that uses the same shape.
func isImage(kind string, doc document) bool {
	if doc.ArtifactType != "" || doc.Config == nil || doc.Subject != nil {
		return false
	}
	if kind != ocispec.MediaTypeImageManifest && kind != dockerManifest {
		return false
	}
	return doc.Config.MediaType == ocispec.MediaTypeImageConfig || doc.Config.MediaType == dockerConfig
}

func artifactType(doc document, kind string) string {
	switch {
	case doc.ArtifactType != "":
		return doc.ArtifactType
	case doc.Config != nil && doc.Config.MediaType != "":
		return doc.Config.MediaType
	}
	return kind
}

// index notes BuildKit's attestations and goes on with the platforms.
func (w *walk) index(ctx context.Context, depth int, doc document) error {
	if len(doc.Manifests) > maxPlatforms*4 {
		return fmt.Errorf("%s has %d manifests, more than %d: %w", w.image.Digest, len(doc.Manifests), maxPlatforms*4, registry.ErrLimit)
	}
	var children []ocispec.Descriptor
	for _, d := range doc.Manifests {
		if err := d.Digest.Validate(); err != nil {
			return fmt.Errorf("%s lists a manifest without a digest: %w", w.image.Digest, err)
		}
		switch {
		case d.Annotations[referenceType] == attestationType:
			w.image.Attestations = append(w.image.Attestations, Attestation{
				Digest: d.Digest, Size: d.Size,
				MediaType: d.MediaType, About: digest.Digest(d.Annotations[referenceDigest]),
			})
		case d.ArtifactType == "":
			children = append(children, d)
		}
	}
	if len(children) == 0 {
		return nil
	}
	return w.manifests(ctx, depth+1, children...)
}

func (w *walk) platform(d ocispec.Descriptor, doc document) error {
	if len(doc.Layers) > maxLayers {
		return fmt.Errorf("%s has %d layers, more than %d: %w", d.Digest, len(doc.Layers), maxLayers, registry.ErrLimit)
	}
	if len(w.pending) == maxPlatforms {
		return fmt.Errorf("%s has more than %d platforms: %w", w.image.Digest, maxPlatforms, registry.ErrLimit)
	}
	p := Platform{Digest: d.Digest, ConfigDigest: doc.Config.Digest, ConfigBytes: doc.Config.Size}
	for _, l := range append([]ocispec.Descriptor{*doc.Config}, doc.Layers...) {
		if err := l.Digest.Validate(); err != nil || l.Size < 0 || l.Size > maxBlob {
			return fmt.Errorf("manifest %s names a blob that cannot be (digest %q, size %d)", d.Digest, clean.Text(string(l.Digest)), l.Size)
		}
	}
	for _, l := range doc.Layers {
		p.Layers = append(p.Layers, Layer{Digest: l.Digest, Bytes: l.Size})
	}
	hint := ""
	if d.Platform != nil {
		hint = platformName(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant, d.Platform.OSVersion)
	}
	w.image.Platforms = append(w.image.Platforms, p)
	w.pending = append(w.pending, *doc.Config)
	w.hints = append(w.hints, hint)
	return nil
}

// configs reads the configuration of every platform and fills in names and build steps.
func (w *walk) configs(ctx context.Context) error {
	got, err := w.reader.Configs(ctx, w.pending...)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for i, c := range got {
		p := &w.image.Platforms[i]
		p.Config = c
		p.Name = w.hints[i] // what a runtime selects by
		if p.Name == "" {
			p.Name = c.Platform
		}
		if taken[p.Name] {
			p.Name += "@" + p.Digest.Encoded()[:12]
		}
		taken[p.Name] = true
		if len(c.History) == len(p.Layers) {
			for n := range p.Layers {
				p.Layers[n].CreatedBy = c.History[n]
			}
		}
	}
	return nil
}

// platformName is os/arch, os/arch/variant, and for Windows the version too.
func platformName(os, arch, variant, version string) string {
	if os == "" && arch == "" {
		return ""
	}
	name := os + "/" + arch
	if variant != "" && (arch != "arm64" || variant != "v8") { // arm64 is v8
		name += "/" + variant
	}
	if os == "windows" && version != "" {
		name += ":" + version
	}
	return clean.Text(name)
}

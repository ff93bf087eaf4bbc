package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry/embedded"
)

// build is one image that CI pushed.
type build struct {
	service, version string
	tags             []string
	platforms        []string
	base             string // name:tag of the base image; its digest follows from it
	env              []string
	root             bool // the image runs as root
	appSeed          uint64
	appBytes         int64
	weights          int64 // bytes of the model's weights, 0 for none
	model            uint64
}

func (b build) revision() string { return digest.FromString(b.service + b.version).Encoded()[:40] }

// images are the build's platforms, as BuildKit makes them.
func (b build) images(created time.Time) []embedded.Image {
	list := make([]embedded.Image, 0, len(b.platforms))
	for _, platform := range b.platforms {
		list = append(list, b.image(platform, created))
	}
	return list
}

func (b build) image(platform string, created time.Time) embedded.Image {
	name, tag, _ := strings.Cut(b.base, ":")
	base := digest.FromString(b.base)
	operatingSystem, architecture, _ := strings.Cut(platform, "/")
	seed := uint64(len(architecture)) // layers of another architecture are other bytes
	layers := []embedded.Layer{
		layer("/bin/sh -c #(nop) ADD rootfs.tar.xz in /", "usr/lib/base-"+tag, 6<<20, seed+digestSeed(base)),
		layer("RUN /bin/sh -c apt-get install -y ca-certificates", "etc/ssl/certs/ca.pem", 400<<10, seed+7),
	}
	if b.weights > 0 {
		layers = append(layers, layer("COPY weights/ /models/chat-7b", "models/chat-7b/model.safetensors", b.weights, 99+b.model))
	}
	layers = append(layers, layer("COPY /out/"+b.service+" /usr/bin/"+b.service, "usr/bin/"+b.service, b.appBytes, seed+b.appSeed))
	source, user := "https://github.com/acme/"+b.service, "10001"
	if b.root {
		user = ""
	}
	return embedded.Image{
		Layers: layers, Name: "staging.example.com/acme/" + b.service + ":" + b.tags[0],
		Config: ocispec.Image{
			Created: &created, Platform: ocispec.Platform{OS: operatingSystem, Architecture: architecture},
			Config: ocispec.ImageConfig{
				User: user, Entrypoint: []string{"/usr/bin/" + b.service}, Cmd: []string{"serve"}, WorkingDir: "/srv",
				Env:          append([]string{"PATH=/usr/bin:/bin", "LOG_LEVEL=info"}, b.env...),
				ExposedPorts: map[string]struct{}{"8080/tcp": {}},
				Labels: map[string]string{
					ocispec.AnnotationSource: source, ocispec.AnnotationRevision: b.revision(), ocispec.AnnotationVersion: b.version,
					ocispec.AnnotationBaseImageName: "docker.io/library/" + b.base, ocispec.AnnotationBaseImageDigest: base.String(),
				},
			},
		},
		Attestations: []embedded.Attestation{embedded.Provenance{
			Repository: source + ".git", Revision: b.revision(), Started: created.Add(-2 * time.Minute), Finished: created,
			Bases: []embedded.Base{{Name: name, Tag: tag, Digest: base, Pinned: true, Platform: platform}},
		}.Attestation()},
	}
}

// layer is a layer of one file with random content, which does not shrink.
func layer(createdBy, path string, size int64, seed uint64) embedded.Layer {
	return embedded.Layer{
		CreatedBy: createdBy, Compression: embedded.Plain,
		Files: []embedded.File{{Path: path, Random: size, Seed: seed}},
	}
}

// digestSeed makes the content of a base image follow from its digest.
func digestSeed(d digest.Digest) uint64 {
	var seed uint64
	if _, err := fmt.Sscanf(d.Encoded()[:8], "%x", &seed); err != nil {
		return 1 // never: a digest is hex
	}
	return seed
}

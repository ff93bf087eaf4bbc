package diff

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Image is what a digest holds: one platform, or the platforms of an index.
type Image struct {
	Digest       digest.Digest `json:"digest"`
	MediaType    string        `json:"mediaType"`
	Platforms    []Platform    `json:"platforms"`
	Attestations []Attestation `json:"attestations,omitempty"`
	// Findings, Provenance and Contents come from evidence, not from the image,
	// and Tags from the repository; see Compare.
	Findings   *Findings `json:"-"`
	Provenance *Base     `json:"-"`
	Contents   *Contents `json:"-"`
	Tags       []string  `json:"-"`
}

// Platform is one image manifest.
type Platform struct {
	Name         string        `json:"name"` // os/arch or os/arch/variant
	Digest       digest.Digest `json:"digest"`
	ConfigDigest digest.Digest `json:"configDigest"`
	ConfigBytes  int64         `json:"configBytes"`
	Config       Config        `json:"config"`
	Layers       []Layer       `json:"layers"`
}

// Layer is one layer of a platform.
type Layer struct {
	Digest    digest.Digest `json:"digest"`
	Bytes     int64         `json:"bytes"`     // compressed, as the registry stores it
	CreatedBy string        `json:"createdBy"` // the build step, from the history; "" if it does not say
}

// Attestation is a manifest inside an index that is no platform but a
// statement about one (BuildKit, https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md).
type Attestation struct {
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	MediaType string        `json:"mediaType"`
	About     digest.Digest `json:"about"` // the platform manifest, as annotated
}

// Config is what is kept of an image configuration
// (https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md). Every
// text is cleaned, and the values of secrets are masked before anything sees them.
type Config struct {
	Platform    string           `json:"platform"` // os/arch or os/arch/variant
	Created     *time.Time       `json:"created,omitempty"`
	User        Value            `json:"user,omitzero"`
	Workdir     Value            `json:"workdir,omitzero"`
	Entrypoint  Value            `json:"entrypoint,omitzero"` // a JSON array, as in a Dockerfile
	Cmd         Value            `json:"cmd,omitzero"`
	StopSignal  Value            `json:"stopSignal,omitzero"`
	Healthcheck Value            `json:"healthcheck,omitzero"`
	Env         map[string]Value `json:"env,omitempty"`
	Labels      map[string]Value `json:"labels,omitempty"`
	Ports       []string         `json:"ports,omitempty"`   // 8080/tcp, sorted
	Volumes     []string         `json:"volumes,omitempty"` // sorted
	History     []string         `json:"history,omitempty"` // the build step of each layer, bottom first
}

// Value is a text as it may be shown. Where that is less than the whole (a
// secret, a very long or unprintable text), Sum tells whether it changed.
type Value struct {
	Text string `json:"text,omitempty"`
	Sum  string `json:"sum,omitempty"` // keyed hash of the whole; "" if Text is the whole
}

// Size is the bytes of all platforms, each blob once, compressed.
func (i Image) Size() int64 {
	seen := map[digest.Digest]bool{}
	var total int64
	count := func(d digest.Digest, n int64) {
		if !seen[d] {
			seen[d] = true
			total += n
		}
	}
	for _, p := range i.Platforms {
		count(p.ConfigDigest, p.ConfigBytes)
		for _, l := range p.Layers {
			count(l.Digest, l.Bytes)
		}
	}
	return total
}

// Blobs are the digests and bytes of every layer and configuration, each once.
func (i Image) Blobs() map[digest.Digest]int64 {
	blobs := map[digest.Digest]int64{}
	for _, p := range i.Platforms {
		blobs[p.ConfigDigest] = p.ConfigBytes
		for _, l := range p.Layers {
			blobs[l.Digest] = l.Bytes
		}
	}
	return blobs
}

// Names are the platforms by name, in the order of the index.
func (i Image) Names() []string {
	names := make([]string, 0, len(i.Platforms))
	for _, p := range i.Platforms {
		names = append(names, p.Name)
	}
	return names
}

// Created is when the youngest platform was built, nil if none says.
func (i Image) Created() *time.Time {
	var newest *time.Time
	for _, p := range i.Platforms {
		if at := p.Config.Created; at != nil && (newest == nil || at.After(*newest)) {
			newest = at
		}
	}
	return newest
}

// Label is the value of a label: of the first platform that has it.
func (i Image) Label(name string) string {
	for _, p := range i.Platforms {
		if v := p.Config.Labels[name].Text; v != "" {
			return v
		}
	}
	return ""
}

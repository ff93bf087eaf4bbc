package operation

import (
	"context"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// trusted tells whether everything in a piece of evidence was signed by
// somebody in trust, about its subject. What is around the signed bytes must
// be small: otherwise a signature could carry a stranger's bytes to prod. An
// error is a failure to read; it keeps the piece in staging.
func (s *state) trusted(ctx context.Context, f *found) (bool, error) {
	if len(f.raw) > maxDecoration || f.parts.Config.Size > maxDecoration || len(f.parts.Layers) == 0 || len(f.parts.Layers) > maxTravel {
		return false, nil
	}
	if f.Tag == "" && (len(f.parts.Layers) != 1 || f.parts.Config.Digest != ocispec.DescriptorEmptyJSON.Digest) {
		return false, nil
	}
	for _, layer := range f.parts.Layers {
		ok, err := s.layerTrusted(ctx, f, layer)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (s *state) layerTrusted(ctx context.Context, f *found, layer ocispec.Descriptor) (bool, error) {
	form, signature := evidence.Bundle, strings.HasSuffix(f.Tag, ".sig")
	switch {
	case signature && layer.MediaType == simpleSigning:
	case f.Tag != "" && layer.MediaType == evidence.DSSEMediaType:
		form = evidence.DSSE
	case f.Tag == "" && strings.HasPrefix(layer.MediaType, "application/vnd.dev.sigstore.bundle"):
	default:
		return false, nil
	}
	raw, err := s.reader.Blob(ctx, s.staging, layer, registry.MaxBundle)
	if errors.Is(err, registry.ErrLimit) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if signature {
		return s.signedPayload(raw, layer.Annotations[signatureAnnotation], f.Subject), nil
	}
	item := evidence.Item{Subject: f.Subject, Manifest: f.Digest, Layer: layer.Digest, Form: form, Raw: raw}
	return s.anyGroup(item, f.Subject), nil
}

// anyGroup tells whether some group of trust signed item, about subject.
func (s *state) anyGroup(item evidence.Item, subject digest.Digest) bool {
	opened, err := evidence.Open(item)
	if err != nil {
		return false
	}
	for _, g := range s.r.Config.Trust {
		if v, err := opened.Verify(g, s.r.now()); err == nil && v.About(subject) {
			return true
		}
	}
	return false
}

// everyKey lists the keys of trust that count now.
func (s *state) everyKey() []config.Key {
	now := s.r.now()
	var keys []config.Key
	for _, g := range s.r.Config.Trust {
		list := append([]config.Key{}, g.Keys...)
		for _, p := range g.People {
			list = append(list, p.Key)
		}
		for _, k := range list {
			if (k.NotBefore.IsZero() || !now.Before(k.NotBefore)) && (k.NotAfter.IsZero() || !now.After(k.NotAfter)) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

package operation

import (
	"context"
	"errors"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/gates"
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
	form := evidence.Bundle
	switch {
	case strings.HasSuffix(f.Tag, ".sig") && layer.MediaType == evidence.SimpleSigningMediaType:
		form = evidence.SimpleSigning
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
	item := evidence.Item{
		Subject: f.Subject, Manifest: f.Digest, Layer: layer.Digest, Form: form, Raw: raw,
		Signature: layer.Annotations[evidence.SignatureAnnotation],
	}
	return gates.Trusted(item, gates.Groups(s.rules()), s.r.now(), f.Subject), nil
}

package operation

import (
	"context"
	"encoding/json"
	"errors"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// bringBack brings a target that prod no longer has back from the registry's bin, under
// its release tag, with the manifests below it: a registry restores only what it
// is asked for. gone is how it was missed, and what is said where there is no way back.
func (s *state) bringBack(ctx context.Context, gone error) error {
	switch err := s.identity().Restore(ctx, s.prod, s.Target, ReleaseTag(s.Target)); {
	case errors.Is(err, registry.ErrUnsupported), notFound(err):
		return gone
	case err != nil:
		return fault.New(fault.CodeOf(err), "have it restored: on Azure, az acr manifest deleted restore; or go back to another: plimsoll history "+s.service.Name,
			fault.Join(gone, err), "%s: prod no longer has %s, and it could not be restored", s.what(), s.Target)
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	if err := s.bringBackBelow(ctx); err != nil {
		return err
	}
	s.warn("%s had been deleted in prod and was restored; evidence that was attached to it may be gone: plimsoll verify %s", short(s.Target), s.prod.At(s.Target))
	return nil
}

// bringBackBelow restores what an index names and prod does not have.
func (s *state) bringBackBelow(ctx context.Context) error {
	var index ocispec.Index
	if err := json.Unmarshal(s.manifest.Raw, &index); err != nil {
		return nil //nolint:nilerr // an image; its blobs are not deleted softly
	}
	for _, child := range index.Manifests {
		_, err := s.reader.Head(ctx, s.prod, child.Digest.String())
		if notFound(err) {
			err = s.identity().Restore(ctx, s.prod, child.Digest, "")
		}
		if err != nil {
			return fault.New(fault.CodeOf(err), "have it restored, or go back to another digest: plimsoll history "+s.service.Name, err,
				"%s: it was restored, but %s below it could not be", s.what(), short(child.Digest))
		}
	}
	return nil
}

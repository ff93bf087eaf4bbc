package acr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// Lock forbids that the manifest is deleted, and that the tag is deleted or
// overwritten. The manifest itself stays writable: a digest cannot change, and whether
// evidence may be attached to a manifest whose writing is disabled is not documented.
// https://learn.microsoft.com/azure/container-registry/container-registry-image-lock
func (p *provider) Lock(ctx context.Context, repo registry.Repository, dg digest.Digest, tag string) error {
	no := false
	if err := p.patch(ctx, repo, "_manifests/"+dg.String(), attributes{Delete: &no}); err != nil {
		return err
	}
	if tag == "" {
		return nil
	}
	return p.patch(ctx, repo, "_tags/"+tag, attributes{Delete: &no, Write: &no})
}

func (p *provider) patch(ctx context.Context, repo registry.Repository, what string, a attributes) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("lock %s: %w", what, err)
	}
	_, err = p.wire.Do(ctx, registry.Call{
		Method: http.MethodPatch, Path: "/acr/v1/" + repo.Path + "/" + what, Repo: repo, Actions: "metadata_write,metadata_read",
		Body: body, Type: "application/json", What: "the answer to the lock",
	})
	if err != nil {
		return fmt.Errorf("lock %s of %s: %w", what, repo, err)
	}
	return nil
}

package acr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// keepVersion is the API version that tells both policies; the models of the
// SDK in use know only one of them.
// https://learn.microsoft.com/azure/templates/microsoft.containerregistry/registries
const keepVersion = "2023-11-01-preview"

// Retention reads the policies of the registry for what no tag names and for
// what was deleted. A digest whose manifest is locked is exempt from the first.
// https://learn.microsoft.com/azure/container-registry/container-registry-retention-policy
// https://learn.microsoft.com/azure/container-registry/container-registry-soft-delete-policy
func (p *provider) Retention(ctx context.Context, _ registry.Repository) (registry.Retention, error) {
	if err := p.mayAsk(); err != nil {
		if errors.Is(err, registry.ErrUnsupported) {
			return registry.Retention{Locks: true, Detail: err.Error()}, nil
		}
		return registry.Retention{}, err
	}
	type rule struct {
		Status string `json:"status"`
		Days   int    `json:"days"`
		Keep   int    `json:"retentionDays"`
	}
	var body struct {
		Properties struct {
			Policies struct {
				Untagged rule `json:"retentionPolicy"`
				Deleted  rule `json:"softDeletePolicy"`
			} `json:"policies"`
		} `json:"properties"`
	}
	id := resourceID(p.entry.Import.Subscription, p.entry.Import.ResourceGroup, p.host)
	if err := p.ask(ctx, id, keepVersion, &body); err != nil {
		return registry.Retention{}, err
	}
	out := registry.Retention{Known: true, Locks: true, Detail: "the policies of the registry in Azure"}
	const day = 24 * time.Hour
	if r := body.Properties.Policies.Untagged; r.Status == "enabled" {
		out.Untagged = time.Duration(min(max(r.Days, 0), 100_000)) * day
		if r.Days == 0 { // an allowed value: at once
			out.Untagged = 1
		}
	}
	if r := body.Properties.Policies.Deleted; r.Status == "enabled" {
		out.SoftDelete = time.Duration(min(max(r.Keep, 0), 100_000)) * day
	}
	return out, nil
}

// Restore brings a softly deleted manifest back under a tag, as az does.
// https://learn.microsoft.com/cli/azure/acr/manifest/deleted
func (p *provider) Restore(ctx context.Context, repo registry.Repository, dg digest.Digest, tag string) error {
	under := map[string]string{}
	if tag != "" {
		under["tag"] = tag
	}
	body, err := json.Marshal(under)
	if err != nil {
		return fmt.Errorf("restore %s: %w", repo.At(dg), err)
	}
	_, err = p.wire.Do(ctx, registry.Call{
		Method: http.MethodPost, Path: "/acr/v1/_deleted/" + repo.Path + "/_manifests/" + dg.String() + "?" + url.Values{"force": {"false"}}.Encode(),
		Repo: repo, Actions: "deleted_read,deleted_restore", Body: body, Type: "application/json", What: "the answer to the restore",
	})
	if err != nil {
		return fmt.Errorf("restore %s: %w", repo.At(dg), err)
	}
	return nil
}

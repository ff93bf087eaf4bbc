package acr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// page is how many manifests are asked for at once: what az asks for.
const page = 100

// List reads the manifests of a repository, newest first.
// https://learn.microsoft.com/rest/api/containerregistry/manifests/get-list
func (p *provider) List(ctx context.Context, repo registry.Repository, yield func([]registry.Item) bool) error {
	call := registry.Call{
		Method: http.MethodGet, Path: fmt.Sprintf("/acr/v1/%s/_manifests?n=%d&orderby=timedesc", repo.Path, page),
		Repo: repo, Actions: "metadata_read", What: "the list of manifests of " + repo.String(),
	}
	err := p.wire.Pages(ctx, call, func(raw []byte) (bool, error) {
		items, err := readItems(raw)
		if err != nil {
			return false, fmt.Errorf("%s: %w", call.What, err)
		}
		return yield(items), nil
	})
	return unsupported(err, "list manifests")
}

// unsupported says of a refusal, and of a host that is no Azure registry after
// all, that there may be another way.
func unsupported(err error, what string) error {
	var status *registry.StatusError
	switch {
	case err == nil:
		return nil
	case fault.CodeOf(err) == fault.Refused:
		return fmt.Errorf("%s: %w: %w", what, registry.ErrUnsupported, err)
	case errors.As(err, &status) && (status.Status == http.StatusMethodNotAllowed || status.Status == http.StatusNotFound && status.Code != "NAME_UNKNOWN"):
		return fmt.Errorf("%s: %w: %w", what, registry.ErrUnsupported, err)
	}
	return err
}

// attributes are what may be done with a manifest or tag; what is not said may be done.
type attributes struct {
	Delete *bool `json:"deleteEnabled,omitempty"`
	Write  *bool `json:"writeEnabled,omitempty"`
}

func (a attributes) lock() registry.Lock {
	return registry.Lock{Delete: a.Delete != nil && !*a.Delete, Write: a.Write != nil && !*a.Write}
}

// readItems reads one page. A row without a digest is left out: nothing could be asked about it.
func readItems(raw []byte) ([]registry.Item, error) {
	var body struct {
		Manifests []struct {
			Digest     digest.Digest `json:"digest"`
			Tags       []string      `json:"tags"`
			MediaType  string        `json:"mediaType"`
			ConfigType string        `json:"configMediaType"`
			Artifact   string        `json:"artifactType"`
			Size       int64         `json:"imageSize"`
			Created    string        `json:"createdTime"`
			Updated    string        `json:"lastUpdateTime"`
			Attributes attributes    `json:"changeableAttributes"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, errors.New("it is no JSON of the documented form")
	}
	items := make([]registry.Item, 0, len(body.Manifests))
	for _, m := range body.Manifests {
		if m.Digest.Validate() != nil {
			continue
		}
		items = append(items, registry.Item{
			Digest: m.Digest, Tags: m.Tags, MediaType: clean.Text(m.MediaType), ConfigType: clean.Text(m.ConfigType),
			ArtifactType: clean.Text(m.Artifact), Size: max(0, m.Size), Created: moment(m.Created), Updated: moment(m.Updated), Lock: m.Attributes.lock(),
		})
	}
	return items, nil
}

// moment reads a time; zero if it is none.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

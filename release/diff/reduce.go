package diff

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

// maxEntries is the most variables, labels, ports, volumes or history lines of one configuration.
const maxEntries = 2000

// rawConfig is an image configuration with Docker's healthcheck, which OCI reserves.
type rawConfig struct {
	ocispec.Platform
	Created *time.Time `json:"created"`
	Config  struct {
		ocispec.ImageConfig
		Healthcheck json.RawMessage `json:"Healthcheck"`
	} `json:"config"`
	History []ocispec.History `json:"history"`
}

// Reduce keeps what is shown of an image configuration. hash is a keyed hash:
// it stands for secrets and for text that cannot be shown whole. A secret that
// was masked already, as •••<hash>, gives the same as the secret itself.
func Reduce(raw []byte, hash func(string) string) (Config, error) {
	var in rawConfig
	if err := json.Unmarshal(raw, &in); err != nil {
		return Config{}, fmt.Errorf("the image configuration is no JSON: %w", err)
	}
	c, m := in.Config, masker{hash}
	most := max(len(c.Env), len(c.Labels), len(c.ExposedPorts), len(c.Volumes), len(in.History), len(c.Entrypoint), len(c.Cmd))
	if most > maxEntries {
		return Config{}, fmt.Errorf("the image configuration has a list of %d entries, more than %d: %w", most, maxEntries, registry.ErrLimit)
	}
	out := Config{
		Platform: platformName(in.OS, in.Architecture, in.Variant, in.OSVersion),
		User:     m.value(c.User), Workdir: m.value(c.WorkingDir), StopSignal: m.value(c.StopSignal),
		Entrypoint: m.argv(c.Entrypoint), Cmd: m.argv(c.Cmd), Healthcheck: m.healthcheck(c.Healthcheck),
		Ports: keys(c.ExposedPorts), Volumes: keys(c.Volumes),
		Env: m.environment(c.Env), Labels: m.labels(c.Labels),
	}
	if in.Created != nil && in.Created.Year() > 1 && in.Created.Year() < 9999 {
		at := in.Created.UTC()
		out.Created = &at
	}
	for _, h := range in.History {
		if !h.EmptyLayer {
			out.History = append(out.History, m.value(h.CreatedBy).Text)
		}
	}
	return out, nil
}

func keys(set map[string]struct{}) []string {
	if len(set) == 0 {
		return nil
	}
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, clean.Text(k))
	}
	slices.Sort(out)
	return out
}

package doctor

import (
	"context"
	"errors"
	"strings"

	"plimsoll/config"
	"plimsoll/registry"
)

// around tells whether an identity could put something into a registry without the right to
// push: importing, for one, is a right of its own, which role assignments give,
// and which scopes of repositories do not bind. No fact where a registry has no such rights.
// https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions
func (e *examination) around(ctx context.Context, id, who string, c *registry.Client, repo registry.Repository) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	q := question{id, repo.Host}
	b, offered, err := c.Bypasses(ctx, repo)
	list := "az role assignment list --include-inherited --include-groups --assignee PRINCIPAL --scope " + e.scope(repo.Host)
	switch {
	case !offered:
		return nil
	case errors.Is(err, registry.ErrUnsupported):
		return []Fact{q.unknown("whether %s could import into %s without pushing was not asked", who, repo.Host).because("%s", plainly(err)).
			todo("add import under registries → %s: it says where Azure keeps the registry; or look yourself: %s", e.Prod.Host, list)}
	case err != nil:
		return []Fact{q.unknown("whether %s could import into %s without pushing could not be told", who, repo.Host).because("%s", plainly(err)).
			todo("let it read the registry's resource (role Reader); or look yourself: %s", list)}
	case len(b.Ways) == 0:
		return []Fact{q.ok("%s has no way into %s without pushing", who, repo.Host).because("%s", b.Detail)}
	}
	f := q.broken("%s may do without the right to push to %s: it may %s", who, repo.Host, strings.Join(b.Ways, ", "))
	if len(b.Roles) == 0 {
		return []Fact{f.because("%s", b.Detail).todo("take the role away that gives this: %s", list)}
	}
	return []Fact{f.because("by %s", strings.Join(b.Roles, ", ")).todo("take these roles away from it, or give it smaller ones: az role assignment delete")}
}

// scope is a registry in the words of Resource Manager.
func (e *examination) scope(host string) string {
	i := e.Config.Registry(host).Import
	if i == nil {
		return "REGISTRY-ID"
	}
	name, _, _ := strings.Cut(host, ".")
	return "/subscriptions/" + i.Subscription + "/resourceGroups/" + i.ResourceGroup + "/providers/Microsoft.ContainerRegistry/registries/" + name
}

// asSource is the entry of staging with what prod's import says of where it lives.
func asSource(r config.Registry, prod config.Registry) config.Registry {
	if i := prod.Import; i != nil && r.Import == nil {
		r.Import = &config.Import{Subscription: i.Source.Subscription, ResourceGroup: i.Source.ResourceGroup}
		if r.Import.Subscription == "" {
			r.Import.Subscription, r.Import.ResourceGroup = i.Subscription, i.ResourceGroup
		}
	}
	return r
}

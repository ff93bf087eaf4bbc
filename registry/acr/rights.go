package acr

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

const (
	rightsVersion = "2022-04-01"
	// mostRoles is how many role assignments are looked into.
	mostRoles = 30
)

// ways are the actions that let something into a registry without the right to
// push. Conditions of ABAC on repositories bind none of them.
// https://learn.microsoft.com/azure/role-based-access-control/permissions/containers
var ways = []struct{ action, words string }{
	{"Microsoft.ContainerRegistry/registries/importImage/action", "import images"},
	{"Microsoft.ContainerRegistry/registries/importPipelines/write", "make an import pipeline"},
	{"Microsoft.ContainerRegistry/registries/scheduleRun/action", "run a task that pushes"},
	{"Microsoft.ContainerRegistry/registries/listCredentials/action", "read the admin user's password"},
	{"Microsoft.ContainerRegistry/registries/generateCredentials/action", "make a password for a token"},
	{"Microsoft.Authorization/roleAssignments/write", "give roles away"},
}

// permission is a role's part of what somebody may do.
type permission struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

// allows tells whether an action is in it.
func (p permission) allows(action string) bool {
	matches := func(pattern string) bool { return covers(pattern, action) }
	return slices.ContainsFunc(p.Actions, matches) && !slices.ContainsFunc(p.NotActions, matches)
}

// covers compares an action with a pattern, whose * stands for any text.
// https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format
func covers(pattern, action string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	rest, ok := strings.CutPrefix(strings.ToLower(action), parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

// Bypasses asks Resource Manager what this identity may do to the registry: its
// effective permissions, groups and inherited assignments among them. Where it may read role
// assignments, the roles that give a way are named.
// https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource
func (p *provider) Bypasses(ctx context.Context, _ registry.Repository) (registry.Bypasses, error) {
	if err := p.mayAsk(); err != nil {
		return registry.Bypasses{}, err
	}
	id := resourceID(p.entry.Import.Subscription, p.entry.Import.ResourceGroup, p.host)
	var body struct {
		Value []permission `json:"value"`
	}
	if err := p.ask(ctx, id+"/providers/Microsoft.Authorization/permissions", rightsVersion, &body); err != nil {
		return registry.Bypasses{}, err
	}
	out := registry.Bypasses{Detail: "the permissions of this identity on the registry, as Azure Resource Manager tells them"}
	for _, way := range ways {
		if slices.ContainsFunc(body.Value, func(q permission) bool { return q.allows(way.action) }) {
			out.Ways = append(out.Ways, way.words)
		}
	}
	if len(out.Ways) > 0 {
		out.Roles = p.roles(ctx, id)
	}
	return out, nil
}

// roles are the role assignments that give a way in, as far as this identity may
// read them: who may not is told of the ways all the same.
// https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest
func (p *provider) roles(ctx context.Context, id string) []string {
	token, err := p.source(p.identity()).GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
	if err != nil {
		return nil
	}
	object := claimsOf(token.Token).Object
	var list struct {
		Value []struct {
			Properties struct {
				Role  string `json:"roleDefinitionId"`
				Scope string `json:"scope"`
			} `json:"properties"`
		} `json:"value"`
	}
	filter := "?" + url.Values{"$filter": {fmt.Sprintf("assignedTo('%s')", object)}}.Encode()
	if object == "" || p.ask(ctx, id+"/providers/Microsoft.Authorization/roleAssignments"+filter, rightsVersion, &list) != nil {
		return nil
	}
	var out []string
	for _, a := range list.Value[:min(len(list.Value), mostRoles)] {
		name, gives := p.role(ctx, a.Properties.Role)
		if text := clean.Text(name + " on " + a.Properties.Scope); gives && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// role is a role's name, and whether it gives a way in.
func (p *provider) role(ctx context.Context, id string) (name string, gives bool) {
	var body struct {
		Properties struct {
			Name        string       `json:"roleName"`
			Permissions []permission `json:"permissions"`
		} `json:"properties"`
	}
	if !strings.HasPrefix(id, "/") || strings.ContainsAny(id, "?#\\") || strings.Contains(id, "..") ||
		p.ask(ctx, id, rightsVersion, &body) != nil {
		return "", false
	}
	return body.Properties.Name, slices.ContainsFunc(body.Properties.Permissions, func(q permission) bool {
		return slices.ContainsFunc(ways, func(w struct{ action, words string }) bool { return q.allows(w.action) })
	})
}

package acrtest

import (
	"net/http"
	"slices"
	"strings"
)

// Assignment is a role that a principal has on a registry in Resource Manager,
// beside what Roles says.
type Assignment struct {
	Host                string
	Role, Scope         string // the role's name, the resource that it was assigned on
	Actions, NotActions []string
}

// actions are the rights of Roles in the words of Resource Manager.
var actions = map[string]string{
	"pull": "Microsoft.ContainerRegistry/registries/pull/read", "push": "Microsoft.ContainerRegistry/registries/push/write",
	"read": "Microsoft.ContainerRegistry/registries/read", "importImage": "Microsoft.ContainerRegistry/registries/importImage/action",
	"roleAssignments": "Microsoft.Authorization/roleAssignments/read",
}

// assigned are all assignments of a principal on a registry.
func (c *Cloud) assigned(object, host string) []Assignment {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[object]
	if p == nil {
		return nil
	}
	var list []Assignment
	for _, right := range p.Roles[host] {
		if action := actions[right]; action != "" {
			list = append(list, Assignment{Host: host, Role: "may " + right, Scope: "/subscriptions/sub", Actions: []string{action}})
		}
	}
	for _, a := range p.Assigned {
		if a.Host == host {
			list = append(list, a)
		}
	}
	return list
}

// authorization is what Microsoft.Authorization tells of a registry: the caller's
// permissions, and role assignments to who may read them. Status of the refusals: assumed.
// https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource
// https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
func (c *Cloud) authorization(w http.ResponseWriter, r *http.Request, by string, site *Registry, kind string) {
	mine := c.assigned(by, site.Host)
	rows := []any{}
	switch {
	case len(mine) == 0:
		failed(w, http.StatusForbidden, "AuthorizationFailed", "The client '"+by+"' does not have authorization to perform action 'Microsoft.Authorization/"+kind+"/read'.")
		return
	case kind == "permissions":
		for _, a := range mine {
			rows = append(rows, map[string]any{"actions": a.Actions, "notActions": append([]string{}, a.NotActions...), "dataActions": []string{}, "notDataActions": []string{}})
		}
	case kind != "roleAssignments" || r.URL.Query().Get("$filter") != "assignedTo('"+by+"')":
		failed(w, http.StatusBadRequest, "BadRequestFormat", "The filter is not supported.")
		return
	case !c.may(by, site.Host, "roleAssignments"):
		failed(w, http.StatusForbidden, "AuthorizationFailed", "The client '"+by+"' does not have authorization to perform action 'Microsoft.Authorization/roleAssignments/read'.")
		return
	default:
		for _, a := range mine {
			rows = append(rows, map[string]any{"properties": map[string]any{
				"roleDefinitionId": "/subscriptions/sub/providers/Microsoft.Authorization/roleDefinitions/" + strings.ReplaceAll(a.Role, " ", "-"),
				"principalId":      by, "scope": a.Scope,
			}})
		}
	}
	reply(w, http.StatusOK, map[string]any{"value": rows})
}

// definition is a role by its name.
func (c *Cloud) definition(w http.ResponseWriter, by, name string) {
	c.mu.Lock()
	hosts := make([]string, 0, len(c.sites))
	for host := range c.sites {
		hosts = append(hosts, host)
	}
	c.mu.Unlock()
	for _, host := range hosts {
		mine := c.assigned(by, host)
		if i := slices.IndexFunc(mine, func(a Assignment) bool { return strings.ReplaceAll(a.Role, " ", "-") == name }); i >= 0 {
			reply(w, http.StatusOK, map[string]any{"properties": map[string]any{
				"roleName": mine[i].Role, "permissions": []any{map[string]any{"actions": mine[i].Actions, "notActions": mine[i].NotActions}},
			}})
			return
		}
	}
	failed(w, http.StatusNotFound, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
}

package doctor

import (
	"context"
	"strings"
)

// imports tells whether the everyday identity could put something into an Azure
// registry without the right to push: importing is a right of its own, which role
// assignments give, and which scopes of repositories do not bind.
// https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions
func (e *examination) imports(context.Context) []Fact {
	entry := e.Config.Registry(e.Prod.Host)
	azure := entry.Import != nil || strings.HasSuffix(e.Prod.Host, ".azurecr.io") || entry.Read != nil && entry.Read.Azure != nil
	if !azure {
		return nil
	}
	scope := "REGISTRY-ID"
	if i := entry.Import; i != nil {
		name, _, _ := strings.Cut(e.Prod.Host, ".")
		scope = "/subscriptions/" + i.Subscription + "/resourceGroups/" + i.ResourceGroup + "/providers/Microsoft.ContainerRegistry/registries/" + name
	}
	return []Fact{question{"everyday-import", e.Prod.Host}.
		unknown("whether the everyday identity may import into prod without pushing cannot be told from here").
		because("the action Microsoft.ContainerRegistry/registries/importImage/action comes with role assignments, such as Contributor").
		todo("az role assignment list --include-inherited --include-groups --assignee PRINCIPAL --scope %s", scope)}
}

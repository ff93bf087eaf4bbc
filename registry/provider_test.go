package registry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/acr"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/registry/registrytest"
)

// TestABusyExchangeIsWaitedFor is here because only this package can take the
// waits from a client.
func TestABusyExchangeIsWaitedFor(t *testing.T) {
	who := &acrtest.Principal{Object: "o", Client: "app", Secret: "canary", Roles: map[string][]string{"acme.azurecr.io": {"pull"}}}
	cloud := acrtest.New(t, who)
	site := cloud.Add("acme", registrytest.Embedded(t))
	t.Setenv("AZURE_TENANT_ID", acrtest.Tenant)
	t.Setenv("AZURE_CLIENT_ID", "app")
	t.Setenv("AZURE_CLIENT_SECRET", "canary")
	cloud.Throttle(2)
	entries := map[string]config.Registry{site.Host: {Read: &config.Identity{Azure: &config.AzureIdentity{Method: "environment"}}}}
	var waits []time.Duration
	client := registry.Waiting(cloud.Client(registry.Read, entries, acr.Providers(acr.Options{Transport: cloud.Transport()})),
		func(ctx context.Context, d time.Duration) error { waits = append(waits, d); return ctx.Err() })
	if _, err := client.Tags(t.Context(), site.Repository("app")); err != nil && !errors.Is(err, registry.ErrNotFound) { // it is empty
		t.Fatal(err)
	}
	if subject, _ := client.Identity(site.Host); subject == "" {
		t.Error("no credential after the registry was busy")
	}
	if len(waits) != 2 || waits[0] != 7*time.Second || waits[1] != 7*time.Second {
		t.Errorf("waited %v, the registry asked for 7 s each time", waits)
	}
}

package acr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerregistry/armcontainerregistry"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// resourceID is the name of a registry in Resource Manager.
func resourceID(subscription, group, host string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.ContainerRegistry/registries/" + resource(host)
}

// clientOptions are how Resource Manager is asked: under the identity of the
// client's purpose, in the registry's cloud. It waits for Retry-After; a provider is never registered on the way.
func (p *provider) clientOptions() *arm.ClientOptions {
	return &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud: p.cloud.Configuration, Transport: p.options.Transport,
			Retry: policy.RetryOptions{MaxRetryDelay: 30 * time.Second},
		},
		DisableRPRegistration: true,
	}
}

// mayAsk tells why Resource Manager cannot be asked about this registry, nil if it can.
func (p *provider) mayAsk() error {
	switch {
	case p.entry.Import == nil:
		return fmt.Errorf("registries → %s has no import entry that says where it lives: %w", p.host, registry.ErrUnsupported)
	case p.identity() == nil:
		return fmt.Errorf("the %s identity of %s is not Azure's, so Resource Manager cannot be asked: %w", p.wire.Purpose(), p.host, registry.ErrUnsupported)
	}
	return nil
}

// registries is the SDK's client.
func (p *provider) registries() (*armcontainerregistry.RegistriesClient, error) {
	c, err := armcontainerregistry.NewRegistriesClient(p.entry.Import.Subscription, p.source(p.identity()), p.clientOptions())
	if err != nil {
		return nil, fmt.Errorf("ask Resource Manager about %s: %w", p.host, err)
	}
	return c, nil
}

// ask reads a resource, of a path that may have a query, with an API version that the SDK's models lack.
func (p *provider) ask(ctx context.Context, path, version string, into any) error {
	c, err := arm.NewClient("plimsoll", "v1.0.0", p.source(p.identity()), p.clientOptions())
	if err != nil {
		return fmt.Errorf("ask Resource Manager about %s: %w", p.host, err)
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(c.Endpoint(), path))
	if err != nil {
		return fmt.Errorf("ask Resource Manager about %s: %w", p.host, err)
	}
	query := req.Raw().URL.Query()
	query.Set("api-version", version)
	req.Raw().URL.RawQuery = query.Encode()
	resp, err := c.Pipeline().Do(req)
	if err != nil {
		return p.refused(ctx, err)
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return p.refused(ctx, runtime.NewResponseError(resp))
	}
	raw, err := runtime.Payload(resp)
	if err != nil || json.Unmarshal(raw, into) != nil {
		return fmt.Errorf("resource manager answered about %s with no JSON of the documented form", p.host)
	}
	return nil
}

// refused says in one line what Resource Manager answered.
func (p *provider) refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return fmt.Errorf("Resource Manager for %s: %w", p.host, brief(err)) //nolint:staticcheck // a name
	}
	code := fault.Failed
	if answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized {
		code = fault.Refused
	}
	return fault.New(code, fmt.Sprintf("look at registries → %s → import and at the role assignments of the %s identity", p.host, p.wire.Purpose()),
		brief(err), "Resource Manager refused (%d %s) for %s", answer.StatusCode, answer.ErrorCode, p.host)
}

package acr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// sources keeps one source for each identity.
type sources struct {
	options Options

	mu   sync.Mutex
	kept map[string]*source
}

func (s *sources) of(id *config.AzureIdentity, c azureCloud) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join(append(id.Methods(), id.Tenant, id.ClientID, c.name), "\x00")
	if s.kept[key] == nil {
		if s.kept == nil {
			s.kept = map[string]*source{}
		}
		s.kept[key] = &source{options: s.options, id: *id, cloud: c, turn: make(chan struct{}, 1), tokens: map[string]azcore.AccessToken{}}
	}
	return s.kept[key]
}

// source gives the tokens of one identity. Some methods keep nothing (az is a
// process for each token), so it keeps them itself, by what they are for.
// It is an azcore.TokenCredential.
type source struct {
	options Options
	id      config.AzureIdentity
	cloud   azureCloud
	turn    chan struct{} // has room for the one who asks

	creds  []method // the order of the configuration; made when first needed
	chosen *method  // the one that gave a token
	tokens map[string]azcore.AccessToken
}

// method is one way to a token.
type method struct {
	name string
	azcore.TokenCredential
}

// tokenReserve is how long before its end a token is replaced.
const tokenReserve = 2 * time.Minute

// GetToken returns a token that lasts a while, for the scopes of o.
func (s *source) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return azcore.AccessToken{}, context.Cause(ctx)
	}
	key := strings.Join(o.Scopes, " ")
	if t, ok := s.tokens[key]; ok && o.Claims == "" && s.options.Now().Before(t.ExpiresOn.Add(-tokenReserve)) {
		return t, nil
	}
	o.TenantID = cmp.Or(o.TenantID, s.id.Tenant)
	t, err := s.ask(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	clean.Secret(t.Token)
	s.tokens[key] = t
	return t, nil
}

// ask asks the method that worked before, else one after the other.
func (s *source) ask(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if s.chosen != nil {
		t, err := s.chosen.GetToken(ctx, o)
		return t, s.refusal(ctx, s.chosen.name, err)
	}
	if s.creds == nil {
		s.creds = s.methods()
	}
	var failed []error
	for i := range s.creds {
		t, err := s.creds[i].GetToken(ctx, o)
		if err == nil {
			s.chosen = &s.creds[i]
			return t, nil
		}
		failed = append(failed, s.refusal(ctx, s.creds[i].name, err))
		if ctx.Err() != nil {
			return t, context.Cause(ctx)
		}
	}
	return azcore.AccessToken{}, fault.Join(failed...)
}

// refusal says which method gave no token, why, and what to do.
func (s *source) refusal(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var rejected *azidentity.AuthenticationFailedError
	code := fault.Usage
	if errors.As(err, &rejected) && rejected.RawResponse != nil {
		code = fault.Refused
	}
	return fault.New(code, remedies[name], &told{err}, "no Azure token by %s", name)
}

// remedies say what a person does about a method that gives no token.
var remedies = map[string]string{
	"cli":               "sign in with: az login",
	"azd":               "sign in with: azd auth login",
	"device-code":       "run it again on a terminal, open the address that is shown and type the code there",
	"workload-identity": "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE have to be set, and the identity has to trust that token's issuer and subject",
	"managed-identity":  "this works only on Azure, on a resource with a managed identity; a user-assigned one is named by client-id or AZURE_CLIENT_ID",
	"azure-pipelines":   "run it in an AzureCLI@2 task of a service connection with workload identity federation, with SYSTEM_ACCESSTOKEN: $(System.AccessToken) in its env",
	"environment":       "set AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH",
}

// told is an error of the SDK in one line, without secrets: an answer of
// Microsoft Entra by the description in it.
type told struct{ err error }

func (t *told) Error() string {
	text := t.err.Error()
	var rejected *azidentity.AuthenticationFailedError
	if errors.As(t.err, &rejected) && rejected.RawResponse != nil {
		if said := description(rejected.RawResponse); said != "" {
			text = said
		}
	}
	return clean.Text(clean.Redact(strings.Join(strings.Fields(text), " ")))
}

func (t *told) Unwrap() error { return t.err }

// methods makes the credentials. One that cannot be made is one that gives its
// reason instead of a token.
func (s *source) methods() []method {
	list := make([]method, 0, len(s.id.Methods()))
	for _, name := range s.id.Methods() {
		cred, err := s.method(name)
		if err != nil {
			cred = impossible{err}
		}
		list = append(list, method{name, cred})
	}
	return list
}

// impossible is a method that cannot be used here.
type impossible struct{ err error }

// GetToken tells why there is none.
func (i impossible) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, i.err
}

func (s *source) method(name string) (azcore.TokenCredential, error) {
	tenant, client := s.id.Tenant, s.id.ClientID
	o := azcore.ClientOptions{Cloud: s.cloud.Configuration, Transport: s.options.Transport}
	switch name {
	case "cli":
		return made(azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenant}))
	case "azd":
		return made(azidentity.NewAzureDeveloperCLICredential(&azidentity.AzureDeveloperCLICredentialOptions{TenantID: tenant}))
	case "device-code":
		return s.deviceCode(o)
	case "workload-identity":
		return made(azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: o, TenantID: tenant, ClientID: client}))
	case "managed-identity":
		m := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
		if client = cmp.Or(client, os.Getenv("AZURE_CLIENT_ID")); client != "" {
			m.ID = azidentity.ClientID(client)
		}
		return made(azidentity.NewManagedIdentityCredential(m))
	case "azure-pipelines":
		return s.pipelines(o)
	case "environment":
		for _, secret := range []string{"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD"} {
			clean.Secret(os.Getenv(secret))
		}
		return made(azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: o}))
	}
	return nil, fmt.Errorf("no Azure method is called %q", name)
}

// made makes a credential of any kind one of the interface.
func made[T azcore.TokenCredential](cred T, err error) (azcore.TokenCredential, error) {
	if err != nil {
		return nil, err //nolint:wrapcheck // refusal names the method
	}
	return cred, nil
}

// pipelines is the service connection of an Azure Pipelines job, as the task
// AzureCLI@2 names it in its environment.
// https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/azure-cli-v2
func (s *source) pipelines(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	token := os.Getenv("SYSTEM_ACCESSTOKEN")
	clean.Secret(token)
	return made(azidentity.NewAzurePipelinesCredential(
		cmp.Or(s.id.Tenant, os.Getenv("AZURESUBSCRIPTION_TENANT_ID")), cmp.Or(s.id.ClientID, os.Getenv("AZURESUBSCRIPTION_CLIENT_ID")),
		os.Getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"), token, &azidentity.AzurePipelinesCredentialOptions{ClientOptions: o}))
}

// deviceCode lets a person sign in with a browser elsewhere.
func (s *source) deviceCode(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	if s.options.Tell == nil {
		return nil, errors.New("there is nobody who could be shown the code")
	}
	prompts := &prompter{tell: s.options.Tell}
	cred, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		ClientOptions: o, TenantID: s.id.Tenant, ClientID: s.id.ClientID, UserPrompt: prompts.prompt,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // refusal names the method
	}
	prompts.TokenCredential = cred
	return prompts, nil
}

// prompter shows the code for as long as the sign-in takes, and ends the
// sign-in when the person does not want it.
type prompter struct {
	azcore.TokenCredential
	tell func(ctx context.Context, message string) error
}

type cancelKey struct{}

// GetToken signs in where no earlier sign-in lasts.
func (p *prompter) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t, err := p.TokenCredential.GetToken(context.WithValue(ctx, cancelKey{}, cancel), o)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return t, err //nolint:wrapcheck // refusal names the method
}

func (p *prompter) prompt(ctx context.Context, m azidentity.DeviceCodeMessage) error {
	cancel, _ := ctx.Value(cancelKey{}).(context.CancelCauseFunc)
	message := clean.Text(m.Message)
	if m.VerificationURL != "" && m.UserCode != "" {
		message = fmt.Sprintf("To sign in to Azure, open %s and type the code %s", clean.Text(m.VerificationURL), clean.Text(m.UserCode))
	}
	go func() {
		if err := p.tell(ctx, message); err != nil && ctx.Err() == nil && cancel != nil {
			cancel(fmt.Errorf("the sign-in was given up: %w", err))
		}
	}()
	return nil
}

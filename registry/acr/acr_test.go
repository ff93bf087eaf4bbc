package acr_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/acr"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	staging = "acmestaging.azurecr.io"
	prod    = "acmeprod.azurecr.io"
	reader  = "11111111-0000-4000-8000-000000000001"
	release = "22222222-0000-4000-8000-000000000002"
	canary  = "canary-7d1f0b3c-secret"
)

// world is two registries, a person who may read both, and an application that may write prod.
type world struct {
	*acrtest.Cloud
	staging, prod *acrtest.Registry
	entries       map[string]config.Registry
	options       acr.Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	read := []string{"pull", "metadata_read", "deleted_read"}
	write := []string{"pull", "push", "metadata_read", "metadata_write", "deleted_read", "deleted_restore", "read", "importImage"}
	w := &world{Cloud: acrtest.New(t,
		&acrtest.Principal{Object: reader, Name: "owner@example.com", Roles: map[string][]string{staging: read, prod: read}},
		&acrtest.Principal{Object: release, Client: "app-release", Secret: canary, Roles: map[string][]string{staging: {"pull", "read"}, prod: write}},
	)}
	w.staging = w.Add("acmestaging", registrytest.Embedded(t))
	w.prod = w.Add("acmeprod", registrytest.Embedded(t))
	cli := &config.Identity{Azure: &config.AzureIdentity{Method: "cli"}}
	promote := &config.Identity{Azure: &config.AzureIdentity{Method: "environment"}}
	w.entries = map[string]config.Registry{
		staging: {Read: cli},
		prod: {Read: cli, Promote: promote, Import: &config.Import{
			Subscription: "sub", ResourceGroup: "prod-rg", Source: config.ImportSource{Subscription: "sub", ResourceGroup: "staging-rg"},
		}},
	}
	w.options = acr.Options{Transport: w.Transport(), Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	w.az(t, reader)
	t.Setenv("AZURE_TENANT_ID", acrtest.Tenant)
	t.Setenv("AZURE_CLIENT_ID", "app-release")
	t.Setenv("AZURE_CLIENT_SECRET", canary)
	return w
}

// az puts a program az into the path that prints a person's token.
func (w *world) az(t *testing.T, object string) (calls func() int) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >> " + dir + "/calls\nfor a; do last=$a; done\ncase \"$*\" in *containerregistry*) cat " + dir + "/acr;; *) cat " + dir + "/arm;; esac\n"
	expires := time.Now().Add(time.Hour).Unix()
	for file, audience := range map[string]string{"acr": "https://containerregistry.azure.net", "arm": "https://management.core.windows.net/"} {
		write(t, filepath.Join(dir, file), `{"accessToken":"`+w.EntraToken(object, audience)+`","expires_on":`+strconv.FormatInt(expires, 10)+`}`, 0o600)
	}
	write(t, filepath.Join(dir, "az"), script, 0o700)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() int {
		raw, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return strings.Count(string(raw), "\n")
	}
}

func (w *world) client(purpose registry.Purpose, more ...func(*registry.Options)) *registry.Client {
	return w.Client(purpose, w.entries, acr.Providers(w.options), more...)
}

// push puts an image into staging, past the front, but known to it.
func (w *world) push(t *testing.T, s *acrtest.Registry, repo, tag string, files ...string) registry.Manifest {
	t.Helper()
	c := registrytest.Client(t)
	image := embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app-" + tag, Content: []byte(tag + strings.Join(files, " "))}}}}}
	_, err := embedded.Push(t.Context(), c, s.Behind(repo), []string{tag}, image)
	must(t, err)
	m, err := c.Manifest(t.Context(), s.Behind(repo), tag)
	must(t, err)
	s.Note(repo, tag, m)
	return m
}

func TestEachPurposeShowsItsOwnIdentityAndNoOther(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	read := w.client(registry.Read)
	_, err := read.Head(t.Context(), w.staging.Repository("app"), "v1")
	must(t, err)
	if subject, expires := read.Identity(staging); subject != "owner@example.com ("+reader+")" || time.Until(expires) < 2*time.Hour {
		t.Errorf("identity %q until %v", subject, expires)
	}
	promote := w.client(registry.Promote)
	if subject, _ := promote.Identity(prod); subject != "" {
		t.Errorf("asked for %q before it was needed", subject)
	}
	_, err = registry.Copy(t.Context(), registry.CopyRequest{
		From: read, Source: w.staging.Repository("app"), To: promote, Target: w.prod.Repository("app"), Root: image.Descriptor.Digest,
	})
	must(t, err)
	must(t, registry.Complete(t.Context(), read, w.prod.Repository("app"), image.Descriptor.Digest))
	if subject, _ := promote.Identity(prod); subject != "app app-release ("+release+")" {
		t.Errorf("promoted as %q", subject)
	}
	promote.Close()
	if subject, _ := promote.Identity(prod); subject != "" {
		t.Errorf("%q is still known after Close", subject)
	}
	for _, r := range w.Requests(".azurecr.io") {
		write := r.Method != "GET" && r.Method != "HEAD" && !strings.HasPrefix(r.Path, "/oauth2/")
		if write && r.Status < 400 && (r.Host != prod || r.Principal != release) || r.Host == staging && r.Principal == release {
			t.Errorf("%s", r)
		}
	}
}

func TestTheEverydayIdentityCannotWriteProd(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	read := w.client(registry.Read)
	_, err := registry.Copy(t.Context(), registry.CopyRequest{
		From: read, Source: w.staging.Repository("app"), To: read, Target: w.prod.Repository("app"), Root: image.Descriptor.Digest,
	})
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "azure: cli") {
		t.Errorf("got %v", err)
	}
}

func TestAzIsStartedOnceForAllRegistries(t *testing.T) {
	w := newWorld(t)
	calls := w.az(t, reader)
	w.push(t, w.staging, "app", "v1")
	w.push(t, w.prod, "app", "v1")
	read := w.client(registry.Read)
	for _, s := range []*acrtest.Registry{w.staging, w.prod, w.staging} {
		_, err := read.Head(t.Context(), s.Repository("app"), "v1")
		must(t, err)
	}
	if n := calls(); n != 1 {
		t.Errorf("az was started %d times", n)
	}
}

func TestATokenIsForOneRepository(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "app", "v1")
	w.push(t, w.staging, "other", "v1")
	read := w.client(registry.Read)
	for range 3 {
		for _, repo := range []string{"app", "other"} {
			_, err := read.Head(t.Context(), w.staging.Repository(repo), "v1")
			must(t, err)
		}
	}
	tokens, refused := 0, 0
	for _, r := range w.Requests(staging) {
		if r.Path == "/oauth2/token" {
			tokens++
		}
		if r.Status == 401 {
			refused++
		}
	}
	if tokens != 2 || refused != 1 {
		t.Errorf("%d tokens for two repositories, %d refusals", tokens, refused)
	}
}

func TestNoSecretLeavesTheRequests(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	var said strings.Builder
	trace := func(o *registry.Options) {
		o.Trace = func(method, url string, _ int, _ time.Duration) { said.WriteString(method + " " + url + "\n") }
	}
	promote := w.client(registry.Promote, trace)
	if err := promote.PutManifest(t.Context(), w.prod.Repository("app"), "x", image); err == nil {
		t.Error("a manifest without its blobs was taken")
	} else {
		said.WriteString(err.Error())
	}
	t.Setenv("AZURE_CLIENT_SECRET", canary+"-wrong")
	_, err := w.client(registry.Promote, trace).Head(t.Context(), w.prod.Repository("app"), "x")
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("got %v", err)
	}
	said.WriteString(err.Error() + fault.HintOf(err))
	for _, secret := range w.Secrets() {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%q was seen in\n%s", secret, said.String())
		}
	}
	for _, secret := range []string{canary} {
		if strings.Contains(clean.Redact("x "+secret), secret) {
			t.Errorf("%q is not cut out", secret)
		}
	}
}

func TestTheNextMethodIsTriedWhereOneGivesNoToken(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "app", "v1")
	var shown string
	w.options.Tell = func(_ context.Context, message string) error {
		shown = message
		w.SignIn(reader)
		return nil
	}
	t.Setenv("AZURE_TENANT_ID", "")
	w.entries[staging] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "environment", Others: []string{"device-code"}, Tenant: acrtest.Tenant}}}
	read := w.client(registry.Read)
	_, err := read.Head(t.Context(), w.staging.Repository("app"), "v1")
	must(t, err)
	if !strings.Contains(shown, "https://microsoft.com/devicelogin") || !strings.Contains(shown, "K7QLM2R") {
		t.Errorf("shown: %q", shown)
	}
}

func TestADeviceCodeThatIsGivenUpEndsTheWait(t *testing.T) {
	w := newWorld(t)
	no := errors.New("not now")
	w.options.Tell = func(context.Context, string) error { return no }
	w.entries[staging] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "device-code", Tenant: acrtest.Tenant}}}
	_, err := w.client(registry.Read).Head(t.Context(), w.staging.Repository("app"), "v1")
	if err == nil || !strings.Contains(err.Error(), "not now") {
		t.Errorf("got %v", err)
	}
}

func TestMethodsSayWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI"} {
		t.Setenv(name, "")
	}
	for method, want := range map[string]string{
		"workload-identity": "AZURE_FEDERATED_TOKEN_FILE", "azure-pipelines": "SYSTEM_ACCESSTOKEN", "environment": "AZURE_TENANT_ID", "device-code": "terminal",
	} {
		w.entries[staging] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: method}}}
		_, err := w.client(registry.Read).Head(t.Context(), w.staging.Repository("app"), "v1")
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), method) || !strings.Contains(fault.HintOf(err), want) {
			t.Errorf("%s: %v (%s)", method, err, fault.HintOf(err))
		}
	}
}

func TestFederatedIdentitiesOfPipelines(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "app", "v1")
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, canary, 0o600)
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	t.Setenv("SYSTEM_ACCESSTOKEN", "system-"+canary)
	t.Setenv("SYSTEM_OIDCREQUESTURI", "https://dev.azure.com/acme/_apis/oidctoken")
	t.Setenv("AZURESUBSCRIPTION_TENANT_ID", acrtest.Tenant)
	t.Setenv("AZURESUBSCRIPTION_CLIENT_ID", "app-release")
	t.Setenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection")
	for _, method := range []string{"workload-identity", "azure-pipelines"} {
		w.entries[prod] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: method}}}
		read := w.client(registry.Read)
		_, err := read.Head(t.Context(), w.prod.Repository("app"), "v1")
		must(t, err)
		if subject, _ := read.Identity(prod); !strings.Contains(subject, "app-release") {
			t.Errorf("%s: %q", method, subject)
		}
	}
}

func TestAMachineInAzureHasAnIdentity(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "app", "v1")
	for _, variable := range []string{"AZURE_CLIENT_ID", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT"} {
		t.Setenv(variable, "")
	}
	w.entries[prod] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "managed-identity", ClientID: "app-release"}}}
	read := w.client(registry.Read)
	_, err := read.Head(t.Context(), w.prod.Repository("app"), "v1")
	must(t, err)
	if subject, _ := read.Identity(prod); subject != "app app-release ("+release+")" {
		t.Errorf("%q", subject)
	}
	w.entries[prod] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "managed-identity", ClientID: "somebody"}}}
	if _, err := w.client(registry.Read).Head(t.Context(), w.prod.Repository("app"), "v1"); err == nil || !strings.Contains(fault.HintOf(err), "client-id") {
		t.Errorf("got %v (%s)", err, fault.HintOf(err))
	}
}

// azd is the other program: it prints a token in its own form.
func TestAzdGivesATokenToo(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "app", "v1")
	dir := t.TempDir()
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	write(t, filepath.Join(dir, "token"), `{"token":"`+w.EntraToken(reader, "https://containerregistry.azure.net")+`","expiresOn":"`+expires+`"}`, 0o600)
	write(t, filepath.Join(dir, "azd"), "#!/bin/sh\ncat "+dir+"/token\n", 0o700)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	w.entries[staging] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "azd"}}}
	read := w.client(registry.Read)
	_, err := read.Head(t.Context(), w.staging.Repository("app"), "v1")
	must(t, err)
	if subject, _ := read.Identity(staging); !strings.Contains(subject, "owner@example.com") {
		t.Errorf("%q", subject)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), mode))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plimsoll/registry"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

// The principals of the story in Azure, and the secret of the one that promotes.
const (
	azureReader, azurePromoter = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
	azureSecret                = "canary-of-the-application-9c1f"
)

// inAzure puts an Azure before the registries of a world. The program reaches it
// through the proxy of its environment, and believes its certificates by SSL_CERT_FILE.
func inAzure(t *testing.T, w *world) (*acrtest.Cloud, []string) {
	t.Helper()
	const staging, prod = "acmestaging.azurecr.io", "acmeprod.azurecr.io"
	everything := []string{"pull", "push", "metadata_read", "metadata_write", "read", "importImage"}
	cloud := acrtest.New(t,
		&acrtest.Principal{Object: azureReader, Name: "you@example.com", Roles: map[string][]string{
			staging: {"pull", "metadata_read"}, prod: {"pull", "metadata_read", "read"},
		}},
		&acrtest.Principal{Object: azurePromoter, Client: "app-release", Secret: azureSecret, Roles: map[string][]string{staging: {"pull"}, prod: everything}},
	)
	cloud.Add("acmestaging", w.Staging)
	cloud.Add("acmeprod", w.Prod)
	w.Staging, w.Prod, w.Entry = staging, prod, "read: {azure: cli}"
	w.Promote = "{azure: environment}, import: {subscription: sub, resource-group: prod, source: {subscription: sub, resource-group: staging}}"
	w.configure("you")

	proxy := httptest.NewServer(connecting(cloud))
	t.Cleanup(proxy.Close)
	bin := w.az(cloud)
	return cloud, []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + w.write("azure.pem", cloud.CA()),
		"PLIMSOLL_CONFIG=" + filepath.Join(w.dir, "you.yaml"), "PLIMSOLL_STATE=" + filepath.Join(w.dir, "state"), "HOME=" + w.dir,
		"AZURE_TENANT_ID=" + acrtest.Tenant, "AZURE_CLIENT_ID=app-release", "AZURE_CLIENT_SECRET=" + azureSecret,
	}
}

// connecting is a proxy that leads every name to the cloud.
func connecting(cloud *acrtest.Cloud) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		there, err := cloud.Dial(r.Context(), "tcp", r.Host)
		if r.Method != http.MethodConnect || err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = there.Close() }()
		here, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = here.Close() }()
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, buffered)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
	}
}

// az is a program that prints tokens as az does, in a directory of its own.
func (w *world) az(cloud *acrtest.Cloud) string {
	w.t.Helper()
	bin := filepath.Join(w.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		w.t.Fatal(err)
	}
	script := "#!/bin/sh\ncase \"$*\" in\n"
	for pattern, audience := range map[string]string{"*containerregistry*": "https://containerregistry.azure.net", "*management*": "https://management.core.windows.net/"} {
		answer := fmt.Sprintf(`{"accessToken":"%s","expires_on":%d}`, cloud.EntraToken(azureReader, audience), time.Now().Add(time.Hour).Unix())
		script += pattern + ") echo '" + answer + "';;\n"
	}
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(script+"esac\n"), 0o700); err != nil { //nolint:gosec // a program
		w.t.Fatal(err)
	}
	return bin
}

// process runs plimsoll with that environment and no other.
func (w *world) process(env []string, args ...string) answer {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "plimsoll", args...) //nolint:gosec // the test's own arguments
	cmd.Dir, cmd.Env = w.dir, env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code says it
	return answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// TestTheProgramReleasesInAzure runs the program, as a process, against an Azure
// that answers under its real names: look into the isolation, promote, prove.
func TestTheProgramReleasesInAzure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	dg := w.candidate("v1", small("v1"))
	cloud, env := inAzure(t, w)
	said := ""
	must := func(into any, args ...string) {
		t.Helper()
		a := w.process(env, append(args, "-o", "json")...)
		said += a.out + a.err
		if err := json.Unmarshal([]byte(a.out), into); err != nil || a.code != 0 {
			t.Fatalf("plimsoll %s: exit %d, %v\n%s%s", strings.Join(args, " "), a.code, err, a.out, a.err)
		}
	}
	var out release.Outcome
	must(&out, "promote", "chat", string(dg), "--expect", "none", "--yes")
	if orders := cloud.Imports(); out.Copied.Blobs != 0 || len(orders) != 1+out.Referrers.Arrived || len(out.Warnings) != 0 {
		t.Errorf("Azure was to copy: %+v, orders %v", out, orders)
	}
	var report doctor.Report
	must(&report, "doctor", "--with-promote")
	if report.Broken != 0 || !strings.Contains(said, "behind the promotion identity stands an application's secret") {
		t.Errorf("%d broken: %s", report.Broken, said)
	}
	var history []release.Entry
	must(&history, "history")
	if i := history[0].Identity; i == nil || i.Subject != "app app-release ("+azurePromoter+")" || i.ExpiresOn.IsZero() {
		t.Errorf("%+v", i)
	}
	var proof release.Verification
	must(&proof, "verify", registry.Repository{Host: w.Prod, Path: w.Repository}.At(dg))
	if !proof.Promoted || proof.Identity == nil {
		t.Errorf("%+v", proof)
	}
	for _, r := range cloud.Requests(w.Prod) {
		if write := r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasPrefix(r.Path, "/oauth2/"); write && r.Status < 400 && r.Principal != azurePromoter {
			t.Errorf("%s", r)
		}
	}
	places := w.kept()
	places["what was said"] = said
	for _, secret := range cloud.Secrets() {
		for name, text := range places {
			if strings.Contains(text, secret[strings.LastIndexByte(secret, '.')+1:]) {
				t.Errorf("%s holds a secret", name)
			}
		}
	}
}

package config_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"

	"github.com/google/go-cmp/cmp"
)

const smallest = "services:\n  - {name: app, staging: s.example.com/app, prod: p.example.com/app}\n"

func TestEverythingInTheDesignsExampleLoads(t *testing.T) {
	c := mustLoad(t, string(readTestdata(t, "design.yaml")))
	ecr := "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	prod := c.Registry("acrprod.azurecr.io")
	for name, want := range map[string]bool{
		"azure by method":      prod.Read.Azure.Method == "cli" && prod.Read.Azure.Tenant == "",
		"azure with tenant":    prod.Promote.Azure.Method == "cli" && prod.Promote.Azure.Tenant == "…",
		"via a workflow":       *prod.Via.GitHub == config.GitHubWorkflow{API: "https://api.github.com", Repository: "acme/release", Workflow: "promote.yml", Ref: "main"},
		"import":               prod.Import.ResourceGroup == "…" && prod.Import.Source.Subscription == "…",
		"no evidence identity": prod.Evidence == nil && c.Registry("acrstaging.azurecr.io").Evidence != nil,
		"aws":                  c.Registry(ecr).Read.AWS.Profile == "ro" && c.Registry(ecr).Promote.AWS.Role == "arn:…",
		"docker":               c.Registry("harbor.example.com").Read.Docker,
		"password by name":     *c.Registry("harbor.example.com").Promote == config.Identity{Username: "robot$release", PasswordEnv: "HARBOR_TOKEN"},
		"ca":                   len(c.Registry("harbor.example.com").CA) > 0,
		"plain http":           c.Registry("127.0.0.1:5000").PlainHTTP && c.Registry("127.0.0.1:5000").Read == nil,
		"signing":              c.Signing.Key == filepath.Join(c.Dir, "owner.key"),
		"keyless":              c.Trust["github-e2e"].Workflow[0].Issuer == "https://token.actions.githubusercontent.com",
		"people":               c.Trust["qa-leads"].People[0].ID == "qa.lead@example.com",
		"key":                  c.Trust["ci"].Keys[0].Public != nil && len(c.Trust["ci"].Keys[0].SPKI) > 0,
	} {
		if !want {
			t.Error(name)
		}
	}
	want := config.Service{
		Name: "chat-api", Staging: "acrstaging.azurecr.io/chat-api", Prod: "acrprod.azurecr.io/chat-api",
		Ledger: "acrprod.azurecr.io/chat-api-ledger", Channel: "live", Platforms: []string{"linux/amd64", "linux/arm64"},
		Limit: 50, Deliver: config.Deliver{Tag: true}, Records: []string{"release-owners"}, Copy: config.CopyTrusted, Window: 90 * 24 * time.Hour,
		Gates: config.Gates{
			E2E: &config.E2EGate{Signers: []string{"ci"}, MaxAge: 72 * time.Hour, Suites: []string{"smoke", "api"}},
			Scan: &config.ScanGate{
				Signers: []string{"scanner"}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour,
				Allow: []config.Allow{{ID: "CVE-2026-1234", Until: time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), Reason: "…"}},
			},
			BaseImage: &config.BaseImageGate{Signers: []string{"ci"}, Pinned: true},
			SignOff:   &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.BiggerChange, Bigger: config.DefaultBigger(), NotPromoter: true},
			Soak:      &config.Soak{Min: time.Hour, Channel: "live"},
			Freeze: []config.Freeze{{
				From: time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC),
				To:   time.Date(2027, 1, 2, 23, 59, 59, 0, time.UTC), Reason: "year end",
			}},
			Custom: []config.CustomGate{{Name: "no-root", Expr: `image.config.user != "" && image.config.user != "root"`, Line: 26, At: 38}},
		},
	}
	got := c.Services[0]
	if !got.Tags.MatchString("main-77") || got.Tags.MatchString("dev-1") {
		t.Errorf("tags: %v", got.Tags)
	}
	got.Tags = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDefaultsHoldWhereNothingIsSaid(t *testing.T) {
	c := mustLoad(t, smallest)
	want := config.Service{
		Name: "app", Staging: "s.example.com/app", Prod: "p.example.com/app", Ledger: "p.example.com/app-ledger", Channel: "live",
		Limit: 50, Deliver: config.Deliver{Tag: true}, Copy: config.CopyTrusted, Window: 90 * 24 * time.Hour,
	}
	if d := cmp.Diff([]config.Service{want}, c.Services); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(config.UI{Theme: "auto", Keys: map[string]string{}}, c.UI); d != "" {
		t.Error(d)
	}
	if r := c.Registry("s.example.com"); r.Listed || !r.Read.Docker {
		t.Errorf("an unlisted host is read with docker's credentials: %+v", r)
	}
	c = mustLoad(t, "trust: {owners: {people: {me@example.com: keys/owner.pub}}}\ngates: {sign-off: {signers: [owners]}}\n"+smallest)
	if g := c.Services[0].Gates.SignOff; g.Quorum != 1 || g.When != config.Always || g.NotPromoter {
		t.Errorf("sign-off: %+v", g)
	}
}

func TestServiceEntryReplacesTheDefaultsWholeEntry(t *testing.T) {
	c := mustLoad(t, `
trust: {ci: {keys: [keys/ci.pub]}}
records: {signers: [ci]}
retention: {window: 60d}
gates:
  e2e: {signers: [ci], max-age: 72h, suites: [smoke]}
  soak: off
  custom: [{name: no-root, expr: 'true'}]
services:
  - {name: a, staging: s.example.com/a, prod: p.example.com/a}
  - name: b
    staging: s.example.com/b
    prod: p.example.com/b
    deliver: {command: [kubectl, set, image, 'app={{.Reference}}']}
    gates: {e2e: {signers: [ci]}, soak: {min: 1d12h}, custom: off}
    evidence: {copy: used}
    retention: {window: 180d}
`)
	a, b := c.Services[0], c.Services[1]
	if d := cmp.Diff([]string{"soak"}, a.Gates.Off); d != "" {
		t.Error(d)
	}
	want := config.Gates{E2E: &config.E2EGate{Signers: []string{"ci"}}, Soak: &config.Soak{Min: 36 * time.Hour, Channel: "live"}, Off: []string{"custom"}}
	if d := cmp.Diff(want, b.Gates); d != "" {
		t.Error(d)
	}
	if a.Window != 60*24*time.Hour || b.Window != 180*24*time.Hour || a.Copy != config.CopyTrusted || b.Copy != config.CopyUsed || !slices.Equal(b.Records, []string{"ci"}) {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestPersonalWinsForWhatBelongsToAPerson(t *testing.T) {
	dir, home, own := team(t), t.TempDir(), t.TempDir()
	t.Setenv("HOME", own)
	path := put(t, dir, config.FileName, []byte(`
registries:
  p.example.com: {read: {docker: true}, promote: {docker: true}, auth-host: auth.example.com, harbor: true, client-certificate: {certificate: team.pem, key: team.key}}
signing: {key: team.key}
ui: {theme: light, keys: {diff: x, help: h}}
`+smallest))
	personal := put(t, home, config.PersonalName, []byte(`
signing: {key: mine.key}
ui: {keys: {diff: y}}
registries:
  p.example.com: {promote: {username: me, password-env: MY_TOKEN}, client-certificate: {certificate: me.pem, key: ~/me.key}}
  other.example.com: {promote: {anonymous: true}}
`))
	c, err := config.Load(path, true, personal)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "mine.key"); c.Signing.Key != want {
		t.Errorf("a path is relative to the file that names it: %s, not %s", want, c.Signing.Key)
	}
	want := config.Registry{
		Host: "p.example.com", Listed: true, Read: &config.Identity{Docker: true},
		Promote: &config.Identity{Username: "me", PasswordEnv: "MY_TOKEN"}, AuthHost: "auth.example.com", Harbor: true,
		Client: &config.ClientCertificate{Certificate: filepath.Join(home, "me.pem"), Key: filepath.Join(own, "me.key")},
	}
	if d := cmp.Diff(want, c.Registry("p.example.com")); d != "" {
		t.Error(d)
	}
	if r := c.Registry("other.example.com"); !r.Read.Docker || !r.Promote.Anonymous {
		t.Errorf("a host that only the person names is read as an unlisted one: %+v", r)
	}
	if d := cmp.Diff(config.UI{Theme: "light", Keys: map[string]string{"diff": "y", "help": "h"}}, c.UI); d != "" {
		t.Error(d)
	}
	if !c.Found || c.Dir != dir {
		t.Errorf("found %v dir %s", c.Found, c.Dir)
	}
}

// TestHashCoversTheFileAndWhatItNames: what a person accepted must not change behind their back.
func TestHashCoversTheFileAndWhatItNames(t *testing.T) {
	sum := func(raw []byte) string {
		s := sha256.Sum256(raw)
		return hex.EncodeToString(s[:])
	}
	if c := mustLoad(t, smallest); c.Hash != sum([]byte(smallest)) || string(c.Text) != smallest {
		t.Errorf("a file that names no other: %s %s", c.Hash, c.Text)
	}
	dir := team(t)
	put(t, dir, "trusted_root.json", []byte(trustedRoot))
	put(t, dir, "bin/state.sh", []byte("echo"))
	put(t, dir, "deploy.py", []byte("print()"))
	put(t, dir, "kubectl", []byte("not run: a name alone is looked for in the path"))
	path := put(t, dir, config.FileName, []byte(`
trust-root: {file: trusted_root.json}
registries: {p.example.com: {read: {docker: true}, ca: corp.pem}}
trust: {ci: {keys: [keys/ci.pub]}, owners: {people: {me@example.com: keys/owner.pub}}}
sources:
  ci: {http: {url: 'https://ci.example.com', state: $.s, passed: [ok], ca: corp.pem}}
  script: {command: [bin/state.sh, '{{.Digest}}', ../elsewhere, /etc/passwd]}
services:
  - {name: app, staging: s.example.com/app, prod: p.example.com/app, deliver: {command: [python3, deploy.py]}}
  - {name: web, staging: s.example.com/web, prod: p.example.com/web, deliver: {command: [kubectl, apply]}}
`))
	seen := map[string]string{}
	note := func(what string) {
		t.Helper()
		c, err := config.Load(path, false, "")
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[c.Hash]; ok {
			t.Errorf("%s: the hash is that of %s", what, before)
		}
		seen[c.Hash] = what
		if c.Hash != sum(c.Text) {
			t.Errorf("%s: the hash is not that of the text", what)
		}
	}
	note("the beginning")
	put(t, dir, "keys/ci.pub", publicKey(t))
	note("another key")
	put(t, dir, "keys/owner.pub", publicKey(t))
	note("another person's key")
	put(t, dir, "corp.pem", certificate(t))
	note("another certificate authority")
	put(t, dir, "trusted_root.json", []byte(trustedRoot+"\n"))
	note("another root of trust")
	put(t, dir, "bin/state.sh", []byte("curl evil"))
	note("another script of a source")
	put(t, dir, "deploy.py", []byte("evil()"))
	note("another script of a delivery")
	put(t, dir, "kubectl", []byte("anything"))
	if c, err := config.Load(path, false, ""); err != nil || seen[c.Hash] == "" || strings.Contains(string(c.Text), "/etc/passwd\"") {
		t.Errorf("what is not run from here does not count: %v\n%s", err, c.Text)
	}
}

func TestAliasesAndMergeKeysAreUnderstood(t *testing.T) {
	c := mustLoad(t, `
trust: {ci: {keys: [keys/ci.pub]}}
gates: {e2e: &tests {signers: [ci], max-age: 1h}}
services:
  - {name: a, staging: s.example.com/a, prod: p.example.com/a}
  - {name: b, staging: s.example.com/b, prod: p.example.com/b, gates: {e2e: {<<: *tests, max-age: 2h}}}
`)
	if a, b := c.Services[0].Gates.E2E, c.Services[1].Gates.E2E; a.MaxAge != time.Hour || b.MaxAge != 2*time.Hour || b.Signers[0] != "ci" {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestLoadReadsNoSecret(t *testing.T) {
	t.Setenv("HARBOR_TOKEN", "hunter2-hunter2")
	dir := team(t)
	// A directory in place of the private key: opening it would fail.
	if err := os.Mkdir(filepath.Join(dir, "owner.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(put(t, dir, config.FileName, []byte(
		"signing: {key: owner.key}\nregistries: {p.example.com: {promote: {username: u, password-env: HARBOR_TOKEN}}}\n"+smallest)), false, "")
	if err != nil {
		t.Fatal(err)
	}
	if id := c.Registry("p.example.com").Promote; *id != (config.Identity{Username: "u", PasswordEnv: "HARBOR_TOKEN"}) {
		t.Errorf("%+v", id)
	}
}

func TestSigningKeyBelowHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for written, want := range map[string]string{
		"~/owner.key":                         filepath.Join(home, "owner.key"),
		"azurekms://acme.vault.azure.net/key": "azurekms://acme.vault.azure.net/key",
		"awskms:///alias/signer":              "awskms:///alias/signer",
	} {
		if c := mustLoad(t, "signing: {key: '"+written+"'}\n"+smallest); c.Signing.Key != want {
			t.Errorf("%s: %s", written, c.Signing.Key)
		}
	}
}

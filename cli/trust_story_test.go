package cli_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"plimsoll/cli/demo"
	"plimsoll/release/trust/trusttest"
)

// TestKeysOfKeyServices runs the stories of testdata/trust over a demo whose
// release manager and QA lead have their keys in AWS KMS and Azure Key Vault.
func TestKeysOfKeyServices(t *testing.T) {
	clouds, err := trusttest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clouds.Close)
	vault, kms := &trusttest.KeyVault{Name: "qa-lead"}, &trusttest.KMS{}
	clouds.Host(t, trusttest.Vault, vault)
	clouds.Host(t, trusttest.AWS, kms)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "trust"),
		Setup: func(env *testscript.Env) error {
			d, err := demo.Start(context.Background(), func(string) {})
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
			raw, err := os.ReadFile(d.Config)
			if err != nil {
				return err
			}
			clouds.Change(func() {
				vault.Versions = []crypto.Signer{demoKey(t, d, "qa-lead")}
				kms.Keys = map[string]crypto.Signer{"alias/you": demoKey(t, d, "you")}
			})
			text := strings.NewReplacer("keys/you.pub", "'awskms:///alias/you'", "keys/you.key", "'awskms:///alias/you'",
				"keys/qa-lead.pub", "'azurekms://"+trusttest.Vault+"/qa-lead'").Replace(string(raw))
			for name, value := range clouds.Environ() {
				env.Setenv(name, value)
			}
			env.Setenv("PLIMSOLL_CONFIG", d.Config)
			env.Setenv("PLIMSOLL_STATE", filepath.Join(env.WorkDir, "state"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("PROD", d.Prod)
			return os.WriteFile(d.Config, []byte(text), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"get": getJSON,
			// deny takes everybody's right to use the keys away, or with "not" gives it back.
			"deny": func(_ *testscript.TestScript, _ bool, args []string) {
				clouds.Change(func() { vault.Denied, kms.Denied = len(args) == 0, len(args) == 0 })
			},
			"rotate": func(ts *testscript.TestScript, _ bool, _ []string) {
				key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				ts.Check(err)
				clouds.Change(func() { vault.Versions = append(vault.Versions, key) })
			},
		},
	})
}

// demoKey is a private key of the demo, which a key service holds from now on.
func demoKey(t *testing.T, d *demo.Demo, name string) crypto.Signer {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(d.Config), "keys", name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

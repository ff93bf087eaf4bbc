package evidence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// now is a time after the fixtures were made.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// fixture reads a file made by the real cosign.
func fixture(t testing.TB, name string) []byte { return fixtureIn(t, "cosign", name) }

func fixtureIn(t testing.TB, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// groupOf is a signer group with one plain key.
func groupOf(t testing.TB, name string, pem []byte) config.Group {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	return config.Group{Name: name, Keys: []config.Key{{PEM: pem, Public: public}}}
}

var kinds = []string{"p256", "p384", "ed25519", "rsa"}

func TestWhatCosignSignsVerifies(t *testing.T) {
	subject := digest.Digest(strings.TrimSpace(string(fixture(t, "digest"))))
	for _, kind := range kinds {
		for form, file := range map[evidence.Form]string{evidence.Bundle: kind + ".bundle.json", evidence.DSSE: kind + ".att.json"} {
			t.Run(file, func(t *testing.T) {
				item := evidence.Item{Form: form, Raw: fixture(t, file)}
				v, err := evidence.Verify(item, groupOf(t, "ci", fixture(t, kind+".pub")), now)
				if err != nil {
					t.Fatal(err)
				}
				if !v.About(subject) || v.Statement.PredicateType != evidence.TestResult || v.Group != "ci" {
					t.Errorf("verified %+v, not a test result about %s by ci", v.Statement, subject)
				}
				if at, err := v.SignedTime(); err != nil || at.Format(time.RFC3339) != "2026-11-20T10:00:00Z" {
					t.Errorf("signed time %v, %v", at, err)
				}
			})
		}
	}
}

func TestCosignKeysOpenAndSign(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			signer, err := evidence.OpenKey(fixture(t, kind+".key"), []byte("fixture-password"))
			if err != nil {
				t.Fatal(err)
			}
			item := signed(t, signer, testStatement(t, image))
			if _, err := evidence.Verify(item, groupOf(t, "ci", fixture(t, kind+".pub")), now); err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(fixture(t, kind+".bundle.json")), signer.Hint()) {
				t.Errorf("the hint %s is not the one that cosign wrote for this key", signer.Hint())
			}
		})
	}
}

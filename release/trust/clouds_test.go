package trust_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"os"
	"strings"
	"testing"

	"plimsoll/release/trust/trusttest"
)

const (
	vault = trusttest.Vault
	awsk  = trusttest.AWS
	tufs  = trusttest.TUF
	login = "login.microsoftonline.com"
)

var world *trusttest.Clouds

func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "AZURE_") || strings.HasPrefix(v, "AWS_") || strings.Contains(strings.ToLower(v), "_proxy") {
			name, _, _ := strings.Cut(v, "=")
			_ = os.Unsetenv(name)
		}
	}
	var err error
	if world, err = trusttest.Start(); err != nil {
		panic(err)
	}
	for name, v := range world.Environ() {
		_ = os.Setenv(name, v)
	}
	_ = os.Setenv("HOME", os.Getenv("SSL_CERT_DIR")) // nobody's AWS profile
	code := m.Run()
	world.Close()
	os.Exit(code)
}

func host(t *testing.T, name string, h http.Handler) {
	t.Helper()
	world.Host(t, name, h)
}

func requests(name string) int { return world.Requests(name) }

func ecKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// noCanary fails if a secret shows in text.
func noCanary(t *testing.T, text ...string) {
	t.Helper()
	for _, s := range text {
		if strings.Contains(s, trusttest.Canary) || strings.Contains(s, "Bearer ") {
			t.Errorf("a secret shows in: %s", s)
		}
	}
}

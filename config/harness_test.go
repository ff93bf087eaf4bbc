package config_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plimsoll/config"
)

// trustedRoot is enough of one for the loader, which leaves its content to who uses it.
const trustedRoot = `{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

// team is a directory with every key file that the examples name.
func team(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ci", "scanner", "qa-lead", "owner", "platform"} {
		put(t, dir, "keys/"+name+".pub", publicKey(t))
	}
	put(t, dir, "corp.pem", certificate(t))
	put(t, dir, "trusted_root.json", []byte(trustedRoot))
	put(t, dir, "root.json", []byte(`{"signatures": [], "signed": {"_type": "root"}}`))
	return dir
}

func put(t testing.TB, dir, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func publicKey(t testing.TB) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, k.Public())
}

func encode(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func certificate(t testing.TB) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "corp"}, IsCA: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// load puts the text into a team's directory and loads it.
func load(t testing.TB, text string) (*config.Config, error) {
	t.Helper()
	return config.Load(put(t, team(t), config.FileName, []byte(text)), false, "")
}

func mustLoad(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

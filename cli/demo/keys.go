package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"plimsoll/gates/evidence"
)

// The people and machines of the demo; each has a key pair of that name.
const (
	keyCI      = "ci"
	keyScanner = "scanner"
	keyBuilder = "builder"
	keyQA      = "qa-lead"
	keyYou     = "you"
)

// makeKeys writes key pairs without a password: the demo is thrown away, and it asks nobody.
func makeKeys(dir string) (map[string]evidence.Signer, error) {
	signers := map[string]evidence.Signer{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's keys: %w", err)
	}
	for _, name := range []string{keyCI, keyScanner, keyBuilder, keyQA, keyYou} {
		private, public, err := keyPair()
		if err != nil {
			return nil, fmt.Errorf("make the demo's key %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".key"), private, 0o600); err != nil {
			return nil, fmt.Errorf("write the demo's key: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".pub"), public, 0o600); err != nil {
			return nil, fmt.Errorf("write the demo's key: %w", err)
		}
		if signers[name], err = evidence.OpenKey(private, nil); err != nil {
			return nil, err
		}
	}
	return signers, nil
}

func keyPair() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller names the key
	}
	inner, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller names the key
	}
	outer, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller names the key
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: inner}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: outer}), nil
}

// signerOf is a desk's way to a fixed key.
func signerOf(s evidence.Signer) func(context.Context) (evidence.Signer, error) {
	return func(context.Context) (evidence.Signer, error) { return s, nil }
}

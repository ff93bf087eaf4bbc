// Package evidencetest makes signers and signed statements for tests.
package evidencetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"testing"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// Signer is somebody with a fresh P-256 key, and the key as a configuration has it.
func Signer(t testing.TB) (evidence.Signer, config.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := evidence.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	return s, config.Key{SPKI: spki, Public: s.Public()}
}

// Envelope signs a statement as a bare DSSE envelope, as the layers of cosign
// v2's .att tag hold it: what a bundle holds, without the bundle.
func Envelope(t testing.TB, s evidence.Signer, statement []byte) []byte {
	t.Helper()
	raw, err := evidence.Sign(t.Context(), s, statement)
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(raw, &bundle); err != nil {
		t.Fatal(err)
	}
	return bundle.Envelope
}

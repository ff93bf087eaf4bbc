package operation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/opencontainers/go-digest"
)

// What cosign v2 writes under a .sig tag: one layer per signature
// (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
const (
	simpleSigning       = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// signedPayload tells whether a key of trust signed the payload, and whether
// that is about subject.
func (s *state) signedPayload(payload []byte, signature string, subject digest.Digest) bool {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !payloadAbout(payload, subject) {
		return false
	}
	for _, k := range s.everyKey() {
		if signedBy(k.Public, payload, sig) {
			return true
		}
	}
	return false
}

func payloadAbout(payload []byte, subject digest.Digest) bool {
	var body struct {
		Critical struct {
			Image struct {
				Digest digest.Digest `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	return json.Unmarshal(payload, &body) == nil && body.Critical.Image.Digest == subject
}

// signedBy checks a signature as cosign v2 made it: over the SHA-256, or over
// the payload itself with ed25519.
func signedBy(public crypto.PublicKey, payload, sig []byte) bool {
	sum := sha256.Sum256(payload)
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum[:], sig)
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig) == nil
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, payload, sig)
	}
	return false
}

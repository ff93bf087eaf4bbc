package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Signer signs with one key. Implementations are safe for concurrent use.
type Signer interface {
	// Sign signs message, not its digest, and returns the signature's raw bytes.
	Sign(ctx context.Context, message []byte) ([]byte, error)
	// Public is the key that verifies.
	Public() crypto.PublicKey
	// Hint names the key in a bundle: base64 of the SHA-256 of its SPKI, as cosign writes it.
	Hint() string
}

// ErrPassword is in the chain of an error about a private key whose password is missing or wrong.
var ErrPassword = errors.New("the password of the private key is missing or wrong")

// minRSA is the least modulus that counts, in bits (NIST SP 800-131A).
const minRSA = 2048

// hashOf is the hash that goes with a key, as cosign and sigstore choose it:
// as strong as the curve; 0 for ed25519, which signs the message itself.
func hashOf(public crypto.PublicKey) (crypto.Hash, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return crypto.SHA256, nil
		case elliptic.P384():
			return crypto.SHA384, nil
		case elliptic.P521():
			return crypto.SHA512, nil
		}
		return 0, fmt.Errorf("ECDSA curve %s is not supported; use P-256, P-384 or P-521", k.Params().Name)
	case ed25519.PublicKey:
		return 0, nil
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return 0, fmt.Errorf("an RSA key of %d bits is too weak; use %d or more", k.N.BitLen(), minRSA)
		}
		return crypto.SHA256, nil
	}
	return 0, fmt.Errorf("a key of type %T is not supported; use ECDSA, ed25519 or RSA", public)
}

// message is what was signed, with its hashes once they were needed.
type message struct {
	raw  []byte
	sums map[crypto.Hash][]byte
}

// sum is the hash of the message, made once.
func (m *message) sum(h crypto.Hash) []byte {
	if m.sums == nil {
		m.sums = map[crypto.Hash][]byte{}
	}
	if m.sums[h] == nil {
		w := h.New()
		w.Write(m.raw)
		m.sums[h] = w.Sum(nil)
	}
	return m.sums[h]
}

// sum256 names the message in the memo.
func (m *message) sum256() []byte { return m.sum(crypto.SHA256) }

// signedBy tells whether sig is a signature of the message by the key.
func (m *message) signedBy(public crypto.PublicKey, sig []byte) bool {
	h, err := hashOf(public)
	if err != nil {
		return false
	}
	if k, ok := public.(ed25519.PublicKey); ok {
		return m.signedByEd25519(k, sig)
	}
	return m.signedWith(public, h, sig) || m.signedByLongRSA(public, sig)
}

// signedWith checks the signature over that hash of the message.
func (m *message) signedWith(public crypto.PublicKey, h crypto.Hash, sig []byte) bool {
	v, err := signature.LoadVerifier(public, h)
	if err != nil {
		return false
	}
	// The digest is given, so the message is not read.
	return v.VerifySignature(bytes.NewReader(sig), nil, options.WithDigest(m.sum(h))) == nil
}

// signedByLongRSA takes the hashes that sigstore makes Azure Key Vault sign with
// RSA keys of 3072 and 4096 bits, which are longer than the usual one.
func (m *message) signedByLongRSA(public crypto.PublicKey, sig []byte) bool {
	k, ok := public.(*rsa.PublicKey)
	switch {
	case ok && k.Size() == 384:
		return m.signedWith(k, crypto.SHA384, sig)
	case ok && k.Size() == 512:
		return m.signedWith(k, crypto.SHA512, sig)
	}
	return false
}

// SignedBy tells whether sig is a signature of message by the key, as evidence
// is signed: with the hash that goes with the key.
func SignedBy(public crypto.PublicKey, signed, sig []byte) bool {
	m := message{raw: signed}
	return m.signedBy(public, sig)
}

// Usable tells whether evidence is verified with keys of that kind. The error
// says which kinds are.
func Usable(public crypto.PublicKey) error {
	_, err := hashOf(public)
	return err
}

// signedByEd25519 takes both ways to use an ed25519 key, which RFC 8032 keeps
// apart by construction: the message itself, and its SHA-512 (ed25519ph),
// which cosign v3 signs with.
func (m *message) signedByEd25519(k ed25519.PublicKey, sig []byte) bool {
	if len(k) != ed25519.PublicKeySize {
		return false
	}
	return ed25519.Verify(k, m.raw, sig) ||
		ed25519.VerifyWithOptions(k, m.sum(crypto.SHA512), sig, &ed25519.Options{Hash: crypto.SHA512}) == nil
}

// keySigner is a private key in this process.
type keySigner struct {
	signer signature.Signer
	public crypto.PublicKey
	hint   string
}

// NewSigner makes a Signer of a private key of the standard library.
func NewSigner(private crypto.PrivateKey) (Signer, error) {
	holder, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a private key of type %T cannot sign", private)
	}
	h, err := hashOf(holder.Public())
	if err != nil {
		return nil, err
	}
	s, err := signature.LoadSigner(private, h)
	if err != nil {
		return nil, fmt.Errorf("cannot use the private key: %w", err)
	}
	hint, err := HintOf(holder.Public())
	if err != nil {
		return nil, err
	}
	return &keySigner{signer: s, public: holder.Public(), hint: hint}, nil
}

// HintOf is base64 of the SHA-256 of the key's SPKI, as cosign names keys in bundles.
func HintOf(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("cannot encode the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// Sign signs message.
func (k *keySigner) Sign(ctx context.Context, message []byte) ([]byte, error) {
	sig, err := k.signer.SignMessage(bytes.NewReader(message), options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return sig, nil
}

// Public is the key that verifies.
func (k *keySigner) Public() crypto.PublicKey { return k.public }

// Hint names the key in a bundle.
func (k *keySigner) Hint() string { return k.hint }

// OpenKey opens a private key in PEM: cosign's encrypted form, or PKCS #8, EC
// or RSA, encrypted or not. A missing or wrong password is ErrPassword.
func OpenKey(raw, password []byte) (Signer, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("the signing key is no PEM file; make one with: plimsoll key generate")
	}
	if password == nil {
		password = []byte{}
	}
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(raw, cryptoutils.StaticPasswordFunc(password))
	if err != nil {
		if Encrypted(raw) {
			return nil, ErrPassword
		}
		return nil, fmt.Errorf("cannot read the signing key (PEM block %q): %w", short(block.Type), err)
	}
	return NewSigner(private)
}

// Encrypted tells whether a private key in PEM needs a password.
func Encrypted(raw []byte) bool {
	block, _ := pem.Decode(raw)
	if block == nil {
		return false
	}
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return true
	}
	return block.Headers["DEK-Info"] != ""
}

// GenerateKey makes an ECDSA P-256 key pair as cosign generate-key-pair does:
// the private key encrypted with the password (an empty one is a password
// too), the public key as PKIX, both PEM.
func GenerateKey(password []byte) (private, public []byte, err error) {
	if password == nil {
		password = []byte{}
	}
	private, public, err = cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc(password))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot generate a key pair: %w", err)
	}
	return private, public, nil
}

package trust

import (
	"bytes"
	"context"
	"crypto"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

// signer signs with a key that never leaves its key service.
type signer struct {
	held
	hint string
}

// OpenSigner opens a key in a key service (azurekms://…, awskms://…) for
// signing, and asks for its public half. The service is asked again for every
// signature, with the person's own login of that cloud. Safe for concurrent use.
func OpenSigner(ctx context.Context, ref string) (evidence.Signer, error) {
	h, err := find(ctx, ref)
	if err != nil {
		return nil, err
	}
	hint, err := evidence.HintOf(h.public)
	if err != nil {
		return nil, fault.New(fault.Failed, "", err, "use the key %s", clean.Text(ref))
	}
	return &signer{held: h, hint: hint}, nil
}

// Sign has the key service sign the hash of message. What comes back is checked:
// a reference without a version may have got another key meanwhile.
func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	var sig []byte
	err := guarded(func() (err error) {
		sig, err = s.key.SignMessage(bytes.NewReader(message), options.WithContext(ctx))
		return err //nolint:wrapcheck // refused says what was tried
	})
	if err != nil {
		return nil, s.in.refused(ctx, "sign with", s.ref, err)
	}
	if !evidence.SignedBy(s.public, message, sig) {
		return nil, fault.New(fault.Failed, "run it again; if it stays so, name the version of the key and use a key for ECDSA or RSA PKCS #1 v1.5 signatures", nil,
			"sign with %s: the signature of %s is not by the public key that it gave", clean.Text(s.ref), s.in.name)
	}
	return sig, nil
}

// Public is the key that verifies.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Hint names the key in a bundle.
func (s *signer) Hint() string { return s.hint }

package evidence

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// SubjectOf is the subject that names d.
func SubjectOf(name string, d digest.Digest) Subject {
	return Subject{Name: name, Digest: map[string]string{d.Algorithm().String(): d.Encoded()}}
}

// NewStatement makes an in-toto statement v1 about subject, and more, in JSON.
func NewStatement(predicateType, name string, subject digest.Digest, predicate any, more ...Subject) ([]byte, error) {
	if err := subject.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make a statement about %q: %w", short(subject.String()), err)
	}
	raw, err := json.Marshal(predicate)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a predicate of type %s: %w", predicateType, err)
	}
	statement, err := json.Marshal(Statement{
		Type:          StatementType,
		Subject:       append([]Subject{SubjectOf(name, subject)}, more...),
		PredicateType: predicateType,
		Predicate:     raw,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encode a statement of type %s: %w", predicateType, err)
	}
	return statement, nil
}

// bundle is a Sigstore bundle v0.3 that a public key verifies, with exactly
// the fields that cosign v3 writes, in its order.
type bundle struct {
	MediaType            string        `json:"mediaType"`
	VerificationMaterial material      `json:"verificationMaterial"`
	Envelope             dsseSignature `json:"dsseEnvelope"`
}

type material struct {
	PublicKey struct {
		Hint string `json:"hint"`
	} `json:"publicKey"`
}

type dsseSignature struct {
	Payload     string    `json:"payload"`
	PayloadType string    `json:"payloadType"`
	Signatures  []onlySig `json:"signatures"`
}

type onlySig struct {
	Sig string `json:"sig"`
}

// Sign signs a statement and returns a Sigstore bundle v0.3 in JSON.
func Sign(ctx context.Context, s Signer, statement []byte) ([]byte, error) {
	envelope, err := seal(ctx, s, statement)
	if err != nil {
		return nil, err
	}
	b := bundle{MediaType: BundleMediaType, Envelope: envelope}
	b.VerificationMaterial.PublicKey.Hint = s.Hint()
	return encoded(b)
}

// seal signs what DSSE says is to be signed. A statement that our own reader
// would refuse is not signed.
func seal(ctx context.Context, s Signer, statement []byte) (dsseSignature, error) {
	if _, err := ParseStatement(statement); err != nil {
		return dsseSignature{}, fmt.Errorf("cannot sign: %w", err)
	}
	sig, err := s.Sign(ctx, dsse.PAE(PayloadType, statement))
	if err != nil {
		return dsseSignature{}, err
	}
	return dsseSignature{
		Payload:     base64.StdEncoding.EncodeToString(statement),
		PayloadType: PayloadType,
		Signatures:  []onlySig{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	}, nil
}

// encoded is v in JSON, if it is small enough to be read back.
func encoded(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the signed statement: %w", err)
	}
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("the signed statement has %d bytes, the limit is %d; leave details out of the result file", len(raw), MaxSize)
	}
	return raw, nil
}

package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Envelope is an item whose outer form was read: what was signed, and the
// signature, nothing of it verified. Not for concurrent use.
type Envelope struct {
	item    Item
	payload []byte
	sig     []byte
	signed  message
	parsed  *parsed // of the payload, after its signature was found good
}

// parsed is what came of parsing a payload.
type parsed struct {
	statement Statement
	err       error
}

// Open reads the outer form of an item, strictly, and nothing of its statement.
// The error has ErrMalformed, ErrUnsigned, ErrUnsupported or ErrUnreadable in its chain.
func Open(item Item) (*Envelope, error) {
	if item.Problem != "" {
		return nil, fmt.Errorf("%w: %s", ErrUnreadable, item.Problem)
	}
	switch item.Form {
	case Bundle, DSSE:
	case BuildKit:
		return nil, fmt.Errorf("%w: BuildKit does not sign its attestations", ErrUnsigned)
	case SimpleSigning:
		return nil, fmt.Errorf("%w: a bare signature states nothing", ErrUnsupported)
	case Other:
		return nil, fmt.Errorf("%w: no Sigstore bundle and no DSSE envelope", ErrUnsigned)
	default:
		return nil, fmt.Errorf("%w: unknown form %q", ErrMalformed, item.Form)
	}
	if err := Strict(item.Raw); err != nil {
		return nil, err
	}
	envelope, err := outer(item)
	if err != nil {
		return nil, err
	}
	return newEnvelope(item, envelope)
}

// outer finds the DSSE envelope in the bytes of item.
func outer(item Item) (json.RawMessage, error) {
	if item.Form == DSSE {
		return item.Raw, nil
	}
	bundle, err := fields(item.Raw, "the bundle")
	if err != nil {
		return nil, err
	}
	if err := keySigned(bundle); err != nil {
		return nil, err
	}
	envelope, ok := bundle["dsseEnvelope"]
	if !ok {
		return nil, fmt.Errorf("%w: the bundle has no dsseEnvelope, so it states nothing about an image", ErrUnsupported)
	}
	return envelope, nil
}

// bundleMediaTypes is the media type of a Sigstore bundle up to its version:
// application/vnd.dev.sigstore.bundle.v0.3+json and, before it,
// application/vnd.dev.sigstore.bundle+json;version=0.3.
const bundleMediaTypes = "application/vnd.dev.sigstore.bundle"

// keySigned tells whether the bundle says that a public key verifies it.
func keySigned(bundle map[string]json.RawMessage) error {
	mediaType, err := text(bundle, "mediaType", "the bundle")
	if err != nil {
		return err
	}
	if mediaType != BundleMediaType {
		if strings.HasPrefix(mediaType, bundleMediaTypes) {
			return fmt.Errorf("%w: bundle version %q, only v0.3 is read", ErrUnsupported, short(mediaType))
		}
		return fmt.Errorf("%w: media type %q is no Sigstore bundle", ErrMalformed, short(mediaType))
	}
	material, err := fields(bundle["verificationMaterial"], "verificationMaterial of the bundle")
	if err != nil {
		return err
	}
	for _, keyless := range []string{"certificate", "x509CertificateChain"} {
		if _, ok := material[keyless]; ok {
			return fmt.Errorf("%w: signed with a certificate (keyless); this version verifies signatures by public key only", ErrUnsupported)
		}
	}
	if _, err := fields(material["publicKey"], "publicKey of the bundle"); err != nil {
		return err
	}
	return nil
}

// newEnvelope reads a DSSE envelope with exactly one signature.
func newEnvelope(item Item, raw json.RawMessage) (*Envelope, error) {
	f, err := fields(raw, "the DSSE envelope")
	if err != nil {
		return nil, err
	}
	payloadType, err := text(f, "payloadType", "the envelope")
	if err != nil {
		return nil, err
	}
	if payloadType != PayloadType {
		return nil, fmt.Errorf("%w: payload type %q, not %s", ErrMalformed, short(payloadType), PayloadType)
	}
	payload, err := decoded(f, "payload")
	if err != nil {
		return nil, err
	}
	sig, err := onlySignature(f["signatures"])
	if err != nil {
		return nil, err
	}
	return &Envelope{item: item, payload: payload, sig: sig, signed: message{raw: dsse.PAE(payloadType, payload)}}, nil
}

// onlySignature reads the only signature of an envelope. Its keyid is a hint that is not even looked at.
func onlySignature(raw json.RawMessage) ([]byte, error) {
	var list []json.RawMessage
	if raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%w: signatures of the envelope is no list", ErrMalformed)
		}
	}
	switch len(list) {
	case 0:
		return nil, fmt.Errorf("%w: the envelope has no signature", ErrUnsigned)
	case 1:
	default:
		return nil, fmt.Errorf("%w: the envelope has %d signatures, exactly one is read", ErrUnsupported, len(list))
	}
	f, err := fields(list[0], "the signature")
	if err != nil {
		return nil, err
	}
	return decoded(f, "sig")
}

// decoded reads a base64 field. DSSE allows the URL alphabet too.
func decoded(f map[string]json.RawMessage, name string) ([]byte, error) {
	s, err := text(f, name, "the envelope")
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.URLEncoding.DecodeString(s)
	}
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%w: %s of the envelope is no base64", ErrMalformed, name)
	}
	return b, nil
}

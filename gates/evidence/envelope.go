package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
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

	certified bool   // a certificate vouches for the signature, not a bare key
	claim     *claim // of the certificate, once it was asked for
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
	if item.Form == DSSE {
		return newEnvelope(item, item.Raw)
	}
	return openBundle(item)
}

// openBundle finds the DSSE envelope in a Sigstore bundle.
func openBundle(item Item) (*Envelope, error) {
	bundle, err := fields(item.Raw, "the bundle")
	if err != nil {
		return nil, err
	}
	certified, err := vouched(bundle)
	if err != nil {
		return nil, err
	}
	envelope, ok := bundle["dsseEnvelope"]
	if !ok {
		return nil, fmt.Errorf("%w: the bundle has no dsseEnvelope, so it states nothing about an image", ErrUnsupported)
	}
	e, err := newEnvelope(item, envelope)
	if err == nil {
		e.certified = certified
	}
	return e, err
}

// bundleMediaTypes is the media type of a Sigstore bundle up to its version:
// application/vnd.dev.sigstore.bundle.v0.3+json and, before it,
// application/vnd.dev.sigstore.bundle+json;version=0.3.
const bundleMediaTypes = "application/vnd.dev.sigstore.bundle"

// certifiedMediaTypes are the versions that are read of bundles with a certificate.
var certifiedMediaTypes = []string{
	BundleMediaType, bundleMediaTypes + "+json;version=0.3", bundleMediaTypes + "+json;version=0.2", bundleMediaTypes + "+json;version=0.1",
}

// vouched tells whether a certificate vouches for the bundle's signature, or a bare key.
func vouched(bundle map[string]json.RawMessage) (certified bool, err error) {
	mediaType, err := text(bundle, "mediaType", "the bundle")
	if err != nil {
		return false, err
	}
	if !strings.HasPrefix(mediaType, bundleMediaTypes) {
		return false, fmt.Errorf("%w: media type %q is no Sigstore bundle", ErrMalformed, short(mediaType))
	}
	material, err := fields(bundle["verificationMaterial"], "verificationMaterial of the bundle")
	if err != nil {
		return false, err
	}
	_, key := material["publicKey"]
	_, leaf := material["certificate"]
	_, chain := material["x509CertificateChain"]
	switch certified = leaf || chain; {
	case certified && key || leaf && chain:
		return false, fmt.Errorf("%w: the bundle is signed with a certificate (keyless) and with something else at once", ErrMalformed)
	case certified && !slices.Contains(certifiedMediaTypes, mediaType):
		return false, fmt.Errorf("%w: bundle version %q with a certificate; v0.1 to v0.3 are read", ErrUnsupported, short(mediaType))
	case certified:
		return true, nil
	case mediaType != BundleMediaType:
		return false, fmt.Errorf("%w: bundle version %q, only v0.3 is read of bundles with a key", ErrUnsupported, short(mediaType))
	}
	_, err = fields(material["publicKey"], "publicKey of the bundle")
	return false, err
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

package evidence

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
)

// Media types and predicate types; sources in the package documentation.
const (
	BundleMediaType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
	DSSEMediaType    = "application/vnd.dsse.envelope.v1+json" // a layer of cosign v2's .att
	PayloadType      = "application/vnd.in-toto+json"
	StatementType    = "https://in-toto.io/Statement/v1"
	StatementTypeV01 = "https://in-toto.io/Statement/v0.1"

	TestResult = "https://in-toto.io/attestation/test-result/v0.1"
	Vuln       = "https://cosign.sigstore.dev/attestation/vuln/v1"
	OpenVEX    = "https://openvex.dev/ns" // a prefix
	SLSA1      = "https://slsa.dev/provenance/v1"
	SLSA02     = "https://slsa.dev/provenance/v0.2"
	VSA        = "https://slsa.dev/verification_summary/v1"
	SignOff    = "urn:plimsoll:sign-off:v1"
	Promotion  = "urn:plimsoll:promotion:v1"
	Completion = "urn:plimsoll:completion:v1"
	Quarantine = "urn:plimsoll:quarantine:v1"
	Deployment = "urn:plimsoll:deployment:v1" // that an environment runs a digest

	// FinishedOn is the extension field with the time of a test result, which has none of its own.
	FinishedOn = "urn:plimsoll:finished-on"
)

// Form is how a piece of evidence is stored.
type Form string

// The forms.
const (
	Bundle   Form = "bundle"   // a Sigstore bundle, one referrer each (cosign v3)
	DSSE     Form = "dsse"     // a layer of the .att tag (cosign v2)
	BuildKit Form = "buildkit" // an unsigned in-toto statement inside the index
	Other    Form = "other"    // any other referrer: shown, never read

	// SimpleSigning is a layer of the .sig tag (cosign v2). No gate reads it;
	// it may travel to prod if a trusted key made it.
	SimpleSigning Form = "simple-signing"
)

// Item is one piece of evidence as found in a registry. Everything but Raw is
// an untrusted hint.
type Item struct {
	Subject       digest.Digest // what it hangs on: the index or a platform manifest
	Manifest      digest.Digest // the manifest that carries it, for people and records
	Layer         digest.Digest // the blob with Raw
	Form          Form
	ArtifactType  string
	PredicateType string // as annotated
	Raw           []byte // bundle, envelope or statement; nil if it was not read
	Signature     string // of the form SimpleSigning: the layer's annotation SignatureAnnotation
	Problem       string // why it could not be read; then it is an error, never a pass
}

// Subject is what a statement is about.
type Subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

// Statement is an in-toto statement (https://github.com/in-toto/attestation/tree/main/spec/v1).
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Verified is an item whose signature one of the asked keys or workflows made, with its parsed statement.
type Verified struct {
	Item
	Statement Statement
	Key       config.Key // zero for a certificate
	Person    string     // the id that trust gives the key, "" for a plain key and for a workflow
	Identity  string     // the certificate's subject alternative name, "" for a key
	Group     string     // the signer group that vouched
	Logged    time.Time  // the earliest verified log or timestamp entry; zero without one
}

// Why a piece of evidence counts for nothing. A gate names the reason; none is ever a pass.
var (
	ErrUnsigned     = errors.New("unsigned")
	ErrWrongSigner  = errors.New("wrong signer")
	ErrExpiredKey   = errors.New("expired key")
	ErrWrongSubject = errors.New("wrong subject")
	ErrMalformed    = errors.New("malformed")
	ErrUnsupported  = errors.New("not verifiable here") // several signatures, other versions
	ErrUnreadable   = errors.New("cannot be read")      // it, or what it is checked against, could not be fetched: never a pass, and it blocks
)

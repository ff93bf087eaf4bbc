package evidence

import (
	"encoding/json"
	"time"

	"github.com/opencontainers/go-digest"
)

// Pointer names a digest, or nothing; in JSON {"digest": null}.
type Pointer struct {
	Digest digest.Digest
}

// MarshalJSON writes null for no digest.
func (p Pointer) MarshalJSON() ([]byte, error) {
	var d *digest.Digest
	if p.Digest != "" {
		d = &p.Digest
	}
	return json.Marshal(struct { //nolint:wrapcheck // it cannot fail
		Digest *digest.Digest `json:"digest"`
	}{d})
}

// UnmarshalJSON reads what MarshalJSON writes. A digest that is none is refused.
func (p *Pointer) UnmarshalJSON(raw []byte) error {
	var v struct {
		Digest *digest.Digest `json:"digest"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err //nolint:wrapcheck // encoding/json names the place
	}
	p.Digest = ""
	if v.Digest == nil {
		return nil
	}
	if err := v.Digest.Validate(); err != nil {
		return err //nolint:wrapcheck // encoding/json names the place
	}
	p.Digest = *v.Digest
	return nil
}

// Identity names a person or a pipeline.
type Identity struct {
	ID string `json:"id"`
}

// The decisions of a sign-off.
const (
	Approved = "APPROVED"
	Rejected = "REJECTED"
	Revoked  = "REVOKED"
)

// SignOffPredicate is a person's decision about a candidate, against one prod
// digest and one policy.
type SignOffPredicate struct {
	Decision  string    `json:"decision"` // Approved, Rejected, Revoked
	Reviewer  Identity  `json:"reviewer"`
	Service   string    `json:"service"`
	From      string    `json:"from"` // staging repository, host/path
	To        string    `json:"to"`   // prod repository and channel, host/path:channel
	Prod      Pointer   `json:"prod"` // what the channel pointed at; null for none
	Policy    Pointer   `json:"policy"`
	Comment   string    `json:"comment"`
	DecidedOn time.Time `json:"decidedOn"`
	ExpiresOn time.Time `json:"expiresOn,omitzero"` // zero: with the gate's max-age only
}

// Place is a digest in a repository.
type Place struct {
	URI    string        `json:"uri"` // host/path
	Digest digest.Digest `json:"digest"`
	Tags   []string      `json:"tags,omitempty"`
}

// PassedGate is one check of a promotion's verdict.
type PassedGate struct {
	Gate     string    `json:"gate"`
	Status   string    `json:"status"`
	Evidence []Pointer `json:"evidence"` // manifests
}

// Tool is the program that made a statement.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// PromotionPredicate is a record: the account of one promotion, rollback or adoption.
type PromotionPredicate struct {
	Action         string       `json:"action"` // promote, rollback, adopt
	Number         int          `json:"number"`
	Service        string       `json:"service"`
	Channel        string       `json:"channel"`
	From           Place        `json:"from"`
	To             Place        `json:"to"`
	Previous       Pointer      `json:"previous"`       // what the channel pointed at before
	PreviousRecord Pointer      `json:"previousRecord"` // manifest of the record before
	Policy         Pointer      `json:"policy"`
	Actor          Identity     `json:"actor"`
	RequestedBy    []Identity   `json:"requestedBy,omitempty"` // who asked the actor, a pipeline; the actor's word
	Reason         string       `json:"reason"`
	Gates          []PassedGate `json:"gates"`
	Overrides      []string     `json:"overrides"`   // gates that the actor went past
	Quarantines    []Pointer    `json:"quarantines"` // image digests that the action quarantines
	StartedOn      time.Time    `json:"startedOn"`
	FinishedOn     time.Time    `json:"finishedOn,omitzero"` // set: the record is complete by itself
	Seconds        float64      `json:"seconds"`
	Tool           Tool         `json:"tool"`
	Operation      string       `json:"operation,omitempty"` // id in the journal of the machine that asked for it
	AuditHead      string       `json:"auditHead,omitempty"` // hash of the newest entry of that machine's audit chain, hex
	// Identity is who wrote to prod's registry; nil: the registry did not say.
	Identity *Principal `json:"identity,omitempty"`
}

// Principal is an identity of a registry, in the words of the registry or its cloud.
type Principal struct {
	Registry  string    `json:"registry"` // host
	Subject   string    `json:"subject"`
	ExpiresOn time.Time `json:"expiresOn,omitzero"` // when its credential ends; zero: unknown, or never
}

// CompletionPredicate completes a record that was written ahead of the move,
// or says that it was abandoned.
type CompletionPredicate struct {
	Record     Pointer   `json:"record"` // manifest of the record
	Service    string    `json:"service"`
	Channel    string    `json:"channel"`
	Number     int       `json:"number"`
	Outcome    string    `json:"outcome"`  // done, abandoned
	Delivery   string    `json:"delivery"` // what became of the delivery, in words
	Reason     string    `json:"reason"`   // why it was abandoned
	Actor      Identity  `json:"actor"`
	FinishedOn time.Time `json:"finishedOn"`
	Seconds    float64   `json:"seconds"`
	Tool       Tool      `json:"tool"`
}

// The outcomes of a completion.
const (
	OutcomeDone      = "done"
	OutcomeAbandoned = "abandoned"
)

// QuarantinePredicate says that a digest must not be promoted, or, with Lifts, that it may be again.
type QuarantinePredicate struct {
	Digest    digest.Digest   `json:"digest"`
	Platforms []digest.Digest `json:"platforms"` // its platform manifests, blocked too
	Prod      string          `json:"prod"`      // the repository that it counts for, host/path
	Reason    string          `json:"reason"`
	Actor     Identity        `json:"actor"`
	DecidedOn time.Time       `json:"decidedOn"`
	Lifts     Pointer         `json:"lifts"` // manifest of the quarantine that ends; null in a quarantine
}

// Policy is the predicate type of a policy that is written down in the ledger.
const Policy = "urn:plimsoll:policy:v1"

// Used is the decision of a policy statement by which a promotion writes down
// what it was judged by. It approves nothing; Approved does, by an owner.
const Used = "USED"

// PolicyPredicate holds the policy of a service as a document.
type PolicyPredicate struct {
	Policy    json.RawMessage `json:"policy"` // the document; in canonical form (RFC 8785) its SHA-256 is Digest
	Digest    digest.Digest   `json:"digest"`
	Service   string          `json:"service"`
	Decision  string          `json:"decision"` // Approved, Used
	Previous  []digest.Digest `json:"previous"` // manifests of the approvals that this one follows; empty for the first
	Actor     Identity        `json:"actor"`
	DecidedOn time.Time       `json:"decidedOn"`
}

// DeploymentPredicate says that an environment runs the digest: what a soak gate
// with signers reads, for whoever sees staging without this machine.
type DeploymentPredicate struct {
	Environment string    `json:"environment"`       // staging
	Channel     string    `json:"channel,omitempty"` // the tag that the environment follows
	DeployedOn  time.Time `json:"deployedOn"`        // since when
}

// VSAPredicate is a SLSA verification summary
// (https://slsa.dev/spec/v1.1/verification_summary), for other tools to enforce.
type VSAPredicate struct {
	Verifier           Identity         `json:"verifier"` // id: https://…
	TimeVerified       time.Time        `json:"timeVerified"`
	ResourceURI        string           `json:"resourceUri"` // pkg:oci/… or host/path@digest
	Policy             ResourceDigest   `json:"policy"`
	InputAttestations  []ResourceDigest `json:"inputAttestations"`
	VerificationResult string           `json:"verificationResult"` // PASSED, FAILED
	VerifiedLevels     []string         `json:"verifiedLevels"`
	SLSAVersion        string           `json:"slsaVersion,omitempty"`
}

// ResourceDigest is a SLSA ResourceDescriptor: a name with digests by algorithm, in hex.
type ResourceDigest struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

package gates

import (
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
)

// Status is the answer of one gate.
type Status string

// The statuses of a check.
const (
	Pass        Status = "pass"
	Fail        Status = "fail"
	Missing     Status = "missing"      // no evidence that counts
	Stale       Status = "stale"        // too old, without signed time, or about another prod or policy
	Needed      Status = "needed"       // a sign-off is asked for
	Waiting     Status = "waiting"      // time has to pass
	Waived      Status = "waived"       // overridden, with a reason
	NotRequired Status = "not-required" // the rule does not ask for it here
	Off         Status = "off"          // switched off in the configuration
	Error       Status = "error"        // it could not be told; blocks
)

// Passes tells whether the status lets a candidate through.
func (s Status) Passes() bool {
	return s == Pass || s == Waived || s == NotRequired || s == Off
}

// Names of the built-in gates, in the order in which checks are shown.
const (
	E2E           = "e2e"
	Scan          = "scan"
	BaseImage     = "base-image"
	Provenance    = "provenance"
	SignOff       = "sign-off"
	Soak          = "soak"
	FreezeGate    = "freeze"
	PolicyGate    = "policy"
	QuarantineOut = "quarantine"
)

// Check is what one gate says about one candidate.
type Check struct {
	Gate     string          `json:"gate"`
	Status   Status          `json:"status"`
	Summary  string          `json:"summary"` // one line, such as "48/48" or "0C 0H 3M"
	Reasons  []string        `json:"reasons"` // in full; never nil
	Evidence []digest.Digest `json:"evidence"`
}

// State is the verdict in one word.
type State string

// The verdicts, in order of precedence.
const (
	Quarantined State = "quarantined"
	InProd      State = "in-prod"
	Blocked     State = "blocked"
	Ready       State = "ready"
)

// Verdict is all checks of a candidate together.
type Verdict struct {
	State     State
	Checks    []Check
	Negatives []Negative // every negative that this evaluation saw, to be remembered
}

// Platform is one image of an index.
type Platform struct {
	Name   string        // os/arch or os/arch/variant
	Digest digest.Digest // its manifest
}

// Negative is a failed result, a rejection or a revocation that was seen. It
// is remembered by the store, so that removing it from the registry never unblocks.
type Negative struct {
	Gate     string        `json:"gate"`
	Subject  digest.Digest `json:"subject"`  // the candidate
	Evidence digest.Digest `json:"evidence"` // manifest of the statement; of a source's answer, a digest of the answer
	Key      string        `json:"key"`      // suite, platform or reviewer that it belongs to; of a source's answer it names the source
	At       time.Time     `json:"at"`       // its signed time; zero without one; when a source's answer finished, else was asked
	Reason   string        `json:"reason"`
}

// Input is everything that a verdict depends on. Evaluate is a pure function of it.
type Input struct {
	Now           time.Time
	Service       string
	Candidate     digest.Digest
	Platforms     []Platform    // of the candidate; one for an image without index
	Prod          digest.Digest // "" for none
	Evidence      []evidence.Item
	Listing       error // evidence could not be listed: every gate that reads it is error
	Negatives     []Negative
	Quarantined   string     // why it must not be promoted, "" if it may
	QuarantineErr error      // quarantines could not be read: blocks
	Promoter      string     // id of who promotes, "" if unknown
	Requesters    []string   // ids of who asked a pipeline, the Promoter, to promote: they promote, too
	Bigger        []string   // which bigger-change rules fired against prod, in words
	BiggerErr     error      // the change could not be told: a sign-off is needed
	Answers       []Answer   // of sources outside the registry, in any order
	Bases         []BaseDate // of what BasesToDate names, in any order
	Staged        Staged
	Facts         Facts
	Standing      Standing   // of the policy itself
	Overrides     []Override // what the promoter asks to go past
}

// AnswerState is what a source says.
type AnswerState string

// The states of an answer.
const (
	Passed  AnswerState = "passed"
	Failed  AnswerState = "failed"
	Running AnswerState = "running"
	Absent  AnswerState = "absent" // the source answers, and knows nothing of it
)

// Answer is what a source outside the registry says about a candidate. It is
// not signed: what vouches for it is who configured the source, and TLS.
type Answer struct {
	Source   string // its name in the configuration
	Kind     string // github, azure-pipelines, http, command, …
	Key      string // the suite or check that it is about; "" for the source as a whole
	State    AnswerState
	Passed   int // tests; Total 0: not counted
	Failed   int
	Total    int
	Failures []string         // names of what failed
	Findings []report.Finding // of a scanner
	Scanner  bool             // Findings says what a scanner found; else it says nothing
	Finished time.Time        // zero: not said
	Link     string           // http(s), for people
	About    string           // the revision or digest that it was asked about; another digest than the candidate's or a platform's is an error
	Asked    time.Time        // when; an older one is a kept answer
	Err      error            // it could not answer: the gate is an error
}

// Staged says since when the candidate is what staging runs.
type Staged struct {
	Since time.Time // zero: never seen there
	Now   bool      // it still is
	Err   error
}

// Facts are what custom expressions may look at, as JSON values; config/expr
// has the fields. What is not known is left out: an expression that needs it is
// an error, never a pass.
type Facts struct {
	Image     map[string]any  // repository, digest, tags, created, sizeBytes, platforms, revision, version, labels
	Platforms []PlatformFacts // every platform of the image: an expression must hold for each
	Diff      map[string]any  // what `plimsoll diff -o json` says against prod; nil: it could not be told
	Err       error           // none of it could be read
}

// PlatformFacts are those of one platform of the image.
type PlatformFacts struct {
	Name   string         // os/arch or os/arch/variant
	Config map[string]any // image.config: user, entrypoint, cmd, env, exposedPorts, workingDir, volumes, stopSignal, labels
}

// Standing says whether somebody who may has signed the policy that decides here.
type Standing struct {
	Required   bool     // trust has policy-owners
	Signed     bool     // this very policy is signed by one of them
	By         string   // who, the newest
	Difference []string // from the newest signed policy to this one, line by line
	Err        error    // it could not be told
}

// Override is a gate that the promoter asks to go past, with the reason.
type Override struct {
	Gate   string
	Reason string
}

// Policy is what decides for one service: its gates, who is trusted, records.
type Policy struct {
	Service config.Service
	Trust   map[string]config.Group
	Sources map[string]config.Source
	Root    config.TrustRoot
}

package config

import (
	"crypto"
	"regexp"
	"time"
)

// Config is a validated configuration: the team's file with the person's on top.
// It is read once at start and never changed; safe for concurrent use.
type Config struct {
	Path string // the team's file, absolute
	Dir  string // its directory; relative paths are relative to it
	// Found is true if the file was found here or in a parent, not named: then it
	// runs no command and sends no credential until its Hash was accepted.
	Found bool
	Hash  string // SHA-256 of the team's file, hex

	Registries map[string]Registry // by host, as written
	Signing    Signing
	Trust      map[string]Group
	TrustRoot  TrustRoot         // what keyless signatures are checked against
	Sources    map[string]Source // evidence that is not in the registry, by name
	Services   []Service         // in the order of the file
	UI         UI
}

// PolicyOwners is the signer group that, if it is in trust, must have signed a policy for it to count.
const PolicyOwners = "policy-owners"

// TrustRoot says where the certificate authorities and logs of keyless
// signatures come from. Raw is read from File by Load; with TUF it is filled by
// whoever fetches it. The zero value is the public good instance of Sigstore, by TUF.
type TrustRoot struct {
	File string // as written: a trusted_root.json
	TUF  string // URL of a TUF repository; "" with no File: Sigstore's own
	Init []byte // the root.json that TUF starts from; nil: the one built in for Sigstore's own
	Raw  []byte // trusted_root.json; nil: not there (yet)
	// Problem says why Raw is not there; evidence that needs it is then unreadable, never passed over.
	Problem string
}

// Registry is how one registry host is reached.
type Registry struct {
	Host           string
	Read           *Identity // nil: anonymous
	Evidence       *Identity // nil: Read's
	Promote        *Identity // nil: Read's, and doctor warns
	Via            *Via
	Import         *Import
	CA             []byte // PEM of an extra certificate authority
	PlainHTTP      bool
	AllowPlainHTTP bool
	AuthHost       string // another host that may get this registry's credential
	Listed         bool   // false: not in the file; docker's credentials, anonymous without
}

// Identity says where a credential comes from. Exactly one form is set. It
// never holds the secret itself.
type Identity struct {
	Docker      bool   // docker's configuration and credential helpers
	Anonymous   bool   // no credential
	Username    string // with PasswordEnv
	PasswordEnv string // the environment variable with the password
	Azure       *AzureIdentity
	AWS         *AWSIdentity
}

// AzureIdentity is an identity of azidentity.
type AzureIdentity struct {
	Method string // cli, azd, device-code, workload-identity, managed-identity, azure-pipelines, environment
	Tenant string
}

// AWSIdentity is an identity of the AWS SDK.
type AWSIdentity struct {
	Profile string
	Role    string
}

// Via is a pipeline that promotes under its own identity.
type Via struct {
	GitHub *GitHubWorkflow
	Azure  *AzurePipeline
}

// GitHubWorkflow names a workflow that can be dispatched.
type GitHubWorkflow struct{ Repository, Workflow string }

// AzurePipeline names an Azure Pipelines definition.
type AzurePipeline struct{ Organization, Project, Pipeline string }

// Import is what a server-side copy by ARM needs.
type Import struct {
	Subscription, ResourceGroup string
	Source                      ImportSource
}

// ImportSource is the registry that ARM imports from.
type ImportSource struct{ Subscription, ResourceGroup string }

// Signing names the person's key.
type Signing struct {
	Key string // a cosign key file (absolute), or azurekms://…, awskms://…; "" without one
}

// Group is a signer group: who may say something.
type Group struct {
	Name     string
	Keys     []Key      // members known only by their key
	People   []Person   // members with an id
	Workflow []Workflow // keyless members
	// Root is the trusted_root.json that the keyless members are checked
	// against; RootProblem says why there is none.
	Root        []byte
	RootProblem string
}

// Key is one public key.
type Key struct {
	Path      string // as written; a file, or azurekms://…, awskms://…
	PEM       []byte
	SPKI      []byte // DER of the SubjectPublicKeyInfo; what the policy digest covers
	Public    crypto.PublicKey
	NotBefore time.Time // zero: always
	NotAfter  time.Time // zero: for ever
	// Problem says why the public key of a key service is not known; then PEM,
	// SPKI and Public are nil, and evidence that may be its is unreadable.
	Problem string
}

// Is tells whether public is this key.
func (k Key) Is(public crypto.PublicKey) bool {
	have, ok := k.Public.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && have.Equal(public)
}

// Counts tells whether the key is valid at a time.
func (k Key) Counts(at time.Time) bool {
	return (k.NotBefore.IsZero() || !at.Before(k.NotBefore)) && (k.NotAfter.IsZero() || !at.After(k.NotAfter))
}

// Members are all keys of the group, each with who it stands for: people
// first, then keys without an id.
func (g Group) Members() []Person {
	members := make([]Person, 0, len(g.People)+len(g.Keys))
	members = append(members, g.People...)
	for _, k := range g.Keys {
		members = append(members, Person{Key: k})
	}
	return members
}

// Person is somebody with an id and a key; quorum and not-by count ids.
type Person struct {
	ID  string
	Key Key
}

// Workflow is a keyless identity: exact, or by a pattern that matches it whole. Exactly one is set.
type Workflow struct {
	Issuer   string
	Identity string
	Pattern  *regexp.Regexp // anchored at both ends
}

// Service is what is released, with its effective gates.
type Service struct {
	Name      string
	Staging   string // host/path
	Prod      string // host/path
	Ledger    string // host/path; <prod>-ledger by default
	Channel   string // live by default
	Platforms []string
	Tags      *regexp.Regexp // which tags are candidates; nil: all
	Limit     int            // digests, 50 by default
	Deliver   Deliver
	Gates     Gates    // defaults, with the service's own entries in place of them
	Records   []string // signer groups of records and quarantines
	Overrides []Override
	Copy      CopyRule
	Window    time.Duration // retention window
}

// CopyRule says which referrers travel to prod.
type CopyRule string

// The copy rules.
const (
	CopyTrusted CopyRule = "trusted"
	CopyUsed    CopyRule = "used"
	CopyAll     CopyRule = "all"
)

// Deliver says how prod learns of a new channel digest. Exactly one is set.
type Deliver struct {
	Tag     bool
	Command []string // argv; each element a text/template over Reference, Digest, Service, Channel, Previous
	Git     *GitDelivery
}

// GitDelivery is a commit in a manifest repository.
type GitDelivery struct{ Repository, Branch, Path string }

// Gates are the rules of one service. A nil gate is not configured
// (not-required); Off lists those switched off in words, shown everywhere.
type Gates struct {
	E2E        *E2EGate
	Scan       *ScanGate
	BaseImage  *BaseImageGate
	Provenance *ProvenanceGate
	SignOff    *SignOffGate
	Freeze     []Freeze
	Soak       *Soak
	Custom     []CustomGate
	Off        []string
}

// E2EGate asks for passed test results: signed ones, or answers of sources.
// Signers or Sources is not empty; with both, every required suite needs a pass
// from either, and a failure of either blocks.
type E2EGate struct {
	Signers []string
	Sources []string      // names in Config.Sources
	MaxAge  time.Duration // 0: no limit
	Suites  []string      // every one must have passed; empty: at least one suite
}

// Severity is how bad a vulnerability is.
type Severity int

// The severities, rising.
const (
	Unknown Severity = iota
	Negligible
	Low
	Medium
	High
	Critical
)

// ScanGate asks for a vulnerability scan.
type ScanGate struct {
	Signers     []string
	Sources     []string // scanners outside the registry's evidence; Signers or Sources is not empty
	VEX         []string // signer groups whose OpenVEX counts; empty: Signers
	MaxSeverity Severity // the worst that still passes
	MaxAge      time.Duration
	Allow       []Allow
}

// Allow lets one vulnerability pass for a while.
type Allow struct {
	ID     string
	Until  time.Time // passes before it
	Reason string
}

// BaseImageGate asks for base images that are pinned by digest.
type BaseImageGate struct {
	Signers      []string
	Pinned       bool          // required
	Repositories []string      // allowed ones as patterns of path.Match over host/path, "**" at the end for all below; empty: any
	MaxAge       time.Duration // since the build took them, by the provenance's signed time; 0: no limit
}

// ProvenanceGate asks where and by whom an image was built.
type ProvenanceGate struct {
	Signers  []string
	Source   string   // repository URL, compared without scheme, ".git" and a closing slash
	Branches []string // patterns of path.Match over the branch or tag name; empty: any
	Builders []string // builder ids, exact or ending in "*"; empty: any
	MaxAge   time.Duration
}

// When says when a sign-off is needed.
type When string

// The times.
const (
	Always       When = "always"
	Never        When = "never"
	BiggerChange When = "bigger-change"
)

// SignOffGate asks people.
type SignOffGate struct {
	Signers     []string
	Quorum      int // 1 by default
	When        When
	Bigger      Bigger // what makes a change bigger
	NotPromoter bool   // not-by: [promoter]
	MaxAge      time.Duration
}

// BiggerRule is one thing that makes a change bigger than an ordinary one.
type BiggerRule string

// The rules.
const (
	BiggerBaseImage  BiggerRule = "base-image" // another base image
	BiggerEcosystem  BiggerRule = "ecosystem"  // packages of an ecosystem that prod has none of
	BiggerUser       BiggerRule = "user"
	BiggerEntrypoint BiggerRule = "entrypoint"
	BiggerPorts      BiggerRule = "ports"
	BiggerEnv        BiggerRule = "env" // names of environment variables
	BiggerPlatforms  BiggerRule = "platforms"
	BiggerMajor      BiggerRule = "major"    // another major version, by semver of the tags or labels
	BiggerSeverity   BiggerRule = "severity" // a vulnerability above max-severity that prod does not have
)

// Bigger says what makes a change bigger. The zero value is not valid; see DefaultBigger.
type Bigger struct {
	Rules  []BiggerRule
	Size   float64 // per cent that the compressed size may change; 0: not looked at
	Layers float64 // per cent of the layer bytes that may be new; 0: not looked at
}

// DefaultBigger is what makes a change bigger where the configuration does not say.
func DefaultBigger() Bigger {
	return Bigger{
		Rules: []BiggerRule{
			BiggerBaseImage, BiggerEcosystem, BiggerUser, BiggerEntrypoint, BiggerPorts, BiggerEnv, BiggerPlatforms, BiggerMajor, BiggerSeverity,
		},
		Size: 25, Layers: 50,
	}
}

// Freeze is a window in which nothing is promoted: once (From, To), or
// recurring (Cron, For, Zone).
type Freeze struct {
	From, To time.Time
	Cron     string         // five fields: when it begins, in Zone
	For      time.Duration  // how long it lasts
	Zone     *time.Location // nil: UTC
	Reason   string
}

// Soak is the least time in staging.
type Soak struct {
	Min     time.Duration
	Channel string   // the tag of the staging repository that staging follows
	Signers []string // whose statements that staging runs a digest count, beside what this machine saw; may be empty
}

// CustomGate is an expression in CEL that must be true.
type CustomGate struct {
	Name, Expr string
	Message    string // for people, if it is not; "" for none
	Line, At   int    // where Expr stands in the file, from 1
}

// Override lets people go past gates with a reason.
type Override struct {
	Gates []string // names of gates, custom ones included
	By    []string // signer groups with people
}

// Source is a place outside the registry that says something about a
// candidate. Exactly one of the forms is set.
type Source struct {
	Name      string
	GitHub    *GitHubSource
	Pipelines *PipelinesSource
	HTTP      *HTTPSource
	Command   []string      // argv, templates over Service, Digest, Revision, Staging; JSON on its standard output
	Timeout   time.Duration // 10 s by default
	Keep      time.Duration // how long an answer may be shown again; 1 m by default; a promotion always asks
}

// GitHubSource reads the check runs and statuses of the candidate's revision.
type GitHubSource struct {
	API        string   // https://api.github.com by default
	Repository string   // owner/name
	Checks     []string // names of check runs and status contexts that must have passed; empty: every one
	TokenEnv   string   // the environment variable with a token
	CLI        bool     // ask gh auth token
}

// PipelinesSource reads the builds of the candidate's revision in Azure Pipelines, and their test runs.
type PipelinesSource struct {
	URL      string // of the organization: https://dev.azure.com/acme
	Project  string
	Pipeline string // name or number of the definition
	TokenEnv string // the environment variable with a personal access token or System.AccessToken
	CLI      bool   // ask az account get-access-token
}

// HTTPSource asks any endpoint and takes its JSON apart.
type HTTPSource struct {
	URL       string   // a template over Service, Digest, Revision, Staging, each escaped for a URL
	TokenEnv  string   // the environment variable with a bearer token; "" for none
	Header    string   // the header that carries the token; Authorization by default
	State     string   // JSONPath (RFC 9535) of the state
	Passed    []string // values of the state that mean passed; others: see Running
	Running   []string // values that mean not finished
	Count     string   // JSONPath of the number of tests that passed; "" for none
	Total     string   // JSONPath of the number of all tests
	Time      string   // JSONPath of when it finished, RFC 3339 or seconds since 1970
	Link      string   // JSONPath of a page for people
	CA        []byte   // PEM of an extra certificate authority
	PlainHTTP bool     // loopback only
}

// UI is what a person likes.
type UI struct {
	Theme string            // auto, dark, light, plain
	Keys  map[string]string // action → key
}

// Service returns the service of that name.
func (c *Config) Service(name string) (Service, bool) {
	for _, s := range c.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// Registry returns the entry of host; an unlisted host is read with docker's credentials.
func (c *Config) Registry(host string) Registry {
	if r, ok := c.Registries[host]; ok {
		return r
	}
	return Registry{Host: host, Read: &Identity{Docker: true}}
}

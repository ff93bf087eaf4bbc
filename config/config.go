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
	Services   []Service // in the order of the file
	UI         UI
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
}

// Key is one public key.
type Key struct {
	Path      string // as written
	PEM       []byte
	SPKI      []byte // DER of the SubjectPublicKeyInfo; what the policy digest covers
	Public    crypto.PublicKey
	NotBefore time.Time // zero: always
	NotAfter  time.Time // zero: for ever
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

// Workflow is a keyless identity.
type Workflow struct{ Issuer, Identity string }

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
	E2E       *E2EGate
	Scan      *ScanGate
	BaseImage *BaseImageGate
	SignOff   *SignOffGate
	Freeze    []Freeze
	Soak      *Soak
	Custom    []CustomGate
	Off       []string
}

// E2EGate asks for passed test results.
type E2EGate struct {
	Signers []string
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
	Signers []string
	Pinned  bool // required
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
	NotPromoter bool // not-by: [promoter]
	MaxAge      time.Duration
}

// Freeze is a window in which nothing is promoted.
type Freeze struct {
	From, To time.Time
	Reason   string
}

// Soak is the least time in staging.
type Soak struct{ Min time.Duration }

// CustomGate is an expression.
type CustomGate struct{ Name, Expr string }

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

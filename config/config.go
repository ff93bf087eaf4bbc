package config

import (
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
	// Text is what plimsoll trust shows and a person accepts: the team's file as it
	// was read, and below it the SHA-256 of every file that it names (public keys,
	// certificate authorities, roots of trust, scripts beside it).
	Text []byte
	Hash string // SHA-256 of Text, hex

	Registries map[string]Registry // by host, as written
	Signing    Signing
	Trust      map[string]Group
	TrustRoot  TrustRoot         // what keyless signatures are checked against
	Sources    map[string]Source // evidence that is not in the registry, by name
	Services   []Service         // in the order of the file
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
	Client         *ClientCertificate
	Harbor         bool // it has Harbor's own API
	PlainHTTP      bool
	AllowPlainHTTP bool
	AuthHost       string // another host that may get this registry's credential
	AzureCloud     string // public, china or government; "": by the host's name
	Listed         bool   // false: not in the file; docker's credentials, anonymous without
}

// ClientCertificate is what the client shows in TLS, to the registry's own host
// only. The files are read when it is asked for.
type ClientCertificate struct {
	Certificate string // absolute path of a PEM file, with its chain
	Key         string // absolute path of a PEM file, without password
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
	Method   string   // cli, azd, device-code, workload-identity, managed-identity, azure-pipelines, environment
	Others   []string // methods that are tried in this order where Method gives no token
	Tenant   string
	ClientID string // of the application or the user-assigned managed identity; "": the environment's or the method's own
}

// Methods are all methods in the order in which they are tried.
func (a *AzureIdentity) Methods() []string { return append([]string{a.Method}, a.Others...) }

// AWSIdentity is an identity of the AWS SDK.
type AWSIdentity struct {
	Profile string
	Role    string
}

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
	Running   *Running // how to learn what prod runs; nil: it is not known
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

// Running says how to learn what prod runs: what answers names digests. Exactly one is set.
type Running struct {
	Command []string // argv
	URL     string
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

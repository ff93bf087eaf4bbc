package config

import "time"

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
	MaxBaseAge   time.Duration // since they were made, by their own configurations; only with Repositories; 0: no limit, and their registries are not asked
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

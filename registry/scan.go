package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
)

// Scanner knows what the registry's own scanner found.
type Scanner interface {
	// Scan is the newest scan of one image. Registries scan what runs: of an index
	// the caller asks for the image of each platform. A scan that failed or cannot be
	// made has ErrUnscanned in its chain, with what to do; an identity that has no way
	// to ask gets ErrUnsupported.
	Scan(ctx context.Context, repo Repository, dg digest.Digest) (Scan, error)
}

// Scan is what a registry says of one image. It is not signed.
type Scan struct {
	State    ScanState
	Finished time.Time // of the scan; zero if the registry does not say
	Findings []Finding // in the registry's order
}

// ScanState says whether there are findings.
type ScanState string

// The states of a scan.
const (
	Scanned  ScanState = "scanned"  // Findings is all of them, none included
	Scanning ScanState = "scanning" // it has begun, or waits for its turn
	NoScan   ScanState = "none"     // nobody scanned the image
)

// Finding is one vulnerability of one package, in the words of the registry,
// cleaned.
type Finding struct {
	ID       string
	Aliases  []string // other names of the same
	Package  string
	Version  string
	Fixed    string // the version that fixes it, "" for none
	Severity string
	Title    string
	URL      string // may be anything: who shows it looks first
}

// MaxFindings is how many vulnerabilities of one image are read; more is an error.
const MaxFindings = 50_000

// ErrUnscanned is in the chain of an error about an image that the registry's
// scanner could not look at: another image may be better.
var ErrUnscanned = errors.New("not scanned")

// Scan asks the registry for its own scan of an image. A host without a
// provider that can has ErrUnsupported in the chain of the error.
func (c *Client) Scan(ctx context.Context, repo Repository, dg digest.Digest) (Scan, error) {
	if err := repo.check(); err != nil {
		return Scan{}, err
	}
	p, ok := provided[Scanner](c, repo.Host)
	if !ok {
		return Scan{}, fault.New(fault.Usage, "Amazon ECR is known by its host name, a Harbor by harbor: true under registries → "+repo.Host, ErrUnsupported,
			"%s is no registry whose scans can be read", repo.Host)
	}
	s, err := p.Scan(ctx, repo, dg)
	if err != nil {
		return Scan{}, fmt.Errorf("the scan of %s: %w", repo.At(dg), err)
	}
	if len(s.Findings) > MaxFindings {
		return Scan{}, fmt.Errorf("the scan of %s has %d vulnerabilities, more than the %d that are read: %w", repo.At(dg), len(s.Findings), MaxFindings, ErrLimit)
	}
	return s, nil
}

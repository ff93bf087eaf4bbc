package release

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/report"
	"plimsoll/registry"
)

// statement is what is to be signed.
type statement struct {
	kind      string
	predicate any
	summary   string
	finished  time.Time
}

// stated makes what is to be signed about a digest.
func (d *Desk) stated(ctx context.Context, repo registry.Repository, dg digest.Digest, r AttestRequest) (statement, error) {
	switch r.Gate {
	case gates.E2E:
		return d.tested(r)
	case gates.Scan:
		return d.scannedBy(r)
	case VEX:
		return d.excused(dg, r)
	case gates.Soak:
		return d.deployed(ctx, repo, dg, r)
	}
	return statement{}, fault.New(fault.Usage, "attest e2e, scan, vex or soak; approve signs off, a builder attests provenance", nil,
		"nothing that attest signs is evidence for the gate %q", clean.Text(r.Gate))
}

func (d *Desk) tested(r AttestRequest) (statement, error) {
	t, err := report.ReadTestFile(r.Result)
	if err != nil {
		return statement{}, fault.New(fault.Usage, "give JUnit XML or the output of go test -json", err, "read the test results")
	}
	suite := cmp.Or(r.Suite, t.Suite)
	if suite == "" {
		return statement{}, fault.New(fault.Usage, "name it with --suite", nil, "the test results do not say which suite they are of")
	}
	at := d.finished(r, t.Finished)
	return statement{evidence.TestResult, report.TestPredicate(t, suite, r.URL, at, r.Result), suite + " " + t.String(), at}, nil
}

func (d *Desk) scannedBy(r AttestRequest) (statement, error) {
	s, err := report.ReadScanFile(r.Result)
	if err != nil {
		return statement{}, fault.New(fault.Usage, "give the JSON of Trivy, Grype, SARIF or CycloneDX", err, "read the scan report")
	}
	at := d.finished(r, s.Finished)
	return statement{evidence.Vuln, report.VulnPredicate(s, r.URL, at), fmt.Sprint(report.Count(s.Findings)), at}, nil
}

// excused is an OpenVEX document. Its time is its own: which of two is the later
// one must not depend on who signs them when.
func (d *Desk) excused(dg digest.Digest, r AttestRequest) (statement, error) {
	if !r.Finished.IsZero() {
		return statement{}, fault.New(fault.Usage, "set timestamp in the document", nil, "an OpenVEX document says itself when it was written")
	}
	v, err := gates.ReadVEX(r.Result, dg, d.Now())
	if err != nil {
		return statement{}, fault.New(fault.Usage, "give an OpenVEX document in JSON about this image, such as of vexctl create", err, "read the OpenVEX document")
	}
	return statement{evidence.OpenVEX, json.RawMessage(r.Result), v.String(), v.At}, nil
}

// staging is the environment that the soak gate asks about.
const staging = "staging"

// deployed says that staging runs the digest: for whoever deploys it there. If
// staging follows a tag, the tag has to be on it.
func (d *Desk) deployed(ctx context.Context, repo registry.Repository, dg digest.Digest, r AttestRequest) (statement, error) {
	channel, err := d.soaks(repo, r.Channel)
	if err != nil {
		return statement{}, err
	}
	at := d.finished(r, time.Time{})
	summary := "runs in staging"
	if channel != "" {
		if err := d.follows(ctx, repo, channel, dg); err != nil {
			return statement{}, err
		}
		summary += ", channel " + channel
	}
	predicate := evidence.DeploymentPredicate{Environment: staging, Channel: channel, DeployedOn: at}
	return statement{evidence.Deployment, predicate, summary, at}, nil
}

// soaks is the channel that a deployment names: the one asked for, else what
// the soak gates of the repository's services ask for.
func (d *Desk) soaks(repo registry.Repository, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	var channels []string
	for _, s := range d.Services() {
		if s.Staging == repo.String() && s.Gates.Soak != nil && !slices.Contains(channels, s.Gates.Soak.Channel) {
			channels = append(channels, s.Gates.Soak.Channel)
		}
	}
	if len(channels) > 1 {
		return "", fault.New(fault.Usage, "name one with --channel", nil, "the soak gates of %s ask for different channels: %s", repo, list(channels))
	}
	return cmp.Or(channels...), nil
}

// follows refuses to say that a channel is on a digest when it is not.
func (d *Desk) follows(ctx context.Context, repo registry.Repository, channel string, dg digest.Digest) error {
	desc, err := d.read().Head(ctx, repo, channel)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return fault.New(fault.Failed, "deploy first: move the tag that staging follows", err, "%s:%s is not there", repo, clean.Text(channel))
	case err != nil:
		return fmt.Errorf("look where staging is: %w", err)
	case desc.Digest != dg:
		return fault.New(fault.Failed, "attest what staging runs, or deploy this first", nil, "%s:%s is at %s, not at %s", repo, clean.Text(channel), desc.Digest, dg)
	}
	return nil
}

// finished is when the run ended: as the caller says, else the file, else now.
func (d *Desk) finished(r AttestRequest, file time.Time) time.Time {
	for _, at := range []time.Time{r.Finished, file} {
		if !at.IsZero() {
			return at.UTC()
		}
	}
	return d.Now().UTC()
}

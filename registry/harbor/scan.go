package harbor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// maxReport is the bytes of a report.
const maxReport = registry.MaxBundle

// Scan reads how far the scan of an image is, and then what it found. Harbor
// keeps the findings of an earlier scan while the next one runs: they are not read.
func (p *provider) Scan(ctx context.Context, repo registry.Repository, dg digest.Digest) (registry.Scan, error) {
	at, err := placeOf(repo)
	if err != nil {
		return registry.Scan{}, err
	}
	header := http.Header{"X-Accept-Vulnerabilities": {Accept}}
	raw, err := p.wire.Do(ctx, p.call(repo, at.artifact(dg.String())+"?with_scan_overview=true&with_tag=false", "the artifact in Harbor", header))
	if err != nil {
		return registry.Scan{}, may(err, "artifact:read")
	}
	state, err := readOverview(raw)
	if err != nil || state != registry.Scanned {
		return registry.Scan{State: state}, err
	}
	call := p.call(repo, at.artifact(dg.String())+"/additions/vulnerabilities", "the report of Harbor", header)
	call.Most = maxReport
	if raw, err = p.wire.Do(ctx, call); err != nil {
		return registry.Scan{}, may(err, "artifact-addition:read")
	}
	scan, err := ReadReport(raw)
	if errors.Is(err, ErrNoReport) || err == nil && scan.State != registry.Scanned {
		return registry.Scan{}, fault.New(fault.Failed, "have it scanned again in Harbor", registry.ErrUnscanned, "Harbor says that the scan is done, and gives no report of it")
	}
	return scan, err
}

// may names the permission of a robot account that a refused question needs.
func may(err error, permission string) error {
	if !refused(err) {
		return err
	}
	return fault.New(fault.Refused, "give the account of this identity the permission "+permission+" in the project", err, "Harbor does not tell this identity")
}

// readOverview is how far the newest scan is.
func readOverview(raw []byte) (registry.ScanState, error) {
	var artifact struct {
		Overview map[string]json.RawMessage `json:"scan_overview"`
	}
	if json.Unmarshal(raw, &artifact) != nil {
		return "", fmt.Errorf("the artifact in Harbor is no JSON of the documented form")
	}
	value, ok := pick(artifact.Overview)
	if !ok {
		return registry.NoScan, nil
	}
	var summary struct {
		Status string `json:"scan_status"`
	}
	if json.Unmarshal(value, &summary) != nil {
		return "", fmt.Errorf("the overview of the scan in Harbor is no JSON of the documented form")
	}
	switch summary.Status {
	case "Success":
		return registry.Scanned, nil
	case "Pending", "Running", "Scheduled":
		return registry.Scanning, nil
	}
	return "", fault.New(fault.Failed, "look at the log of the scan in Harbor, then have the image scanned again", registry.ErrUnscanned,
		"Harbor says that its scan ended as %q", said(summary.Status))
}

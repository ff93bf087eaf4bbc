package sources

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/report"
	"plimsoll/registry"
)

// ownScan asks the staging registry what its own scanner found: with the read
// identity, which a configuration that nobody accepted does not send.
type ownScan struct{ *Sources }

// ask gives one answer for each platform. One that cannot be told is the error
// of the whole source: the others say nothing about it.
func (o ownScan) ask(ctx context.Context, q Question) ([]gates.Answer, error) {
	if !o.Trusted() {
		return nil, ofSource{fault.New(fault.Usage, fault.HintOf(errUntrusted), nil, "its registry was not asked: %s", errUntrusted.Error())}
	}
	repo, err := registry.ParseRepository(q.Staging)
	if err != nil {
		return nil, ofSource{err}
	}
	if o.Scan == nil {
		return nil, ofSource{fmt.Errorf("%s was not asked: there is no way to it", repo.Host)}
	}
	images := q.Images
	if len(images) == 0 {
		images = []gates.Platform{{Digest: q.Digest}}
	}
	out := make([]gates.Answer, len(images))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, p := range images {
		group.Go(func() error {
			scan, err := o.Scan(ctx, repo, p.Digest)
			switch {
			case errors.Is(err, registry.ErrUnscanned) || errors.Is(err, registry.ErrNotFound):
				return fmt.Errorf("%s: %w", named(p), err)
			case err != nil:
				return ofSource{fmt.Errorf("%s: %w", named(p), err)}
			}
			out[i] = answered(p, scan)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // it names platform and repository
	}
	return out, nil
}

// named is a platform for people.
func named(p gates.Platform) string {
	if p.Name == "" {
		return "the image"
	}
	return text(p.Name)
}

// answered is the scan of one platform as an answer.
func answered(p gates.Platform, scan registry.Scan) gates.Answer {
	a := gates.Answer{Key: text(p.Name), About: p.Digest.String(), State: gates.Absent}
	switch scan.State {
	case registry.Scanning:
		a.State = gates.Running
	case registry.Scanned:
		a.State, a.Scanner, a.Finished, a.Findings = gates.Passed, true, scan.Finished, findings(scan.Findings)
	case registry.NoScan:
	}
	return a
}

// findings are those of a registry in the words of the gates.
func findings(found []registry.Finding) []report.Finding {
	out := make([]report.Finding, 0, len(found))
	for _, f := range found {
		out = append(out, report.Finding{
			ID: text(f.ID), Aliases: names(f.Aliases), Package: text(f.Package), Version: text(f.Version), Fixed: text(f.Fixed),
			Severity: severity(f.Severity), Title: text(f.Title), URL: page(f.URL),
		})
	}
	return out
}

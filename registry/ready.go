package registry

import (
	"context"
	"errors"
)

// Readier knows rules of a repository that would refuse a promotion half-way.
type Readier interface {
	// Ready refuses what Needs says and the repository does not allow, with the
	// remedy. A repository that is not there is a refusal with ErrNotFound in its chain;
	// an identity that may not look at the rules gets ErrUnsupported.
	Ready(ctx context.Context, repo Repository, needs Needs) error
}

// Needs are the tags that somebody is about to write.
type Needs struct {
	Moves []string // are written again and again: the channel
	Adds  []string // are written once
	// Lists are written again for each referrer, where the repository keeps them under
	// tags: see Fallback. They are left out where it has the referrers API.
	Lists []string
}

// Ready asks the registry's own interface, where there is one and the identity
// may, whether a promotion can end well. It writes nothing.
func (c *Client) Ready(ctx context.Context, repo Repository, needs Needs) error {
	p, ok := provided[Readier](c, repo.Host)
	if !ok {
		return nil
	}
	if len(needs.Lists) > 0 {
		if api, err := c.HasReferrersAPI(ctx, repo); err == nil && api {
			needs.Lists = nil
		}
	}
	if err := p.Ready(ctx, repo, needs); !errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}

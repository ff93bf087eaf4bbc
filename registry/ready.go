package registry

import (
	"context"
	"errors"
)

// Readier knows rules of a repository that would refuse a promotion half-way.
type Readier interface {
	// Ready refuses what Needs says and the repository does not allow, with the
	// remedy and ErrImmutable in the chain. A repository that is not there is a refusal with ErrNotFound in its chain;
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
	if _, err := c.Rules(ctx, repo, needs); !errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}

// Rules is Ready for who wants to know whether it was told: false where the registry
// has no such interface; an identity that may not look gets an error with
// ErrUnsupported in its chain. A rule that stands in the way has ErrImmutable in the chain.
func (c *Client) Rules(ctx context.Context, repo Repository, needs Needs) (offered bool, err error) {
	p, ok := provided[Readier](c, repo.Host)
	if !ok {
		return false, nil
	}
	if len(needs.Lists) > 0 {
		if api, err := c.HasReferrersAPI(ctx, repo); err == nil && api {
			needs.Lists = nil
		}
	}
	return true, p.Ready(ctx, repo, needs)
}

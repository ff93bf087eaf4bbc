package release

import (
	"context"

	"github.com/opencontainers/go-digest"
)

// Current is the prod digest of a service, nil before the first promotion. It
// is one request: what a person is shown before a rollback.
func (d *Desk) Current(ctx context.Context, service string) (*digest.Digest, error) {
	p, err := d.place(service)
	if err != nil {
		return nil, err
	}
	root, err := d.channelRoot(ctx, p)
	if err != nil || root.Digest == "" {
		return nil, err
	}
	return &root.Digest, nil
}

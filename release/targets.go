package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"plimsoll/registry"
	"plimsoll/release/ledger"
)

const targetsKind = "targets.v1"

// presenceLimit is how many targets are asked whether they are still there.
const presenceLimit = 20

// expiryLimit is how long a registry may take to say how long it keeps images: a
// rollback does not wait for that.
const expiryLimit = 3 * time.Second

// Targets are the digests that prod of a service can be rolled back to, the
// one that was in prod last first: those with a verified record, except what
// the channel points at. The newest are asked whether prod still has them. A
// ledger that cannot be read does not matter if this machine knows some: a
// rollback has to work then.
func (d *Desk) Targets(ctx context.Context, service string) ([]Target, error) {
	p, err := d.place(service)
	if err != nil {
		return nil, err
	}
	root, err := d.channelRoot(ctx, p)
	if err != nil {
		return nil, err
	}
	chain, err := d.chain(ctx, p)
	targets := targetsOf(chain, root.Digest)
	if err != nil && len(targets) == 0 {
		return nil, err
	}
	d.call(p, targets)
	var side sync.WaitGroup
	side.Go(func() { d.expiry(ctx, p, chain, targets) })
	d.presence(ctx, p, targets[:min(presenceLimit, len(targets))])
	side.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("look for the rollback targets of %s: %w", service, err)
	}
	_ = d.Store.PutSnapshot(targetsKind, service, targets) // only a cache
	return targets, nil
}

// call gives targets the names that people know: the tags that they have in
// staging, as the listing saw them last, then those of the record. The channel
// is none: it names what is in prod now, and that is no target.
func (d *Desk) call(p place, targets []Target) {
	known := d.remember(p).Tags
	for i, t := range targets {
		var names []string
		for tag, n := range known {
			if n.Digest == t.Digest {
				names = append(names, tag)
			}
		}
		slices.SortFunc(names, func(a, b string) int { return compareTags(b, a) })
		for _, tag := range t.Tags {
			if tag != p.Channel && !slices.Contains(names, tag) {
				names = append(names, tag)
			}
		}
		targets[i].Tags = names
	}
}

// expiry says when prod's registry deletes the targets by itself, where it tells:
// its rule for release tags counts from the push, which is when a digest first came to prod.
func (d *Desk) expiry(ctx context.Context, p place, chain ledger.Chain, targets []Target) {
	ctx, cancel := context.WithTimeout(ctx, expiryLimit)
	defer cancel()
	kept, ok, err := d.read().Retention(ctx, p.prod)
	if err != nil || !ok || !kept.Known || kept.Released <= 0 {
		return
	}
	came := map[digest.Digest]time.Time{}
	for _, r := range chain.Records {
		dg := r.Predicate.To.Digest
		if first, known := came[dg]; r.Verified && (!known || r.At().Before(first)) {
			came[dg] = r.At()
		}
	}
	for i := range targets { // presence writes another field of it at the same time
		if first, known := came[targets[i].Digest]; known {
			until := first.Add(kept.Released)
			targets[i].Until = &until
		}
	}
}

// SnapshotTargets is what Targets found last on this machine; false if it
// never ran. It asks no network.
func (d *Desk) SnapshotTargets(service string) ([]Target, bool) {
	var targets []Target
	found, err := d.Store.Snapshot(targetsKind, service, &targets)
	return targets, err == nil && found
}

// presence asks prod whether the manifests are there. An answer that says
// neither yes nor no leaves it open: it must not stand in the way of a rollback.
func (d *Desk) presence(ctx context.Context, p place, targets []Target) {
	group := errgroup.Group{}
	group.SetLimit(workers)
	for i := range targets {
		group.Go(func() error {
			_, err := d.read().Head(ctx, p.prod, targets[i].Digest.String())
			if there := err == nil; there || errors.Is(err, registry.ErrNotFound) {
				targets[i].Present = &there
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
}

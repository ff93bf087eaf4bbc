package operation

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
)

// imported lets prod's registry fetch a manifest from staging by itself; false
// where it cannot: then it is copied through this machine, and a warning says why, unless
// there is no import for this registry at all. What arrived is read back by a later step, as every copy is.
func (s *state) imported(ctx context.Context, root digest.Digest, tag string) (bool, error) {
	if s.Streamed || !s.imports() {
		return false, nil
	}
	if there, err := s.holds(ctx, root); there || err != nil {
		return there, err
	}
	err := s.identity().Import(ctx, registry.ImportRequest{
		Source: s.staging, Target: s.prod, Digest: root, Tag: tag, Resume: s.Imports[root],
		Journal: func(token string) error { return s.ordered(root, token) },
		Report:  s.watching(ctx, root),
		Arrived: func(ctx context.Context) (bool, error) { return s.holds(ctx, root) },
	})
	if errors.Is(err, registry.ErrUnsupported) {
		s.Streamed = true
		s.warn("copied through this machine: %v", err)
		return false, s.save()
	}
	if err != nil {
		return false, fmt.Errorf("%s: import %s: %w", s.what(), short(root), err)
	}
	return true, s.ordered(root, "")
}

// watching tells, whenever prod's registry says that it is at work, how much of it prod
// has already: the registry itself does not. What is to arrive is read at the first time.
func (s *state) watching(ctx context.Context, root digest.Digest) func(status string) {
	var arriving *registry.Arriving
	return func(status string) {
		p := registry.Progress{}
		if arriving == nil {
			arriving, _ = registry.Watch(ctx, s.reader, s.staging, root, s.reader, s.prod) // without it only the words are told
		}
		if arriving != nil {
			p = arriving.Look(ctx)
		}
		p.Status = status
		s.tell(&p)
	}
}

// imports tells whether the configuration says where prod's registry lives.
func (s *state) imports() bool { return s.r.Config.Registry(s.prod.Host).Import != nil }

// ordered journals an import that was taken or that ended.
func (s *state) ordered(root digest.Digest, token string) error {
	if s.Imports == nil {
		s.Imports = map[digest.Digest]string{}
	}
	s.Imports[root] = token
	return s.save()
}

// holds tells whether prod has a manifest with all below it.
func (s *state) holds(ctx context.Context, root digest.Digest) (bool, error) {
	err := registry.Complete(ctx, s.reader, s.prod, root)
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

// lock keeps what was promoted from being deleted, and its release tag from
// being moved. Prod is done by then: what cannot be locked is a warning.
func lock(ctx context.Context, s *state) error {
	if _, err := s.identity().Lock(ctx, s.prod, s.Target, ReleaseTag(s.Target)); err != nil {
		s.warn("not locked against deletion: %v", err)
	}
	return nil
}

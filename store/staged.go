package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// staysMost is how many digests are remembered of one channel; the oldest go.
const staysMost = 200

// Stay is a digest that a channel of staging pointed at, as this machine saw it.
type Stay struct {
	Digest digest.Digest `json:"digest"`
	Since  time.Time     `json:"since"` // when it was first seen there, the last time that it came
	Until  time.Time     `json:"until"` // when another one was seen in its place; zero: it is still there
}

// Observe notes what a channel, host/path:tag, points at now, "" for nothing,
// and gives every stay that is remembered, the newest last. A digest that left
// and came back counts from its last arrival. If the clock went back behind an
// arrival, the digest has been there since now: never in the future, never
// longer than was seen. What was known already costs no write. Observations are
// never dropped for room, unlike caches.
func (s *Store) Observe(channel string, now digest.Digest, at time.Time) ([]Stay, error) {
	var stays []Stay
	err := s.view(func(t txn) (err error) {
		stays, err = t.stays(channel)
		return err
	})
	if err != nil {
		return nil, err
	}
	stays, changed := arrive(stays, now, at.UTC())
	if !changed {
		return stays, nil
	}
	err = s.update(func(t txn) error {
		before, err := t.stays(channel)
		if err != nil {
			return err
		}
		stays, _ = arrive(before, now, at.UTC()) // another process may have been faster
		raw, err := json.Marshal(stays)
		if err != nil {
			return fmt.Errorf("write it as JSON: %w", err)
		}
		b, err := t.CreateBucketIfNotExists([]byte(bStaged))
		if err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
		return b.Put([]byte(channel), raw) //nolint:wrapcheck // as above
	})
	if err != nil {
		return nil, err
	}
	return stays, nil
}

// stays reads a channel; the bucket is made with its first entry.
func (t txn) stays(channel string) ([]Stay, error) {
	b := t.Bucket([]byte(bStaged))
	if b == nil {
		return nil, nil
	}
	raw := b.Get([]byte(channel))
	if raw == nil {
		return nil, nil
	}
	return decode[[]Stay](raw)
}

// arrive is stays after dg was seen at that time, and whether that changed anything.
func arrive(stays []Stay, dg digest.Digest, at time.Time) ([]Stay, bool) {
	stays = slices.Clone(stays)
	last := len(stays) - 1
	there := last >= 0 && stays[last].Until.IsZero()
	switch {
	case there && stays[last].Digest == dg:
		if !at.Before(stays[last].Since) {
			return stays, false
		}
		stays[last].Since = at
		return stays, true
	case !there && dg == "":
		return stays, false
	case there:
		stays[last].Until = at
		if at.Before(stays[last].Since) {
			stays[last].Since = at
		}
	}
	if dg != "" {
		stays = slices.DeleteFunc(stays, func(s Stay) bool { return s.Digest == dg })
		stays = append(stays, Stay{Digest: dg, Since: at})
	}
	return stays[max(0, len(stays)-staysMost):], true
}

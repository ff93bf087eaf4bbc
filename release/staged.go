package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/store"
)

// watched is what this machine saw of the channel that staging follows.
type watched struct {
	stays []store.Stay
	err   error
}

// watch looks at what staging runs, if the soak gate names its channel: one
// HEAD, at every list and every verdict. Only what is looked at is seen: a digest
// that went away and came back between two looks counts as having stayed.
func (d *Desk) watch(ctx context.Context, p place) watched {
	if p.Gates.Soak == nil || p.Gates.Soak.Channel == "" {
		return watched{}
	}
	channel := p.staging.String() + ":" + p.Gates.Soak.Channel
	desc, err := d.read().Head(ctx, p.staging, p.Gates.Soak.Channel)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return watched{err: fmt.Errorf("ask what %s points at: %w", channel, err)}
	}
	if off, ok := d.read().Skew(p.staging.Host); ok && (off > clockOff || off < -clockOff) {
		// A time that is wrong now would count as hours in staging once it is right again.
		return watched{err: fmt.Errorf("the clock of this machine is %s off the clock of %s: correct it", off.Abs().Round(time.Second), p.staging.Host)}
	}
	stays, err := d.Store.Observe(channel, desc.Digest, d.Now())
	if err != nil {
		return watched{err: fmt.Errorf("remember what %s points at: %w", channel, err)}
	}
	return watched{stays: stays}
}

// of is what was seen of one candidate.
func (w watched) of(dg digest.Digest) gates.Staged {
	for _, s := range w.stays {
		if s.Digest == dg {
			return gates.Staged{Since: s.Since, Now: s.Until.IsZero(), Err: w.err}
		}
	}
	return gates.Staged{Err: w.err}
}

package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/release/ledger"
	"plimsoll/release/operation"
)

// chain reads the ledger of a service with the key groups of records.
func (d *Desk) chain(ctx context.Context, p place) (ledger.Chain, error) {
	return ledger.New(d.read(), p.ledger, d.Store).Read(ctx, gates.Recorders(p.policy), p.prod, p.Channel)
}

// recordOf is the newest verified record of a digest coming into prod, nil without one.
func recordOf(c ledger.Chain, dg digest.Digest) *ledger.Record { return c.Current(dg) }

// promotionOf is the newest verified record of a digest's promotion, one that
// reached prod before one that nobody finished; else of how else it came into prod:
// only a promotion names the gates that it passed.
func promotionOf(c ledger.Chain, dg digest.Digest) *ledger.Record {
	var open *ledger.Record
	for _, r := range slices.Backward(c.Records) {
		switch {
		case !r.Verified || r.State() == ledger.Abandoned || r.Predicate.To.Digest != dg || r.Predicate.Action != operation.ActionPromote:
		case c.Landed(r):
			return &r
		case open == nil:
			open = &r
		}
	}
	if open != nil {
		return open
	}
	return c.Current(dg)
}

// problemOf is what is wrong with a record, in words; "" if nothing is.
func problemOf(c ledger.Chain, r ledger.Record) string {
	var all []string
	switch r.State() {
	case ledger.Abandoned:
		all = append(all, "abandoned: the channel was not moved")
	case ledger.Unfinished:
		all = append(all, "unfinished: nothing says that it was completed")
	case ledger.Complete:
	}
	if r.Missing {
		all = append(all, "taken out of the ledger; this machine remembers it")
	}
	if slices.ContainsFunc(c.Forks, func(f ledger.Fork) bool { return slices.Contains(f.Records, r.Digest) }) {
		all = append(all, "fork: another record of this number moved the channel too")
	}
	if r.Problem != "" {
		all = append(all, r.Problem)
	}
	return clean.Text(strings.Join(all, "; "))
}

// oddities are what a person should know about a ledger.
func oddities(c ledger.Chain) []string {
	out := slices.Clone(c.Problems)
	for _, f := range c.Forks {
		out = append(out, fmt.Sprintf("record %d is there %d times, and each of them moved the channel: two machines promoted at once", f.Number, len(f.Records)))
	}
	return out
}

// targetsOf are the digests that prod can be rolled back to.
func targetsOf(c ledger.Chain, current digest.Digest) []Target {
	targets := c.Targets(current)
	out := make([]Target, 0, len(targets))
	for _, t := range targets {
		out = append(out, Target{
			Digest: t.Digest, At: t.Record.At(), Actor: clean.Text(t.Record.Predicate.Actor.ID), Record: t.Record.Digest,
			Tags: cleanTags(t.Record.Predicate.To.Tags), Quarantined: t.Quarantined, LastGood: t.LastGood,
		})
	}
	return out
}

// principal is who a record says wrote to prod's registry, fit to be shown.
func principal(p *evidence.Principal) *evidence.Principal {
	if p == nil {
		return nil
	}
	return &evidence.Principal{Registry: clean.Text(p.Registry), Subject: clean.Text(p.Subject), ExpiresOn: p.ExpiresOn}
}

func cleanTags(tags []string) []string {
	out := make([]string, 0, len(tags))
	for _, t := range tags {
		out = append(out, clean.Text(t))
	}
	return out
}

// who names who did something and, of a pipeline, for whom.
func who(actor string, asked []string) string {
	if len(asked) == 0 {
		return actor
	}
	return actor + " for " + strings.Join(asked, ", ")
}

// Who is the actor and, of a pipeline, who asked it.
func (e Entry) Who() string { return who(e.Actor, e.RequestedBy) }

// Who is who put it there and, of a pipeline, who asked it.
func (p Prod) Who() string { return who(p.By, p.RequestedBy) }

// Who is who promoted it and, of a pipeline, who asked it.
func (v Verification) Who() string { return who(v.By, v.RequestedBy) }

// askers are the clean ids of who asked a pipeline; nil for nobody.
func askers(ids []evidence.Identity) []string {
	if len(ids) == 0 {
		return nil
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, clean.Text(id.ID))
	}
	return out
}

package ledger

import (
	"context"
	"fmt"
	"slices"

	"plimsoll/registry"
)

// Rival lists the ledger again and returns another record with the number of
// r, nil if the number is r's alone. Ask it right before the channel moves; who
// finds one abandons r. A rival that was abandoned already is none. With
// Trusting, one that is signed by nobody of them is none either; without,
// everything with that number is.
func (l *Ledger) Rival(ctx context.Context, r Record) (*Record, error) {
	repo, err := registry.ParseRepository(r.Predicate.To.URI)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the repository
	}
	tags, err := l.registry.Tags(ctx, l.repo)
	if err != nil {
		return nil, fmt.Errorf("look whether record %d is the only one of its number: %w", r.Number, err)
	}
	mine := func(n name) bool { return n.number != r.Number || n.of() == r.Tag }
	s := sortTags(tags, r.Predicate.Channel)
	if !slices.ContainsFunc(s.records, func(n name) bool { return n.of() == r.Tag }) {
		return nil, fmt.Errorf("record %d (%s) is no longer in the ledger %s: somebody removed it", r.Number, r.Tag, l.repo)
	}
	s.elsewhere, s.quarantines = nil, nil
	s.records, s.completions = slices.DeleteFunc(s.records, mine), slices.DeleteFunc(s.completions, mine)
	if len(s.records) == 0 {
		return nil, nil
	}
	c := court{Ledger: l, groups: l.trust, prod: repo, channel: r.Predicate.Channel}
	others, err := c.readAll(ctx, s, l.loadIndex())
	if err != nil {
		return nil, fmt.Errorf("read the other record with number %d: %w", r.Number, err)
	}
	for _, other := range c.build(others).Records {
		if len(l.trust) == 0 || other.counts() {
			return &other, nil
		}
	}
	return nil, nil
}

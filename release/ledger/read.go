package ledger

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// Read reads the ledger for the channel of a prod repository. Entries count if
// a group signed them for just that repository and channel; the others are
// there with their problem. A ledger that does not exist is empty. What was
// read before costs one request for the tag list. If the registry
// cannot be read, the chain is what this machine knew, with the error
// beside it; then nothing that is not in it is proven not to be there.
func (l *Ledger) Read(ctx context.Context, groups []config.Group, prod registry.Repository, channel string) (Chain, error) {
	c := court{Ledger: l, groups: groups, prod: prod, channel: channel}
	known := l.loadIndex()
	tags, err := l.registry.Tags(ctx, l.repo)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		chain := c.build(c.remembered(known, nil))
		return chain, l.unread(err)
	}
	if tags == nil {
		tags = []string{} // nothing is there, as opposed to not known
	}
	sorted := sortTags(tags, channel)
	if len(sorted.all()) > maxEntries {
		return Chain{}, fault.New(fault.Failed, "use one ledger repository for each prod repository", registry.ErrLimit,
			"read the ledger %s: it has %d entries, at most %d are read", l.repo, len(sorted.all()), maxEntries)
	}
	read, err := c.readAll(ctx, sorted, known)
	read.add(c.remembered(known, tags))
	chain := c.build(read)
	chain.Strays = sorted.strays
	if err != nil {
		return chain, l.unread(err)
	}
	return chain, nil
}

// unread says that the ledger could not be read, or not all of it.
func (l *Ledger) unread(err error) error {
	return fault.New(fault.CodeOf(err), cmp.Or(fault.HintOf(err), "try again when the registry can be reached"), err,
		"read the ledger %s: it could not be read whole; what this machine knew before is shown", l.repo)
}

// sortedTags are the tags of a ledger as one channel sees them.
type sortedTags struct {
	records, completions, quarantines, policies []name
	elsewhere                                   []name // records of other channels, for what they quarantine
	strays                                      int
}

func (s sortedTags) all() []name {
	return slices.Concat(s.records, s.completions, s.quarantines, s.policies, s.elsewhere)
}

func sortTags(tags []string, channel string) (s sortedTags) {
	present := make(map[string]bool, len(tags))
	for _, t := range tags {
		present[t] = true
	}
	for _, t := range tags {
		switch n := parseTag(t, channel); {
		case n.kind == record:
			s.records = append(s.records, n)
		case n.kind == completion && present[n.of()]:
			s.completions = append(s.completions, n)
		case n.kind == quarantine:
			s.quarantines = append(s.quarantines, n)
		case n.kind == policy:
			s.policies = append(s.policies, n)
		case n.kind == elsewhere:
			s.elsewhere = append(s.elsewhere, n)
		case n.kind != foreign:
			s.strays++
		}
	}
	return s
}

// findings are entries that were judged.
type findings struct {
	records     map[string]Record // by tag
	completions []entry
	quarantines []Quarantine
	policies    []Policy
}

// addElsewhere keeps what a record of another channel quarantines.
func (f *findings) addElsewhere(r Record) {
	f.quarantines = append(f.quarantines, impliedBy([]Record{r})...)
}

func (f *findings) add(more findings) {
	for tag, r := range more.records {
		if _, there := f.records[tag]; !there {
			f.records[tag] = r
		}
	}
	f.completions = append(f.completions, more.completions...)
	f.quarantines = append(f.quarantines, more.quarantines...)
	f.policies = append(f.policies, more.policies...)
}

func (c court) empty() findings { return findings{records: map[string]Record{}} }

// readAll fetches and judges the listed entries.
func (c court) readAll(ctx context.Context, s sortedTags, known index) (findings, error) {
	out := c.empty()
	f := &fetcher{Ledger: c.Ledger, known: known}
	errQuarantines := fetch(ctx, f, s.quarantines, c.quarantined, func(q Quarantine) { out.quarantines = append(out.quarantines, q) })
	errPolicies := fetch(ctx, f, s.policies, c.policy, func(p Policy) { out.policies = append(out.policies, p) })
	errElsewhere := fetch(ctx, f, s.elsewhere, c.record, out.addElsewhere)
	errRecords := fetch(ctx, f, s.records, c.record, func(r Record) { out.records[r.Tag] = r })
	type completed struct {
		Record
		entry
		believed bool
	}
	finish := func(e entry) completed {
		r := out.records[e.of()]
		believed := c.complete(&r, e)
		return completed{r, e, believed}
	}
	var finished []completed
	errCompletions := fetch(ctx, f, s.completions, finish, func(done completed) { finished = append(finished, done) })
	for _, done := range finished {
		f.believe(done.entry, done.believed)
		if done.believed {
			out.records[done.of()] = done.Record
		}
	}
	f.flush()
	return out, fault.Join(errQuarantines, errPolicies, errElsewhere, errRecords, errCompletions)
}

// complete gives a verified record its completion, if that is believed.
func (c court) complete(r *Record, e entry) bool {
	if !r.Verified || r.Completion != nil {
		return false
	}
	v := judge(c, e, evidence.Completion, c.completion(*r))
	if v.problem != "" {
		return false
	}
	r.Completion = &Completion{Digest: e.Manifest, Predicate: v.predicate, Signer: v.signer}
	return true
}

// remembered are the entries that this machine read once and that are not
// among tags: taken away since, or, with nil, everything that it knows.
func (c court) remembered(known index, tags []string) findings {
	out := c.empty()
	gone := maps.Clone(known)
	for _, t := range tags {
		delete(gone, t)
	}
	var names []name
	for _, tag := range slices.Sorted(maps.Keys(gone)) {
		if n := parseTag(tag, c.channel); n.kind != stray && n.kind != foreign {
			names = append(names, n)
		}
	}
	f := &fetcher{Ledger: c.Ledger, known: known}
	for batch := range slices.Chunk(names, 512) {
		contents := f.contents(batch)
		for _, n := range batch {
			e := entry{name: n, place: known[n.tag], raw: contents[known[n.tag].Bundle], missing: tags != nil}
			if e.raw != nil {
				out.put(c, e)
			}
		}
	}
	return out
}

func (f *findings) put(c court, e entry) {
	switch e.kind {
	case record:
		f.records[e.tag] = c.record(e)
	case completion:
		f.completions = append(f.completions, e)
	case quarantine:
		f.quarantines = append(f.quarantines, c.quarantined(e))
	case policy:
		f.policies = append(f.policies, c.policy(e))
	case elsewhere:
		f.addElsewhere(c.record(e))
	case stray, foreign:
	}
}

// build puts everything in order.
func (c court) build(f findings) Chain {
	for _, e := range f.completions { // of what is remembered only
		if r, ok := f.records[e.of()]; ok && c.complete(&r, e) {
			f.records[e.of()] = r
		}
	}
	chain := Chain{Records: slices.SortedFunc(maps.Values(f.records), inOrder)}
	for i, r := range chain.Records {
		chain.Highest = max(chain.Highest, r.Number)
		if r.counts() {
			chain.Head = &chain.Records[i]
		}
		if !r.Verified {
			chain.Unverified++
		}
	}
	chain.Quarantines = append(f.quarantines, impliedBy(chain.Records)...)
	for _, q := range chain.Quarantines {
		if !q.Verified {
			chain.Unverified++
		}
	}
	settle(chain.Quarantines)
	chain.Policies = slices.SortedFunc(slices.Values(f.policies), func(a, b Policy) int {
		return cmp.Or(a.Predicate.DecidedOn.Compare(b.Predicate.DecidedOn), strings.Compare(a.Tag, b.Tag))
	})
	chain.Forks = forks(chain)
	chain.Problems = problems(chain)
	return chain
}

// inOrder sorts by number; of one number abandoned and unbelieved records come
// first and the last completed one last, so that the last is what counts.
func inOrder(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(weight(a), weight(b)), a.At().Compare(b.At()), strings.Compare(a.Tag, b.Tag))
}

func weight(r Record) int {
	switch {
	case !r.Verified:
		return 0
	case r.State() == Abandoned:
		return 1
	case r.State() == Unfinished:
		return 2
	}
	return 3
}

package release

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/release/operation"
	"plimsoll/store"
)

const historyKind = "history.v1"

// History is what was promoted, rolled back and adopted, newest first: the
// ledger, and what this machine did and could not write to it yet. Service ""
// is all services. Where a ledger cannot be read, its entries are those that
// this machine knew, and the error says so: entries and error together.
func (d *Desk) History(ctx context.Context, service string) ([]Entry, error) {
	out, err := d.ofServices(service, func(p place) ([]Entry, error) { return d.history(ctx, p) })
	sortEntries(out)
	return out, err
}

// ofServices puts what is found of one service, or of all, together; with what
// was found comes what went wrong.
func (d *Desk) ofServices(service string, find func(place) ([]Entry, error)) ([]Entry, error) {
	services, err := d.chosen(service)
	if err != nil {
		return nil, err
	}
	out := []Entry{}
	var errs []error
	for _, s := range services {
		p, err := d.place(s.Name)
		if err != nil {
			return nil, err
		}
		entries, err := find(p)
		out = append(out, entries...)
		errs = append(errs, err)
	}
	return out, fault.Join(errs...)
}

// history is one service's.
func (d *Desk) history(ctx context.Context, p place) ([]Entry, error) {
	chain, unread := d.chain(ctx, p)
	entries := entriesOf(p, chain)
	unwritten, err := d.unwritten(p, entries)
	if err != nil {
		return entries, fault.Join(unread, fmt.Errorf("read the audit chain of this machine: %w", err))
	}
	entries = append(entries, unwritten...)
	sortEntries(entries)
	if unread == nil {
		_ = d.Store.PutSnapshot(historyKind, p.Name, entries) // only a cache
	}
	return entries, unread
}

// SnapshotHistory is the history of a service as it was read last on this
// machine; false if it never was. It asks no network.
func (d *Desk) SnapshotHistory(service string) ([]Entry, bool) {
	var entries []Entry
	found, err := d.Store.Snapshot(historyKind, service, &entries)
	return entries, err == nil && found
}

func sortEntries(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Number, a.Number), cmp.Compare(a.Service, b.Service))
	})
}

// entriesOf are the records of a service as lines of the history.
func entriesOf(p place, chain ledger.Chain) []Entry {
	out := make([]Entry, 0, len(chain.Records))
	for _, r := range chain.Records {
		out = append(out, entryOf(p, chain, r))
	}
	return out
}

func entryOf(p place, chain ledger.Chain, r ledger.Record) Entry {
	m := r.Predicate
	e := Entry{
		At: r.At(), Action: clean.Text(m.Action), Service: cmp.Or(clean.Text(m.Service), p.Name), Digest: m.To.Digest,
		Previous: pointer(m.Previous.Digest), Actor: clean.Text(m.Actor.ID), Reason: clean.Text(m.Reason),
		Record: &r.Digest, Verified: r.Verified, Problem: problemOf(chain, r), Seconds: r.Seconds(), Overrides: cleanTags(m.Overrides),
		RequestedBy: askers(m.RequestedBy), Number: r.Number, PolicyHash: string(m.Policy.Digest), Tags: cleanTags(m.To.Tags),
	}
	e.Identity = principal(m.Identity)
	for _, g := range m.Gates {
		for _, ev := range g.Evidence {
			if ev.Digest != "" {
				e.Evidence = append(e.Evidence, ev.Digest)
			}
		}
	}
	return e
}

// unwritten are the operations of this machine whose record the ledger does
// not have: it was down, or somebody took the record away.
func (d *Desk) unwritten(p place, written []Entry) ([]Entry, error) {
	has := map[digest.Digest]bool{}
	for _, e := range written {
		if e.Record != nil {
			has[*e.Record] = true
		}
	}
	last := map[string]Entry{} // of an operation that was noted twice, the second time with its record
	var ids []string
	for a, err := range d.Store.AuditEntries() {
		if err != nil {
			return nil, err
		}
		id, e, ok := localEntry(a)
		if !ok || a.Service != p.Name {
			continue
		}
		if _, known := last[id]; !known {
			ids = append(ids, id)
		}
		last[id] = e
	}
	var out []Entry
	for _, id := range ids {
		e := last[id]
		if e.Record != nil && has[*e.Record] || e.Record == nil && matches(written, e) {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// localEntry is an entry of the audit chain that tells of an operation, with
// the operation's id.
func localEntry(a store.AuditEntry) (string, Entry, bool) {
	var data operation.AuditData
	if !slices.Contains([]string{operation.ActionPromote, operation.ActionRollback, operation.ActionAdopt}, a.Action) ||
		json.Unmarshal(a.Data, &data) != nil || data.Digest.Validate() != nil {
		return "", Entry{}, false
	}
	e := Entry{
		At: a.At, Action: a.Action, Service: a.Service, Digest: data.Digest, Previous: data.Previous, Actor: a.Actor,
		Reason: data.Reason, Record: data.Record, Seconds: data.Seconds, Tags: data.Tags, Overrides: cleanTags(data.Overrides),
		Problem: "in the audit chain of this machine only; plimsoll audit sync writes what is missing",
	}
	if e.Record != nil {
		e.Problem = "its record is no longer in the ledger"
	}
	return cmp.Or(data.Operation, a.Hash), e, true
}

// matches finds the record of an operation that was written later: the same
// action on the same digest at the time that it ran, clocks and delivery allowed for.
func matches(written []Entry, e Entry) bool {
	const slack = 5 * time.Minute
	began := e.At.Add(-time.Duration(e.Seconds * float64(time.Second)))
	return slices.ContainsFunc(written, func(w Entry) bool {
		return w.Action == e.Action && w.Digest == e.Digest && w.At.After(began.Add(-slack)) && w.At.Before(e.At.Add(slack))
	})
}

// HistoryAt is what was in prod at a time: one entry for each service that had
// something then. A ledger that cannot be read is an error beside what this
// machine knew of it.
func (d *Desk) HistoryAt(ctx context.Context, service string, at time.Time) ([]Entry, error) {
	return d.ofServices(service, func(p place) ([]Entry, error) {
		e, err := d.entryAt(ctx, p, at)
		if e == nil {
			return nil, err
		}
		return []Entry{*e}, err
	})
}

// entryAt is the newest move up to a time, as the ledger has it or, where its
// record is not written yet, the audit chain of this machine.
func (d *Desk) entryAt(ctx context.Context, p place, at time.Time) (*Entry, error) {
	chain, unread := d.chain(ctx, p)
	var best *Entry
	if r := chain.At(at); r != nil {
		e := entryOf(p, chain, *r)
		best = &e
	}
	unwritten, err := d.unwritten(p, entriesOf(p, chain))
	for _, e := range unwritten {
		if !e.At.After(at) && (best == nil || e.At.After(best.At)) {
			best = &e
		}
	}
	return best, fault.Join(unread, err)
}

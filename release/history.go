package release

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

const historyKind = "history.v1"

// History is what was promoted, rolled back and adopted, newest first: the
// ledger, and what this machine did and could not write to it yet. Service ""
// is all services. Where a ledger cannot be read, its entries are those of the
// last time on this machine, and the error says so: entries and error together.
func (d *Desk) History(ctx context.Context, service string) ([]Entry, error) {
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
		entries, err := d.history(ctx, p)
		out = append(out, entries...)
		errs = append(errs, err)
	}
	sortEntries(out)
	return out, errors.Join(errs...)
}

// history is one service's.
func (d *Desk) history(ctx context.Context, p place) ([]Entry, error) {
	chain, err := d.chain(ctx, p)
	if err != nil {
		known, _ := d.SnapshotHistory(p.Name)
		return known, fault.New(fault.CodeOf(err), cmp.Or(fault.HintOf(err), "try again when the registry can be reached"), err,
			"the ledger %s could not be read; what follows is what this machine knew before", p.ledger)
	}
	entries := entriesOf(p, chain)
	unwritten, err := d.unwritten(p, entries)
	if err != nil {
		return entries, fmt.Errorf("read the audit chain of this machine: %w", err)
	}
	entries = append(entries, unwritten...)
	sortEntries(entries)
	_ = d.Store.PutSnapshot(historyKind, p.Name, entries) // only a cache
	return entries, nil
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
	out := []Entry{}
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
		Record: &r.Digest, Verified: r.Verified, Problem: problemOf(chain, r), Seconds: r.Seconds(), Overrides: m.Overrides,
		Number: r.Number, PolicyHash: string(m.Policy.Digest), Tags: cleanTags(m.To.Tags),
	}
	for _, g := range m.Gates {
		for _, ev := range g.Evidence {
			if ev.Digest != "" {
				e.Evidence = append(e.Evidence, ev.Digest)
			}
		}
	}
	return e
}

// done is what the audit chain says about a finished operation.
type done struct {
	Digest   digest.Digest  `json:"digest"`
	Previous *digest.Digest `json:"previous"`
	Record   *digest.Digest `json:"record"`
	Reason   string         `json:"reason"`
	Seconds  float64        `json:"seconds"`
	Tags     []string       `json:"tags"`
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
	var out []Entry
	for a, err := range d.Store.AuditEntries() {
		if err != nil {
			return nil, err
		}
		if a.Service != p.Name || !slices.Contains([]string{"promote", "rollback", "adopt"}, a.Action) {
			continue
		}
		e, ok := localEntry(a)
		if !ok || e.Record != nil && has[*e.Record] || e.Record == nil && matches(written, e) {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

func localEntry(a store.AuditEntry) (Entry, bool) {
	var data done
	if json.Unmarshal(a.Data, &data) != nil || data.Digest == "" {
		return Entry{}, false
	}
	e := Entry{At: a.At, Action: a.Action, Service: a.Service, Digest: data.Digest, Previous: data.Previous, Actor: a.Actor,
		Reason: data.Reason, Record: data.Record, Seconds: data.Seconds, Tags: data.Tags,
		Problem: "in the audit chain of this machine only; plimsoll audit sync writes what is missing"}
	if e.Record != nil {
		e.Problem = "its record is no longer in the ledger"
	}
	return e, true
}

// matches finds the record of an operation that was written later: the same
// action on the same digest, a record that began before it was noted here.
func matches(written []Entry, e Entry) bool {
	return slices.ContainsFunc(written, func(w Entry) bool {
		gap := w.At.Sub(e.At)
		return w.Action == e.Action && w.Digest == e.Digest && gap < time.Minute && gap > -time.Minute
	})
}

// HistoryAt is what was in prod at a time, one entry for each service that had
// something; a record that was never completed or does not verify is shown
// with its problem only if nothing better explains that time.
func (d *Desk) HistoryAt(ctx context.Context, service string, at time.Time) ([]Entry, error) {
	entries, err := d.History(ctx, service)
	out := []Entry{}
	for _, s := range d.Services() {
		var of []Entry
		for _, e := range entries {
			if e.Service == s.Name && !e.At.After(at) {
				of = append(of, e)
			}
		}
		if len(of) == 0 {
			continue
		}
		best := slices.IndexFunc(of, func(e Entry) bool { return e.Verified && e.Problem == "" })
		out = append(out, of[max(best, 0)])
	}
	return out, err
}

package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"plimsoll/config/fault"
	"plimsoll/release"
	"plimsoll/release/diff"
	"plimsoll/release/doctor"
	"plimsoll/release/operation"
)

// Every message that the console sends itself, and every command that calls
// the backend to read. What writes is in worker.go.

type (
	// answer is the reply to a query; settle files it, or tells that it is late.
	answer interface {
		settle(now time.Time) (late bool)
	}

	// wake is the clock: something that is shown changes, or a refresh is due.
	wake struct{ id int }

	operationNews struct {
		id       int
		progress release.Progress
		next     tea.Cmd
	}
	operationDone struct {
		id        int
		outcome   release.Outcome
		err       *problem
		cancelled bool
	}
	// written is the end of a sign-off or a quarantine.
	written struct {
		said string
		err  *problem
	}
	// pendingRead is what an earlier start left open.
	pendingRead struct {
		list []operation.Pending
		err  *problem
	}
	// allowancesRead is who may go past which gate, by service.
	allowancesRead struct {
		by  map[string]release.Allowance
		err *problem
	}
	// hangup is a signal, or a terminal that is gone: end as soon as it is safe.
	hangup struct{}
)

// reply is the answer to one question, numbered, so that a late one is dropped.
type reply[T any] struct {
	to    *slot[T]
	gen   int
	value T
	use   use
	at    time.Time
	err   *problem
	// merge makes the best of a value that an error came with and the one before; nil keeps the one before.
	merge func(before, now T) T
}

// use says what a reply is good for.
type use int

const (
	useWhole    use = iota // a full answer
	useNothing             // there was an error and no value
	useFallback            // a value that an error came with: better than none
	useCached              // from the store, while the real question is under way
)

func (r reply[T]) settle(now time.Time) bool {
	s := r.to
	if r.gen != s.gen {
		return true
	}
	if r.use == useCached {
		if !s.have {
			s.value, s.have, s.whole, s.at = r.value, true, true, r.at
		}
		return false
	}
	s.busy, s.err, s.cancel = false, r.err, nil
	switch {
	case r.use == useWhole:
		s.value, s.have, s.whole, s.live, s.fails = r.value, true, true, true, 0
		s.at = r.at
		if s.at.IsZero() || s.at.After(now) {
			s.at = now
		}
	case r.use == useFallback && !s.have:
		s.value, s.have, s.whole, s.at = r.value, true, false, now
	case r.use == useFallback && r.merge != nil:
		s.value = r.merge(s.value, r.value)
	}
	if r.err != nil {
		s.fails++
	}
	return false
}

// reader asks the backend, a few questions at a time.
type reader struct {
	ctx     context.Context //nolint:containedctx // the life of the program, which Bubble Tea's commands lack
	backend Backend
	slots   chan struct{} // how many questions at once
}

const questionsAtOnce = 4

func newReader(ctx context.Context, b Backend) reader {
	return reader{ctx: ctx, backend: b, slots: make(chan struct{}, questionsAtOnce)}
}

// ask makes the command for one question and notes in its slot that it is
// under way. A question that it supersedes is cancelled.
func ask[T any](r reader, s *slot[T], now time.Time, what string, merge func(before, now T) T, get func(ctx context.Context) (T, use, time.Time, error)) tea.Cmd {
	if s.cancel != nil {
		s.cancel()
	}
	ctx, cancel := context.WithCancel(r.ctx)
	s.gen++
	s.busy, s.since, s.cancel = true, now, cancel
	gen := s.gen
	return func() tea.Msg {
		defer cancel()
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-ctx.Done():
			return nil
		}
		out := reply[T]{to: s, gen: gen, merge: merge}
		var err error
		out.value, err = guarded(func() (v T, err error) {
			v, out.use, out.at, err = get(ctx)
			return v, err
		})
		if err != nil && out.use == useWhole {
			out.use = useNothing
		}
		out.value, out.err = cleaned(out.value), problemOf(what, err)
		return out
	}
}

// cached makes the command that looks into the store while a question is under way.
func cached[T any](s *slot[T], get func() (T, bool)) tea.Cmd {
	gen := s.gen
	return func() tea.Msg {
		v, ok := get()
		if !ok {
			return nil
		}
		return reply[T]{to: s, gen: gen, value: cleaned(v), use: useCached}
	}
}

// list reads a service. An unreadable service is an answer with an error in it.
func (r reader) list(s *slot[release.ServiceView], now time.Time, service string) tea.Cmd {
	return ask(r, s, now, "reading "+service, mergeList, func(ctx context.Context) (release.ServiceView, use, time.Time, error) {
		v, err := r.backend.List(ctx, service)
		switch {
		case err == nil && v.Error != "":
			return v, useFallback, v.At, fault.New(fault.Failed, v.Hint, nil, "%s", v.Error)
		case err != nil && v.Service != "":
			return v, useFallback, v.At, err //nolint:wrapcheck // shown as it is
		}
		return v, useWhole, v.At, err //nolint:wrapcheck // shown as it is
	})
}

// mergeList keeps the candidates of before where staging could not be read,
// and what prod runs where prod could not be read: with staging down, a
// rollback still has to see what it leaves.
func mergeList(before, now release.ServiceView) release.ServiceView {
	if now.Prod.Digest == nil {
		return before
	}
	before.Prod, before.Warnings = now.Prod, now.Warnings
	return before
}

func (r reader) gates(s *slot[release.Verdict], now time.Time, q query) tea.Cmd {
	return ask(r, s, now, "reading the evidence of "+short(q.digest), nil, func(ctx context.Context) (release.Verdict, use, time.Time, error) {
		v, err := r.backend.Gates(ctx, q.service, q.digest)
		return v, useWhole, time.Time{}, err //nolint:wrapcheck // shown as it is
	})
}

func (r reader) diff(s *slot[diff.Diff], now time.Time, q query) tea.Cmd {
	return ask(r, s, now, "comparing "+short(q.digest)+" with prod", nil, func(ctx context.Context) (diff.Diff, use, time.Time, error) {
		from := &q.from
		if q.fromNone {
			from = nil
		}
		v, err := r.backend.Diff(ctx, q.service, from, q.digest)
		return v, useWhole, time.Time{}, err //nolint:wrapcheck // shown as it is
	})
}

func (r reader) targets(s *slot[[]release.Target], now time.Time, q query) tea.Cmd {
	cmd := ask(r, s, now, "reading what "+q.service+" can be rolled back to", nil, func(ctx context.Context) ([]release.Target, use, time.Time, error) {
		v, err := r.backend.Targets(ctx, q.service)
		return v, usable(v, err), time.Time{}, err
	})
	return tea.Batch(cached(s, func() ([]release.Target, bool) { return r.backend.SnapshotTargets(q.service) }), cmd)
}

func (r reader) history(s *slot[[]release.Entry], now time.Time, q query) tea.Cmd {
	cmd := ask(r, s, now, "reading the history", nil, func(ctx context.Context) ([]release.Entry, use, time.Time, error) {
		v, err := r.backend.History(ctx, q.service)
		return v, usable(v, err), time.Time{}, err
	})
	return tea.Batch(cached(s, func() ([]release.Entry, bool) { return r.backend.SnapshotHistory(q.service) }), cmd)
}

func (r reader) doctor(s *slot[doctor.Report], now time.Time, service string) tea.Cmd {
	return ask(r, s, now, "looking into "+service, nil, func(ctx context.Context) (doctor.Report, use, time.Time, error) {
		v, err := r.backend.Doctor(ctx, service, release.DoctorRequest{})
		return v, usable(v.Services, err), time.Time{}, err
	})
}

func (r reader) verify(s *slot[release.Verification], now time.Time, q query, reference string) tea.Cmd {
	return ask(r, s, now, "verifying "+short(q.digest), nil, func(ctx context.Context) (release.Verification, use, time.Time, error) {
		v, err := r.backend.Verify(ctx, reference)
		return v, useWhole, time.Time{}, err //nolint:wrapcheck // shown as it is
	})
}

// usable tells what a list that may come with an error is good for.
func usable[T any](v []T, err error) use {
	if err != nil && len(v) > 0 {
		return useFallback
	}
	return useWhole
}

// pending reads what an earlier start left open.
func (r reader) pending() tea.Msg {
	list, err := r.backend.Pending()
	return pendingRead{list: cleaned(list), err: problemOf("reading this machine's journal", err)}
}

// allowances reads who may go past which gate. That follows from the
// configuration and the person's key, which do not change while the console runs.
func (r reader) allowances(services []service) tea.Cmd {
	return func() tea.Msg {
		out := allowancesRead{by: map[string]release.Allowance{}}
		for _, s := range services {
			a, err := r.backend.MayOverride(s.name)
			if err != nil {
				out.err = problemOf("reading who may go past the gates of "+s.name, err)
				continue
			}
			out.by[s.name] = cleaned(a)
		}
		return out
	}
}

// alarm is the command that waits until it is time to wake.
func alarm(ctx context.Context, d time.Duration, id int) tea.Cmd {
	return func() tea.Msg {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return wake{id}
		case <-ctx.Done():
			return nil
		}
	}
}

package release

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release/operation"
)

const viewKind = "view.v1"

// Snapshot is the service as List saw it last on this machine, with the time
// of that in At; false if it never did. It asks no network.
func (d *Desk) Snapshot(service string) (ServiceView, bool) {
	var v ServiceView
	found, err := d.Store.Snapshot(viewKind, service, &v)
	return v, err == nil && found
}

// List reads one service: its candidates in view, judged, and what prod runs.
// The view is usable whatever the error: a service that cannot be read carries
// the error too, and what could be read of it. A candidate that cannot be read
// carries its own error and is blocked.
func (d *Desk) List(ctx context.Context, service string) (ServiceView, error) {
	p, err := d.place(service)
	if err != nil {
		return ServiceView{Service: service, Candidates: []Candidate{}, At: d.Now()}.failed(err), err
	}
	l := &listing{desk: d, world: world{place: p, now: d.Now(), patience: asKept}, memory: d.remember(p)}
	l.read(ctx)
	view := l.view(ctx)
	if err := context.Cause(ctx); err != nil {
		return view.failed(err), fmt.Errorf("list %s: %w", service, err)
	}
	if err := l.keep(view); err != nil {
		view.Warnings = append(view.Warnings, "this machine could not keep what it read: "+clean.Text(clean.Redact(err.Error())))
	}
	return view, l.err
}

// failed marks a service that could not be read.
func (v ServiceView) failed(err error) ServiceView {
	v.Error, v.Hint = clean.Text(clean.Redact(err.Error())), fault.HintOf(err)
	return v
}

// listing is one List under way.
type listing struct {
	desk   *Desk
	memory *memory
	world
	staged
	err      error // the service could not be read, or prod could not
	mu       sync.Mutex
	found    []gates.Negative
	warnings []string
}

// read asks staging, prod and the ledger at the same time.
func (l *listing) read(ctx context.Context) {
	var stagingErr, prodErr error
	group := errgroup.Group{}
	group.Go(func() error {
		l.staged, stagingErr = l.desk.stage(ctx, l.place, l.memory)
		return nil
	})
	group.Go(func() error {
		l.root, prodErr = l.desk.channelRoot(ctx, l.place)
		l.prod = l.root.Digest
		return nil
	})
	group.Go(func() error {
		l.chain, l.chainErr = l.desk.chain(ctx, l.place)
		l.standing = l.desk.standing(l.place, l.chain, l.chainErr)
		return nil
	})
	group.Go(func() error {
		l.watched = l.desk.watch(ctx, l.place)
		return nil
	})
	_ = group.Wait() // each has its own error
	l.err = stagingErr
	if stagingErr == nil {
		l.err = prodErr
	}
	if prodErr == nil {
		l.desk.describeProd(ctx, &l.world, l.memory)
	} else {
		l.imageErr = prodErr
	}
}

// view judges what was read.
func (l *listing) view(ctx context.Context) ServiceView {
	v := ServiceView{Service: l.Name, Staging: l.Staging, Candidates: []Candidate{}, At: l.now, Total: l.total}
	v.Prod = l.prodView()
	v.Unsigned = l.unsigned()
	v.Candidates = l.candidates(ctx)
	l.warn(v.Prod)
	v.Warnings = l.warnings
	if l.err != nil {
		v = v.failed(l.err)
	}
	return v
}

// candidates judges every row, some at a time.
func (l *listing) candidates(ctx context.Context) []Candidate {
	out := make([]Candidate, len(l.rows))
	shelf := l.desk.shelf(l.staging)
	defer shelf.flush()
	g := gathering{desk: l.desk, repo: l.staging, shelf: shelf, tags: l.tags, memory: l.memory, mu: &l.mu, lean: l.lean()}
	group := errgroup.Group{}
	group.SetLimit(workers)
	for i, r := range l.rows {
		group.Go(func() error {
			out[i] = l.candidate(ctx, g, r)
			return nil
		})
	}
	_ = group.Wait() // every error is in its row
	return out
}

// candidate judges one row. What cannot be told is blocked.
func (l *listing) candidate(ctx context.Context, g gathering, r row) Candidate {
	c := Candidate{Digest: r.Digest, Tags: r.tags, Image: r.Image, Verdict: gates.Blocked, Checks: []gates.Check{}}
	if c.Platforms == nil {
		c.Platforms = []string{}
	}
	err := r.err
	if err == nil && l.err != nil {
		err = l.err
	}
	if err == nil {
		f := g.gather(ctx, r.Digest, r.outline)
		var j judged
		if j, err = l.desk.judge(ctx, l.world, g.shelf, r, f); err == nil {
			c.Verdict, c.Checks, c.Bigger, c.AddedBytes = j.verdict.State, j.verdict.Checks, j.bigger, j.added
			l.note(r, j)
		}
		f.release()
	}
	if err != nil {
		c.Error = clean.Text(clean.Redact(err.Error()))
	}
	return c
}

// note gathers what one candidate adds to the whole.
func (l *listing) note(r row, j judged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = append(l.found, j.verdict.Negatives...)
	for _, g := range j.gone {
		l.warnings = append(l.warnings, short(r.Digest)+" "+g)
	}
}

// prodView is what the channel points at, with its record.
func (l *listing) prodView() Prod {
	v := Prod{Reference: l.channel(), Digest: pointer(l.prod), Tags: []string{}}
	v.Platforms = []string{}
	if l.prod == "" {
		return v
	}
	if l.image != nil {
		v.Image = outlineOf(*l.image).Image
	}
	for tag, n := range l.memory.Tags {
		if n.Digest == l.prod {
			v.Tags = append(v.Tags, tag)
		}
	}
	slices.SortFunc(v.Tags, func(a, b string) int { return compareTags(b, a) })
	if r := recordOf(l.chain, l.prod); r != nil {
		at := r.At()
		v.Since, v.By, v.Record, v.Overrides = &at, clean.Text(r.Predicate.Actor.ID), &r.Digest, cleanTags(r.Predicate.Overrides)
		v.RequestedBy = askers(r.Predicate.RequestedBy)
		v.Tags = append(v.Tags, releaseTag(l.prod))
	} else if l.chainErr == nil {
		v.Unrecorded = fmt.Sprintf("%s points at %s, which has no valid record: it was pushed past Plimsoll, or needs plimsoll adopt %s",
			l.channel(), short(l.prod), l.Name)
	}
	return v
}

// releaseTag is the tag in prod that keeps a digest from retention.
func releaseTag(dg digest.Digest) string { return "release-" + dg.Encoded()[:16] }

// keep saves what the next listing and the first frame need. A store that
// cannot be written costs that, and is said.
func (l *listing) keep(v ServiceView) error {
	d := l.desk
	var errs []error
	if l.memory.changed {
		errs = append(errs, d.Store.PutSnapshot(memoryKind, l.memoryKey(), l.memory))
	}
	errs = append(errs, d.rememberNegatives(l.found), d.sources.Flush())
	if l.err == nil {
		errs = append(errs, d.Store.PutSnapshot(viewKind, l.Name, v))
	}
	return fault.Join(errs...)
}

// clockOff is how far our clock may be from a registry's.
const clockOff = 5 * time.Minute

// warn gathers what a person should see beside the rows.
func (l *listing) warn(prod Prod) {
	d := l.desk
	slices.Sort(l.warnings)
	l.warnings = append(l.warnings, l.repushed()...)
	if l.chainErr != nil {
		l.say("the ledger %s could not be read: %v", l.ledger, l.chainErr)
	}
	l.warnOfPassers(prod)
	if l.imageErr != nil && l.err == nil {
		l.say("what prod runs could not be read, so every change counts as a bigger one: %v", l.imageErr)
	}
	for _, f := range oddities(l.chain) {
		l.say("%s", f)
	}
	for _, host := range slices.Compact([]string{l.staging.Host, l.place.prod.Host}) {
		if skew, ok := d.read().Skew(host); ok && (skew > clockOff || skew < -clockOff) {
			l.say("the clock of this machine is %s off the clock of %s; promotions will be refused", skew.Abs().Round(time.Second), host)
		}
	}
	pending, err := d.Pending()
	if err != nil {
		l.say("the journal of this machine could not be read: %v", err)
	}
	for _, o := range pending {
		switch {
		case o.Service != l.Name:
		case len(o.Owed) > 0:
			l.say("a %s to %s is done, but owes the ledger: %s; run %s", o.Action, shortOr(o.Digest), list(o.Owed), o.Command)
		default:
			l.say("an unfinished %s of %s stopped at: %s; %s; finish it with %s", o.Action, shortOr(o.Digest), o.Step, side(o.Prod), o.Command)
		}
	}
}

// warnOfPassers says what was done, or edited, past those who have to agree.
func (l *listing) warnOfPassers(prod Prod) {
	if prod.Unrecorded != "" {
		l.say("%s", prod.Unrecorded)
	}
	if unsigned := l.unsigned(); unsigned != "" {
		l.say("%s", unsigned)
	}
	for _, unknown := range unresolved(l.policy) {
		l.say("%s; evidence that it may have signed is unreadable", unknown)
	}
	for _, g := range gates.Groups(l.policy) {
		if len(g.Workflow) > 0 && g.RootProblem != "" {
			l.say("the keyless signers of %s cannot be verified: %s", g.Name, g.RootProblem)
		}
	}
}

// unsigned says that no owner signed the policy that decides here.
func (l *listing) unsigned() string {
	if s := l.standing; !s.Required || s.Err != nil || s.Signed {
		return ""
	}
	return fmt.Sprintf("none of its owners signed the policy of this configuration, so nothing can be promoted; plimsoll policy show %s says what differs", l.Name)
}

// side says on which side of the move an unfinished operation stopped.
func side(w operation.Where) string {
	switch w {
	case operation.Before:
		return "prod has not changed"
	case operation.After:
		return "PROD HAS MOVED"
	case operation.Unknown:
	}
	return "prod may have moved"
}

func (l *listing) say(format string, args ...any) {
	l.warnings = append(l.warnings, clean.Text(clean.Redact(fmt.Sprintf(format, args...))))
}

package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/operation"
	"plimsoll/release/via"
)

type (
	// PromoteRequest is what Promote is asked for.
	PromoteRequest = operation.PromoteRequest
	// RollbackRequest is what Rollback is asked for.
	RollbackRequest = operation.RollbackRequest
	// Asked is what a pipeline that acts for somebody knows of them.
	Asked = operation.Asked
	// AdoptRequest is what Adopt is asked for.
	AdoptRequest = operation.AdoptRequest
	// QuarantineRequest is what Quarantine is asked for.
	QuarantineRequest = operation.QuarantineRequest
	// Quarantined is what Quarantine did.
	Quarantined = operation.Quarantined
)

// runner does what changes prod; the desk is its judge.
func (d *Desk) runner() *operation.Runner {
	return &operation.Runner{
		Config: d.Config, Journal: d.Store, Client: d.client, Signer: d.identify, Judge: judge{d}, Now: d.Now,
		Actor: d.Actor, Commands: d.commands(), ReadOnly: d.ReadOnly, Version: d.Version, Environ: os.Environ(),
		Person: func() string { id, _ := d.person(); return id },
	}
}

// Through names the pipeline that a promotion or a rollback of a service goes
// through, "" if this machine does it. It asks nobody.
func (d *Desk) Through(service, action string) string {
	p, err := d.place(service)
	if err != nil {
		return ""
	}
	if v := operation.Through(d.Config.Registry(p.prod.Host), action); v != nil {
		return clean.Text(via.Name(v))
	}
	return ""
}

// client is the desk's own for reading, so that an operation knows the clock of
// every registry that its judge has asked.
func (d *Desk) client(p registry.Purpose) *registry.Client {
	if p == registry.Read {
		return d.read()
	}
	return d.Client(p)
}

// commands tells whether the configuration may run commands: a file that was
// found, not named, only after plimsoll trust accepted it as it is.
func (d *Desk) commands() bool {
	return !d.Config.Found || d.Store.Accepted(d.Config.Path, d.Config.Hash)
}

// Promote copies a candidate to prod by digest and moves the channel to it. ctx
// cancels it at once until the channel moves, and not after.
func (d *Desk) Promote(ctx context.Context, r PromoteRequest, report func(Progress)) (Outcome, error) {
	if _, err := d.place(r.Service); err != nil {
		return Outcome{}, err
	}
	return d.runner().Promote(ctx, r, report)
}

// Rollback moves the channel to a digest that was in prod before.
func (d *Desk) Rollback(ctx context.Context, r RollbackRequest, report func(Progress)) (Outcome, error) {
	if _, err := d.place(r.Service); err != nil {
		return Outcome{}, err
	}
	return d.runner().Rollback(ctx, r, report)
}

// Adopt signs a first record for what is in prod already.
func (d *Desk) Adopt(ctx context.Context, r AdoptRequest, report func(Progress)) (Outcome, error) {
	if _, err := d.place(r.Service); err != nil {
		return Outcome{}, err
	}
	return d.runner().Adopt(ctx, r, report)
}

// Quarantine signs that a digest must not be promoted, or may be again.
func (d *Desk) Quarantine(ctx context.Context, r QuarantineRequest) (Quarantined, error) {
	if _, err := d.place(r.Service); err != nil {
		return Quarantined{}, err
	}
	return d.runner().Quarantine(ctx, r)
}

// Resume finishes an open operation of this machine.
func (d *Desk) Resume(ctx context.Context, id string, report func(Progress)) (Outcome, error) {
	return d.runner().Resume(ctx, id, report)
}

// Pending are the open operations of this machine. It asks no network.
func (d *Desk) Pending() ([]operation.Pending, error) { return d.runner().Pending() }

// judge is the desk as operations ask it.
type judge struct{ desk *Desk }

var _ operation.Judge = judge{}

// Judge reads the evidence of a candidate again and decides.
func (j judge) Judge(ctx context.Context, q operation.Question) (operation.Judgement, error) {
	p, sub, got, err := j.ask(ctx, q, afresh)
	if err != nil {
		return operation.Judgement{}, err
	}
	names := sub.names
	if names == nil {
		if names, err = j.desk.namesOf(ctx, p, sub); err != nil {
			return operation.Judgement{}, err
		}
	}
	if err := j.desk.rememberNegatives(got.verdict.Negatives); err != nil {
		return operation.Judgement{}, fmt.Errorf("remember what was seen of %s: %w", p.staging.At(q.Digest), err)
	}
	return operation.Judgement{Verdict: got.verdict.State, Checks: got.verdict.Checks, Policy: p.policy.Digest(), Document: p.policy.Document(), Tags: names}, nil
}

// Objections reads once more what can only say no. Sources that answered within
// the last moments are not asked again; what they say now is remembered as well.
func (j judge) Objections(ctx context.Context, q operation.Question) ([]string, error) {
	_, _, got, err := j.ask(ctx, q, lately)
	if err != nil {
		return nil, err
	}
	var no []string
	for _, c := range got.verdict.Checks {
		switch c.Status {
		case gates.Fail:
			no = append(no, fmt.Sprintf("%s: %s", c.Gate, objection(c)))
		case gates.Error:
			return nil, fmt.Errorf("look at %s once more: %s: %s", q.Digest, c.Gate, objection(c))
		case gates.Pass, gates.Missing, gates.Stale, gates.Needed, gates.Waiting, gates.Waived, gates.NotRequired, gates.Off:
		}
	}
	if got.verdict.State == gates.Quarantined && len(no) == 0 {
		no = append(no, "it is quarantined")
	}
	if len(got.verdict.Negatives) > 0 {
		if err := j.desk.rememberNegatives(got.verdict.Negatives); err != nil {
			return nil, fault.Join(errors.New("a failure was seen and could not be remembered"), err)
		}
	}
	return no, nil
}

func objection(c gates.Check) string {
	if len(c.Reasons) > 0 {
		return clean.Text(list(c.Reasons))
	}
	return c.Summary
}

// ask judges the candidate of a question against the prod digest that it names.
func (j judge) ask(ctx context.Context, q operation.Question, how patience) (place, subject, judged, error) {
	p, err := j.desk.place(q.Service.Name)
	if err != nil {
		return place{}, subject{}, judged{}, err
	}
	w, err := j.desk.world(ctx, p)
	if err != nil {
		return place{}, subject{}, judged{}, err
	}
	if w.prod != q.Prod {
		// The operation compares the channel itself, with exit code 4; a verdict
		// against anything else than what it asked about would mislead it.
		w.prod, w.image, w.imageErr = q.Prod, nil, fmt.Errorf("%s no longer points at %s", p.channel(), orNone(q.Prod))
	}
	w.promoter, w.requesters, w.overrides, w.patience = q.Promoter, q.Requesters, q.Overrides, how
	sub, got, err := j.desk.fresh(ctx, w, q.Digest)
	return p, sub, got, err
}

// namesOf are the tags that point at a candidate and that the service's rule
// selects: those that were seen there before are asked first, and the rest only
// if none of them does any more.
func (d *Desk) namesOf(ctx context.Context, p place, sub subject) ([]string, error) {
	known := d.remember(p).Tags
	var likely, others []string
	for _, t := range p.selected(sub.tags) {
		if n, ok := known[t]; !ok || n.Digest == sub.Digest {
			likely = append(likely, t)
		} else {
			others = append(others, t)
		}
	}
	for _, ask := range [][]string{likely, others} {
		heads, err := d.heads(ctx, p.staging, ask)
		if err != nil {
			return nil, err
		}
		var names []string
		for t, n := range heads {
			if n.Digest == sub.Digest {
				names = append(names, t)
			}
		}
		if len(names) > 0 {
			slices.SortFunc(names, func(a, b string) int { return compareTags(b, a) })
			return names, nil
		}
	}
	return []string{}, nil
}

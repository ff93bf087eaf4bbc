package operation

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/via"
)

// appointed is what is journaled of an operation that a pipeline does.
type appointed struct {
	Pipeline string    `json:"pipeline,omitempty"` // its name, for people
	Sent     time.Time `json:"sent,omitzero"`      // from then on a run may appear; zero: nothing was sent
	Doubt    string    `json:"doubt,omitempty"`    // why it is not known whether the order arrived
	Run      via.Run   `json:"run,omitzero"`       // without an id: not known yet
	Past     []string  `json:"past,omitempty"`     // the gates that its record says it went past
}

// Through is the pipeline that an action goes through, by the entry of prod's
// registry; nil: whoever starts it does it. A rollback does not wait for a
// pipeline where somebody may write prod themselves.
func Through(entry config.Registry, action string) *config.Via {
	if action == ActionPromote || action == ActionRollback && entry.Promote == nil {
		return entry.Via
	}
	return nil
}

// appoint decides who does the operation: this machine, or the pipeline that
// prod's registry names. A pipeline does it itself, for whom it names, and
// never asks itself.
func (s *state) appoint() error {
	entry := s.r.Config.Registry(s.prod.Host)
	through := Through(entry, s.op.Action)
	switch {
	case through == nil || len(s.Request.RequestedBy) > 0:
		return nil
	case via.Inside(through, s.r.Environ):
		return fault.New(fault.Usage, "pass --requested-by with who started the run, as docs/via.md shows", nil,
			"%s: this is a job of the pipeline itself, and does not say for whom: it would ask itself", s.what())
	}
	s.Via = &appointed{}
	s.steps = s.list()
	if s.r.Person != nil {
		s.id = s.r.Person()
		s.Actor = s.id
	}
	return nil
}

// list is what the operation consists of.
func (s *state) list() []step {
	if s.Via != nil {
		return throughPipeline(s.op.Action)
	}
	return stepsOf(s.op.Action)
}

// sent tells whether a pipeline may be at work for us.
func (s *state) sent() bool { return s.Via != nil && !s.Via.Sent.IsZero() }

// throughPipeline are the steps of an operation that a pipeline does. No
// identity but the everyday one is used in any of them.
func throughPipeline(action string) []step {
	var list []step
	if action == ActionRollback {
		list = append(list, step{name: "look", words: "find where to go back to", phase: looking, do: lookBack})
	} else {
		list = append(list,
			step{name: "look", words: "look at prod and its ledger", phase: looking, do: look},
			step{name: "judge", words: "read the evidence again", phase: looking, do: judge})
	}
	list = append(list,
		step{name: "resume", words: "look whether prod is as it was", phase: checking, do: asItWas},
		step{name: "order", words: "ask the pipeline", phase: writing, done: wasOrdered, do: order},
		step{name: "run", words: "follow its run until the channel moves", phase: moving, do: followRun})
	if action == ActionRollback {
		list = append(list, step{name: "earlier", words: "close what an earlier start left", phase: owing, do: closeEarlier})
	}
	return append(list,
		step{name: "account", words: "wait for its record", phase: finishing, limit: accountLimit, do: awaitRecord},
		step{name: "audit", words: "note it in the audit chain", phase: finishing, done: audited, do: audit})
}

// pipeline is the one that prod's registry names, opened once.
func (s *state) pipeline() (via.Pipeline, error) {
	if s.pipe != nil {
		return s.pipe, nil
	}
	o := via.Options{
		Trusted: s.r.Commands, Now: s.r.Now, Environ: s.r.Environ, Dir: s.r.Config.Dir, Roots: s.r.Roots, Version: s.r.Version,
		Secrets: func() []string { return s.delivering().Secrets },
	}
	p, err := via.Open(s.r.Config.Registry(s.prod.Host).Via, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.what(), err)
	}
	s.pipe = p
	return p, nil
}

// wasOrdered keeps an order from being sent twice: what became of one that may
// have been sent, only the pipeline and prod tell.
func wasOrdered(_ context.Context, s *state) (bool, error) { return s.sent(), nil }

// order dispatches a run. The order is in the journal, on the disk, before it is
// sent, and the run as soon as it is known: a start after a crash in between
// looks for the run that carries the operation in its name.
func order(ctx context.Context, s *state) error {
	p, err := s.pipeline()
	if err != nil {
		return err
	}
	s.Via.Pipeline, s.Via.Sent, s.Moving = p.Name(), s.r.now().UTC(), true
	if err := s.save(); err != nil {
		s.unsend()
		return err
	}
	run, err := p.Dispatch(ctx, s.order())
	switch {
	case via.Unsent(err):
		s.unsend()
		return fmt.Errorf("%s: nothing was started, prod has not changed: %w", s.what(), err)
	case err != nil:
		s.Via.Doubt = clean.Text(clean.Redact(err.Error()))
	}
	s.Via.Run = run
	return s.save()
}

func (s *state) unsend() { s.Via.Sent, s.Moving = time.Time{}, false }

// order is what the pipeline is asked for: this digest, against this prod digest.
func (s *state) order() via.Order {
	return via.Order{
		Action: s.op.Action, Service: s.service.Name, Digest: s.Target, Expect: cmp.Or(s.Previous.String(), None), Operation: s.op.ID,
		AskedBy: s.actor(), Reason: strings.TrimSpace(s.Request.Reason), Overrides: s.Request.Overrides, NoQuarantine: s.Request.NoQuarantine,
	}
}

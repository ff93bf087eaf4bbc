package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/release/forge"
	"plimsoll/release/via"
)

const (
	askPause  = 3 * time.Second  // between two looks at a run
	askRarely = 15 * time.Second // after askOften looks
	askOften  = 100
	maxMissed = 30               // looks in a row that may fail before a run counts as out of sight
	maxAbsent = 40               // looks in a row that may find no run before an order counts as doubtful
	lostAfter = 15 * time.Minute // after which an order without a run was never taken
)

// pursuit follows a run and prod beside it. What the run says is for people;
// what became of prod, only the channel and the ledger tell.
type pursuit struct {
	*state
	pipe   via.Pipeline
	status via.Status
	turns  int
	missed int           // times in a row that the pipeline did not answer
	absent int           // times in a row that it knew no run
	blind  int           // times in a row that the registry did not answer
	points digest.Digest // what the channel pointed at
}

func (s *state) pursue() (*pursuit, error) {
	pipe, err := s.pipeline()
	if err != nil {
		return nil, err
	}
	p := &pursuit{state: s, pipe: pipe, status: via.Status{Run: s.Via.Run, State: "not looked at yet"}}
	p.show()
	return p, nil
}

// over tells whether the run has ended, or can no longer appear.
func (p *pursuit) over() bool { return p.status.Result != via.Running || p.lost() }

// lost tells whether the order was never taken: no run carries it, long after.
func (p *pursuit) lost() bool {
	return p.Via.Run.ID == "" && p.absent > 0 && p.r.now().Sub(p.Via.Sent) > lostAfter
}

// look asks how the run stands, unless it has ended or asked for a pause.
// An error is the end of patience: the run may still go on.
func (p *pursuit) look(ctx context.Context) error {
	if p.over() || p.r.now().Before(p.patience) {
		return nil
	}
	err := p.inquire(ctx)
	var limited forge.Limited
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the caller sees that the context has ended
	case err == nil:
		p.missed = 0
	case errors.As(err, &limited):
		p.patience = limited.Until
	default:
		p.missed++
	}
	if err != nil {
		p.status.State = clean.Text(clean.Redact(err.Error()))
	}
	p.show()
	switch {
	case p.missed > maxMissed:
		return fmt.Errorf("%s could not be asked: %w", p.pipe.Name(), err)
	case p.absent > maxAbsent && !p.lost():
		return fmt.Errorf("no run of %s carries the operation %s in its name (%s)", p.pipe.Name(), p.op.ID, p.pipe.Page())
	}
	return nil
}

// inquire finds the run, or looks at it.
func (p *pursuit) inquire(ctx context.Context) error {
	if p.Via.Run.ID != "" {
		st, err := p.pipe.Look(ctx, p.Via.Run)
		if err != nil {
			return err //nolint:wrapcheck // it names the run
		}
		p.status = st
		return nil
	}
	run, found, err := p.pipe.Find(ctx, p.order(), p.Via.Sent)
	if err != nil {
		return err //nolint:wrapcheck // it names the operation
	}
	if !found {
		p.absent++
		p.status.State = "not to be seen yet"
		if p.Via.Doubt != "" {
			p.status.State = "perhaps never started: " + p.Via.Doubt
		}
		return nil
	}
	p.Via.Run, p.status.Run, p.status.State = run, run, "found"
	p.absent = 0
	return p.save()
}

// moved tells whether the channel has moved, by what prod says now. An error is
// the end of patience with the registry.
func (p *pursuit) moved(ctx context.Context) (moved, known bool, err error) {
	ended := p.over() // before prod is read: what it says then is final
	p.points, err = p.pointsAt(ctx)
	if err == nil && ended {
		err = p.readLedger(ctx)
	}
	p.blind++
	if err == nil {
		p.blind = 0
	}
	if p.blind > maxMissed {
		return false, false, err
	}
	if err != nil || !p.hasMoved(p.points) {
		return false, err == nil && ended, nil
	}
	p.op.Moved, p.Finished = true, p.r.now().UTC()
	return true, true, nil
}

// pause waits until it is time for another look.
func (p *pursuit) pause(ctx context.Context) error {
	p.turns++
	d := askPause
	if p.turns > askOften {
		d = askRarely
	}
	return p.r.wait(ctx, d)
}

// show tells people how the run stands.
func (p *pursuit) show() {
	st := p.status
	p.run = &st
	p.tell(nil)
}

package operation

import (
	"context"
	"fmt"

	"plimsoll/config/fault"
	"plimsoll/store"
)

// SettleDebts writes what operations of this machine could not write when they
// ran: records, completions, the marks of abandoned records. It changes
// nothing in prod and delivers nothing; operations that need more stay open.
// It returns what it wrote, in words, and the errors of what is still owed.
func (r *Runner) SettleDebts(ctx context.Context) ([]string, error) {
	ops, err := r.Journal.Operations(true)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var written []string
	var errs []error
	for _, op := range ops {
		d, err := decode(op)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if probe := (state{journaled: d, op: op}); !probe.settleable() {
			continue
		}
		if err := r.settle(ctx, op, d); err != nil {
			errs = append(errs, fmt.Errorf("%s of %s, begun %s: %w", op.Action, op.Service, op.Started.Local().Format("2006-01-02 15:04"), err))
			continue
		}
		written = append(written, fmt.Sprintf("%s %s %s", op.Action, op.Service, d.Target))
	}
	return written, fault.Join(errs...)
}

// settle ends one operation that only owes.
func (r *Runner) settle(ctx context.Context, op store.Operation, d journaled) error {
	s, err := r.prepare(d.Request, nil)
	if err != nil {
		return err
	}
	if s.channel() != op.Identity {
		return fault.New(fault.Usage, "settle it with the configuration that it was begun with", nil,
			"the service is %s now, it was %s", s.channel(), op.Identity)
	}
	if err := s.reserve(); err != nil {
		return err
	}
	defer s.drop()
	ctx, stop := s.hold(ctx)
	defer stop()
	now, found, err := r.Journal.Operation(op.ID) // as it is under the lease
	if err != nil || !found || now.State != store.Pending {
		return err //nolint:wrapcheck // the store says what was tried
	}
	old, err := s.reopen(now)
	if err != nil {
		return err
	}
	return old.wrapUp(ctx)
}

package operation

import (
	"context"
	"crypto/x509"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/store"
)

// Journal is what this machine remembers; *store.Store is one.
type Journal interface {
	PutOperation(op store.Operation) error
	Operations(open bool) ([]store.Operation, error)
	Operation(id string) (store.Operation, bool, error)
	Lease(identity, owner string, ttl time.Duration) (release func() error, renew func() error, err error)
	Audit(action, service, actor string, data any) (store.AuditEntry, error)
	AuditEntries() iter.Seq2[store.AuditEntry, error]
	AuditHead() (n uint64, hash string, err error)
	Snapshot(kind, key string, into any) (found bool, err error)
	PutSnapshot(kind, key string, v any) error
	Content(dg digest.Digest) ([]byte, error)
	PutContent(blobs ...[]byte) error
}

// Runner runs operations. Its fields are set once; it is safe for concurrent
// use, and a second operation on the same service is refused while one runs.
type Runner struct {
	Config  *config.Config
	Journal Journal
	// Client gives a client for a purpose. The one for registry.Promote is asked
	// for only when an operation is about to write, and closed when it ends.
	Client func(registry.Purpose) *registry.Client
	// Signer opens the person's key and says which id trust gives it.
	Signer func(context.Context) (evidence.Signer, string, error)
	// Person is who trust says that the person's key is, without opening it; "" and
	// nil: nobody knows. A pipeline is asked in that name.
	Person func() string
	Judge  Judge
	Now    func() time.Time // nil: time.Now
	// Actor is who operates when no signer says so, for the journal and the audit chain.
	Actor string
	// Commands allows delivery commands; false for a found configuration that nobody accepted.
	Commands bool
	ReadOnly bool
	Version  string   // of this program, for records
	Environ  []string // what a delivery command may see, before our secrets are taken out
	// Roots may sign for the server of a pipeline; nil: whom the system trusts.
	Roots *x509.CertPool

	pause func(context.Context, time.Duration) error // between attempts; nil: a timer
}

// Promote copies a candidate to prod by digest and moves the channel to it.
// ctx cancels it at once until the channel moves, and not after. A promotion
// of the same digest that was interrupted is finished instead, with the overrides
// and the reason that it began with. The error's fault.Code says what became of prod.
func (r *Runner) Promote(ctx context.Context, req PromoteRequest, report func(Progress)) (Outcome, error) {
	if len(req.Overrides) > 0 && strings.TrimSpace(req.Reason) == "" {
		return Outcome{}, fault.New(fault.Usage, "say why with --reason", nil, "promote %s: an override needs a reason", req.Service)
	}
	if err := fault.Join(fullDigest(req.Digest), req.check()); err != nil {
		return Outcome{}, err
	}
	return r.run(ctx, request{
		Action: ActionPromote, Asked: req.Asked, Service: req.Service, Digest: req.Digest, Expect: req.Expect, Reason: req.Reason,
		Overrides: slices.Compact(slices.Sorted(slices.Values(req.Overrides))),
	}, report)
}

// Rollback moves the channel to a digest that was in prod before, first, and
// writes its record after. What cannot be written then is owed: the outcome
// has a warning, and the next operation or SettleDebts writes it.
func (r *Runner) Rollback(ctx context.Context, req RollbackRequest, report func(Progress)) (Outcome, error) {
	if req.Digest != "" {
		if err := fullDigest(req.Digest); err != nil {
			return Outcome{}, err
		}
	}
	if err := req.check(); err != nil {
		return Outcome{}, err
	}
	return r.run(ctx, request{
		Action: ActionRollback, Asked: req.Asked, Service: req.Service, Digest: req.Digest, Expect: req.Expect,
		Reason: req.Reason, NoQuarantine: req.NoQuarantine,
	}, report)
}

// Adopt signs a first record for what is in prod already. The channel does not move.
func (r *Runner) Adopt(ctx context.Context, req AdoptRequest, report func(Progress)) (Outcome, error) {
	return r.run(ctx, request{Action: ActionAdopt, Service: req.Service, Expect: req.Expect, Reason: req.Reason}, report)
}

// Resume finishes the open operation with that id, as the same command would.
func (r *Runner) Resume(ctx context.Context, id string, report func(Progress)) (Outcome, error) {
	op, found, err := r.Journal.Operation(id)
	if err != nil {
		return Outcome{}, err
	}
	if !found || op.State != store.Pending {
		return Outcome{}, fault.New(fault.Failed, "", nil, "resume operation %s: this machine has no open operation with that id", id)
	}
	d, err := decode(op)
	if err != nil {
		return Outcome{}, err
	}
	again := d.Request
	again.resume = id
	return r.run(ctx, again, report)
}

func (r *Runner) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// wait is a pause that ends early with ctx.
func (r *Runner) wait(ctx context.Context, d time.Duration) error {
	if r.pause != nil {
		return r.pause(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

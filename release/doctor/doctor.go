package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/ledger"
	"plimsoll/release/operation"
)

const (
	// Limit is how long one fact may take.
	Limit = 20 * time.Second

	atOnce = 6 // facts of one service that are looked into at one time
)

// Patient is one service as its desk sees it, with all that may be used to look
// into it. Every function may be called from many goroutines.
type Patient struct {
	Config                *config.Config
	Service               config.Service
	Staging, Prod, Ledger registry.Repository
	Policy                gates.Policy
	Now                   time.Time

	Reader   *registry.Client        // the everyday identity
	Evidence func() *registry.Client // the one that attaches sign-offs
	// Promotion gives the promotion identity, after its use was noted; nil: it was
	// not asked for. Whoever gave it closes it.
	Promotion func() (*registry.Client, error)
	CI        *registry.Client // of CI's credential; nil: none was given
	Token     bool             // CI's credential is a token of one registry

	Chain    func(ctx context.Context) (ledger.Chain, error)
	Standing func(chain ledger.Chain, unread error) gates.Standing
	Pending  func() ([]operation.Pending, error)
	Deliver  func() error // why delivery could not run; it runs nothing
	// Probe asks what prod runs, by the service's probe.
	Probe func(ctx context.Context) ([]digest.Digest, error)
	// Key tells about the person's signing key: whether it is known without a
	// password, and whether records by it count here.
	Key   func() (known, counts bool)
	Limit time.Duration // for one fact, 0: Limit
}

// examination is a patient with what the first questions told.
type examination struct {
	Patient
	stagingRead, prodRead error // nil: the everyday identity reads it
	channel               digest.Digest
	channelErr            error
	chain                 ledger.Chain
	chainErr              error
}

// Examine finds out what is so with a service. It never fails: what could not be told is
// Unknown. It writes nothing but uploads that it cancels at once.
func Examine(ctx context.Context, p Patient) Service {
	if p.Limit == 0 {
		p.Limit = Limit
	}
	e := &examination{Patient: p}
	facts := e.all(ctx, e.readStaging, e.readProd, e.readLedger)
	facts = append(facts, e.all(
		ctx,
		e.everyday, e.anonymous, e.promotion, e.ci,
		e.retention, e.promoted, e.locked, e.tagRules, e.referrers,
		e.clocks, e.wires, e.keys, e.roots, e.roles,
		e.gates, e.signing, e.owners,
		e.recorded, e.books, e.operations, e.delivery, e.running,
	)...)
	return Service{Service: p.Service.Name, Facts: facts}
}

// all looks into several things at one time, each within its time, and returns
// their facts in the order of the questions.
func (e *examination) all(ctx context.Context, look ...func(context.Context) []Fact) []Fact {
	found := make([][]Fact, len(look))
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for i, one := range look {
		group.Go(func() error {
			found[i] = one(ctx)
			return nil
		})
	}
	_ = group.Wait() // every error is in its fact
	return slices.Concat(found...)
}

// within is the time for one fact.
func (e *examination) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.Limit, fmt.Errorf("no answer within the %s that one fact may take", e.Limit))
}

// each does something for several things at one time, bounded.
func each[T, R any](list []T, do func(T) R) []R {
	out := make([]R, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, v := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = do(v)
		})
	}
	wg.Wait()
	return out
}

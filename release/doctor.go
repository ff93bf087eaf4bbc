package release

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/delivery"
	"plimsoll/release/doctor"
	"plimsoll/release/ledger"
	"plimsoll/release/running"
)

// DoctorRequest is what Doctor may use beside the everyday identity.
type DoctorRequest = doctor.Request

// examined is how many services are looked into at one time.
const examined = 4

// Doctor finds out whether the isolation of a service, of all for "", is real.
// It proves what an identity may write by opening an upload and cancelling it;
// nothing else is written. What could not be told is in the report, as unknown;
// the error is about the service's name, a credential of another form, or the end of ctx beside what was
// found out until then.
func (d *Desk) Doctor(ctx context.Context, service string, r DoctorRequest) (doctor.Report, error) {
	chosen, err := d.chosen(service)
	if err != nil {
		return doctor.Of(), err
	}
	round := &round{desk: d}
	defer round.close()
	if err := round.admit(r); err != nil {
		return doctor.Of(), err
	}
	found := make([]doctor.Service, len(chosen))
	group := errgroup.Group{}
	group.SetLimit(examined)
	for i, s := range chosen {
		group.Go(func() error {
			found[i] = round.examine(ctx, s.Name)
			return nil
		})
	}
	_ = group.Wait() // what went wrong is in the report
	report := doctor.Of(found...)
	if err := context.Cause(ctx); err != nil {
		return report, fmt.Errorf("doctor: %w", err)
	}
	return report, nil
}

// round is one run of Doctor with the identities that it uses for all services.
type round struct {
	desk      *Desk
	ci        *registry.Client
	token     bool
	mayAsk    bool
	limit     time.Duration // of a fact
	mu        sync.Mutex
	promotion *registry.Client
}

// admit takes over what may be used.
func (r *round) admit(req DoctorRequest) error {
	r.mayAsk, r.limit = req.Promotion, req.Limit
	if req.CI == "" {
		return nil
	}
	clean.Secret(req.CI)
	cred := registry.Credential{Subject: "CI"}
	user, password, pair := strings.Cut(req.CI, ":")
	switch {
	case !pair:
		cred.Token, r.token = req.CI, true
	case user == "" || password == "":
		return fault.New(fault.Usage, "write it as user:password, or give a bearer token of the registry", nil, "CI's credential has no user or no password")
	default:
		clean.Secret(password)
		clean.Secret(base64.StdEncoding.EncodeToString([]byte(req.CI)))
		cred.Username, cred.Password = user, password
	}
	r.ci = r.desk.read().Beside(func(o *registry.Options) { o.As = &cred })
	return nil
}

// close drops what was asked for.
func (r *round) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []*registry.Client{r.ci, r.promotion} {
		if c != nil {
			c.Close()
		}
	}
}

// identity is the promotion identity, whose use for a service is noted before it is asked for.
func (r *round) identity(p place) (*registry.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.desk.Store.Audit("doctor", p.Name, r.desk.Actor, map[string]any{"uses": "promotion identity", "of": p.prod.Host}); err != nil {
		return nil, fmt.Errorf("note in the audit chain that the promotion identity is used: %w", err)
	}
	if r.promotion == nil {
		r.promotion = r.desk.Client(registry.Promote)
	}
	return r.promotion, nil
}

// examine looks into one service.
func (r *round) examine(ctx context.Context, name string) doctor.Service {
	d := r.desk
	p, err := d.place(name)
	if err != nil {
		return doctor.Unreadable(name, err)
	}
	patient := doctor.Patient{
		Config: d.Config, Service: p.Service, Staging: p.staging, Prod: p.prod, Ledger: p.ledger, Policy: p.policy, Now: d.Now(),
		Reader: d.read(), Evidence: func() *registry.Client { return d.Client(registry.Evidence) }, CI: r.ci, Token: r.token, Limit: r.limit,
		Chain:    func(ctx context.Context) (ledger.Chain, error) { return d.chain(ctx, p) },
		Standing: func(c ledger.Chain, unread error) gates.Standing { return d.standing(p, c, unread) },
		Probe:    func(ctx context.Context) ([]digest.Digest, error) { return d.probe(ctx, p) },
		Pending:  d.Pending, Deliver: func() error { return d.deliverable(p) }, Key: func() (bool, bool) { return d.ownKey(p) },
	}
	if r.mayAsk {
		patient.Promotion = func() (*registry.Client, error) { return r.identity(p) }
	}
	return doctor.Examine(ctx, patient)
}

// deliverable tells why a delivery could not run. It runs nothing.
func (d *Desk) deliverable(p place) error {
	any := digest.FromString("")
	return delivery.Check(p.Deliver, delivery.Event{ //nolint:wrapcheck // it names service and remedy
		Reference: p.prod.At(any), Digest: any, Service: p.Name, Channel: p.Channel, Previous: any,
	}, delivery.Options{Commands: d.commands(), Dir: d.Config.Dir, Environ: os.Environ()})
}

// probe asks what prod runs. A configuration that nobody accepted asks nobody.
func (d *Desk) probe(ctx context.Context, p place) ([]digest.Digest, error) {
	if !d.commands() {
		return nil, fault.New(fault.Usage, "look at it, then run: plimsoll trust", nil, "the probe was not asked: %s was found, not named, and nobody accepted it", d.Config.Path)
	}
	return running.Ask(ctx, *p.Running, running.Options{Dir: d.Config.Dir, Environ: os.Environ(), Secrets: d.Config.SecretVariables()})
}

// ownKey tells whether the person's public key is known without a password, and
// whether records by it count for a service.
func (d *Desk) ownKey(p place) (known, counts bool) {
	if d.Public == nil {
		return false, false
	}
	key := d.Public()
	if key == nil {
		return false, false
	}
	for _, g := range gates.Recorders(p.policy) {
		for _, m := range g.Members() {
			counts = counts || m.Key.Is(key) && m.Key.Counts(d.Now())
		}
	}
	return true, counts
}

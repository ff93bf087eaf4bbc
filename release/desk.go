package release

import (
	"context"
	"crypto"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/sources"
	"plimsoll/store"
)

// Options is what a desk works with. Config, Store and Client are required.
type Options struct {
	Config *config.Config
	Store  *store.Store
	// Client gives a client for a purpose. The desk asks for registry.Read at
	// once, for registry.Evidence when something is attached, and for
	// registry.Promote only when an operation has passed its gates.
	Client func(registry.Purpose) *registry.Client
	// Signer opens the person's key; it may ask for a password. Nil: nothing can be signed.
	Signer func(ctx context.Context) (evidence.Signer, error)
	// Public is the person's public key if it can be told without a password and
	// without a network; nil, or an answer of nil: it cannot.
	Public   func() crypto.PublicKey
	Now      func() time.Time // nil: time.Now
	Actor    string           // who acts where no signature says so, such as a login name
	ReadOnly bool             // refuse everything that writes to a registry
	Version  string           // of this program, for records
}

// Desk answers the questions of people and scripts and does what they decide.
// It is the only thing that the console and the command line talk to. Safe for
// concurrent use.
type Desk struct {
	Options
	memory  *semaphore.Weighted // bytes of evidence that are judged at one time
	transit *semaphore.Weighted // bytes that are being read at one time
	sources *sources.Sources    // evidence that is not in the registry
	dating  *dating             // when base images were made

	once   sync.Once
	reader *registry.Client
}

// The bounds of what is held at one time, whatever registries send.
const (
	workers      = 16       // requests at a time, for each listing
	memoryInUse  = 64 << 20 // bytes of evidence under evaluation
	transitMost  = 64 << 20 // bytes of manifests, configurations and evidence under way; room for a manifest of any size per worker
	evidenceMost = 64 << 20 // bytes of evidence of one digest
)

// New makes a desk. It asks nothing of the network or the store.
func New(o Options) *Desk {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Desk{Options: o, memory: semaphore.NewWeighted(memoryInUse), transit: semaphore.NewWeighted(transitMost), dating: newDating()}
	d.sources = sources.New(sources.Options{
		Config: o.Config, Trusted: d.commands, Kept: o.Store, Now: o.Now, Version: o.Version,
		Scan: func(ctx context.Context, repo registry.Repository, dg digest.Digest) (registry.Scan, error) {
			return d.read().Scan(ctx, repo, dg)
		},
	})
	return d
}

// Services are the services of the configuration, in its order.
func (d *Desk) Services() []config.Service { return d.Config.Services }

// read is the client that everything is read with.
func (d *Desk) read() *registry.Client {
	d.once.Do(func() { d.reader = d.Client(registry.Read) })
	return d.reader
}

// Close drops the connections and credentials of the reading client and of sources.
func (d *Desk) Close() {
	d.read().Close()
	d.sources.Close()
}

// place is a service with its repositories and its policy.
type place struct {
	config.Service
	staging, prod, ledger registry.Repository
	policy                gates.Policy
}

// place finds a service by name.
func (d *Desk) place(name string) (place, error) {
	s, ok := d.Config.Service(name)
	if !ok {
		return place{}, fault.New(fault.Usage, "the services are: "+strings.Join(d.names(), ", "), nil,
			"there is no service %q in %s", name, d.Config.Path)
	}
	p := place{Service: s, policy: gates.NewPolicy(d.Config, s)}
	var a, b, c error
	p.staging, a = registry.ParseRepository(s.Staging)
	p.prod, b = registry.ParseRepository(s.Prod)
	p.ledger, c = registry.ParseRepository(s.Ledger)
	return p, fault.Join(a, b, c)
}

// chosen are the services that a command is about: the named one, or all.
func (d *Desk) chosen(name string) ([]config.Service, error) {
	if name == "" {
		return d.Config.Services, nil
	}
	p, err := d.place(name)
	return []config.Service{p.Service}, err
}

func (d *Desk) names() []string {
	names := make([]string, 0, len(d.Config.Services))
	for _, s := range d.Config.Services {
		names = append(names, s.Name)
	}
	return names
}

// channel is the reference that prod follows.
func (p place) channel() string { return p.prod.String() + ":" + p.Channel }

// mayWrite refuses what writes to a registry in a read-only run.
func (d *Desk) mayWrite(what string) error {
	if d.ReadOnly {
		return fault.New(fault.Usage, "run it again without --read-only", nil, "cannot %s: this run is read-only", what)
	}
	return nil
}

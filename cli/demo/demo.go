package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/store"
)

// Demo is a running demo. Close ends it.
type Demo struct {
	Config  string // path of plimsoll.yaml
	State   string // directory of the store
	Staging string // host of the staging registry
	Prod    string // host of the prod registry

	FreezeFrom, FreezeTo string // days between which web is frozen

	dir     string
	clock   clock
	servers []*embedded.Registry
	clients []*registry.Client
	signers map[string]evidence.Signer
	config  *config.Config
	store   *store.Store
}

// Start starts the registries and tells the story; report gets a line a step.
// On an error nothing is left behind.
func Start(ctx context.Context, report func(string)) (_ *Demo, err error) {
	dir, err := os.MkdirTemp("", "plimsoll-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the demo: %w", err)
	}
	d := &Demo{
		dir: dir, Config: filepath.Join(dir, "plimsoll.yaml"), State: filepath.Join(dir, "state"),
		FreezeFrom: time.Now().UTC().Add(-2 * day).Format(time.DateOnly), FreezeTo: time.Now().UTC().Add(3 * day).Format(time.DateOnly),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := d.serve(); err != nil {
		return nil, err
	}
	if d.signers, err = makeKeys(filepath.Join(dir, "keys")); err != nil {
		return nil, err
	}
	if err := d.configure(); err != nil {
		return nil, err
	}
	if err := d.tell(ctx, report); err != nil {
		return nil, err
	}
	d.clock.set(0)
	return d, nil
}

// Close stops the registries and removes every file of the demo.
func (d *Demo) Close() error {
	var errs []error
	for _, c := range d.clients {
		c.Close()
	}
	for _, s := range d.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

func (d *Demo) serve() error {
	for _, into := range []*string{&d.Staging, &d.Prod} {
		name := "staging"
		if into == &d.Prod {
			name = "prod"
		}
		server, err := embedded.Start(embedded.Options{}) // in memory: even a killed demo leaves no image behind
		if err != nil {
			return fmt.Errorf("start the demo's %s registry: %w", name, err)
		}
		d.servers = append(d.servers, server)
		*into = server.Host()
	}
	return nil
}

//go:embed config.yaml
var configuration string

func (d *Demo) configure() error {
	var text strings.Builder
	if err := template.Must(template.New("plimsoll.yaml").Parse(configuration)).Execute(&text, d); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	if err := os.WriteFile(d.Config, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	var err error
	if d.config, err = config.Load(d.Config, false, ""); err != nil {
		return err
	}
	d.store, err = store.Open(d.State)
	return err
}

// client is a client for one purpose, closed with the demo.
func (d *Demo) client(purpose registry.Purpose) *registry.Client {
	c := registry.New(registry.Options{Registries: d.config.Registry, Purpose: purpose, UserAgent: "plimsoll-demo"})
	d.clients = append(d.clients, c)
	return c
}

// desk is the release desk of one signer, at the time of the story.
func (d *Demo) desk(signer string) *release.Desk {
	var mu sync.Mutex
	kept := map[registry.Purpose]*registry.Client{}
	return release.New(release.Options{
		Config: d.config, Store: d.store, Signer: signerOf(d.signers[signer]), Now: d.clock.Now, Actor: signer, Version: "demo",
		Client: func(purpose registry.Purpose) *registry.Client {
			mu.Lock()
			defer mu.Unlock()
			if kept[purpose] == nil || purpose == registry.Promote {
				kept[purpose] = d.client(purpose)
			}
			return kept[purpose]
		},
	})
}

const day = 24 * time.Hour

package operation

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/registry"
)

// server is a prod registry that copies by itself, or says why not.
type server struct {
	w       *world
	refuse  error
	crash   bool // after the order, once
	orders  []string
	resumed []string
	locked  []string
	lock    error
}

func (s *server) Credential(context.Context, config.Identity) (registry.Credential, error) {
	return registry.Credential{}, errors.New("nobody asks")
}
func (s *server) Close() {}

func (s *server) Import(ctx context.Context, r registry.ImportRequest) error {
	if s.refuse != nil {
		return s.refuse
	}
	if r.Resume != "" {
		s.resumed = append(s.resumed, r.Resume)
	} else {
		s.orders = append(s.orders, r.Digest.String())
		if err := r.Journal("order of " + r.Digest.String()); err != nil {
			return err
		}
		if s.crash {
			s.crash = false
			s.w.fate.set(1, false)
			return errors.New("the machine went down")
		}
	}
	_, err := registry.Copy(ctx, registry.CopyRequest{From: s.w.hands, Source: r.Source, To: s.w.hands, Target: r.Target, Root: r.Digest})
	return err
}

func (s *server) Lock(_ context.Context, _ registry.Repository, dg digest.Digest, tag string) error {
	s.locked = append(s.locked, dg.String()+" "+tag)
	return s.lock
}

// serving gives prod a server.
func serving(t *testing.T) (*world, *server) {
	w := newWorld(t)
	s := &server{w: w}
	w.config.Registries = map[string]config.Registry{w.prod.Host: {Host: w.prod.Host, PlainHTTP: true, Import: &config.Import{}}}
	plain := w.runner.Client
	w.runner.Client = func(p registry.Purpose) *registry.Client {
		if p != registry.Promote {
			return plain(p)
		}
		anonymous := &config.Identity{Anonymous: true}
		c := registry.New(registry.Options{
			Purpose: p,
			Registries: func(host string) config.Registry {
				return config.Registry{Host: host, PlainHTTP: true, Read: anonymous, Promote: anonymous}
			},
			Providers: func(string, config.Registry, *registry.Wire) registry.Provider { return s },
		})
		t.Cleanup(c.Close)
		return c
	}
	return w, s
}

func TestProdsRegistryCopiesByItselfAndLocks(t *testing.T) {
	w, s := serving(t)
	two := w.index("v2")
	o := w.mustPromote(two)
	if o.Copied.Blobs != 0 || o.Referrers.Arrived != 1 || len(s.orders) != 2 || s.orders[0] != two.String() {
		t.Errorf("outcome %+v, orders %v", o, s.orders)
	}
	if len(s.locked) != 1 || s.locked[0] != two.String()+" "+ReleaseTag(two) || len(o.Warnings) != 0 {
		t.Errorf("locked %v, warnings %v", s.locked, o.Warnings)
	}
	w.whole()
}

func TestAnImportIsTakenUpByTheNextStart(t *testing.T) {
	w, s := serving(t)
	two := w.index("v2")
	s.crash = true
	if _, err := w.promote(two); err == nil || !w.fate.gone() {
		t.Fatal(err)
	}
	w.journal.revive(t)
	w.mustPromote(two)
	if len(s.orders) != 2 || len(s.resumed) != 1 || s.resumed[0] != "order of "+two.String() {
		t.Errorf("orders %v, resumed %v", s.orders, s.resumed)
	}
}

func TestWhatIsNotImportedIsStreamedAndSaid(t *testing.T) {
	w, s := serving(t)
	s.refuse = errors.Join(errors.New("the role does not allow it"), registry.ErrUnsupported)
	s.lock = errors.New("no right to lock")
	o := w.mustPromote(w.index("v2"))
	said := strings.Join(o.Warnings, "\n")
	if o.Copied.Blobs == 0 || !strings.Contains(said, "the role does not allow it") || !strings.Contains(said, "no right to lock") {
		t.Errorf("outcome %+v", o)
	}
}

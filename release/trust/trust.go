package trust

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"plimsoll/config"
)

// patience is how long Complete waits for all that it asks the network.
const patience = 10 * time.Second

// Cache keeps the public keys of key services, by reference; store.Store is one.
type Cache interface {
	// PinnedKey is the key that was pinned, in PEM; false without one.
	PinnedKey(ref string) (pem []byte, found bool, err error)
	// PinKey pins a key, in place of the one before only with replace, and gives the one that is pinned now.
	PinKey(ref string, pem []byte, replace bool) (pinned []byte, err error)
}

// Options say what Complete may do.
type Options struct {
	Dir string // the state directory
	// Trusted tells that the configuration was named or accepted. Without it
	// nothing is asked of the network and no credential is used.
	Trusted bool
	Now     func() time.Time                 // nil: time.Now
	Note    func(format string, args ...any) // tells a person something; nil: nobody
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(format, args...)
	}
}

// Complete is cfg with the public keys of key services and the trusted root of
// its keyless groups, or with the Problem that each of them has. cfg is not
// changed. It answers from the cache and asks the network, for ten seconds at
// most, only for what is not there.
func Complete(ctx context.Context, cfg *config.Config, cache Cache, o Options) *config.Config {
	references, keyless := References(cfg), Keyless(cfg)
	if len(references) == 0 && !keyless {
		return cfg
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := resolveAll(ctx, references, cache, o)
	done := *cfg
	if keyless {
		done.TrustRoot = completeRoot(ctx, cfg.TrustRoot, o)
	}
	done.Trust = maps.Clone(cfg.Trust)
	for name, g := range done.Trust {
		done.Trust[name] = completeGroup(g, found, done.TrustRoot)
	}
	config.OnePersonEach(done.Trust)
	return &done
}

// resolveAll finds the keys of all references, at one time.
func resolveAll(ctx context.Context, references []string, cache Cache, o Options) map[string]config.Key {
	found := make(map[string]config.Key, len(references))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, ref := range references {
		wg.Go(func() {
			key := resolve(ctx, ref, cache, o)
			mu.Lock()
			defer mu.Unlock()
			found[ref] = key
		})
	}
	wg.Wait()
	return found
}

func completeGroup(g config.Group, found map[string]config.Key, root config.TrustRoot) config.Group {
	g.Keys = slices.Clone(g.Keys)
	for i := range g.Keys {
		fill(&g.Keys[i], found)
	}
	g.People = slices.Clone(g.People)
	for i := range g.People {
		fill(&g.People[i].Key, found)
	}
	if len(g.Workflow) > 0 {
		g.Root, g.RootProblem = root.Raw, root.Problem
	}
	return g
}

// fill takes the key over from what was found; when it counts is the configuration's.
func fill(k *config.Key, found map[string]config.Key) {
	if f, ok := found[k.Path]; ok && Remote(k.Path) {
		k.PEM, k.SPKI, k.Public, k.Problem = f.PEM, f.SPKI, f.Public, f.Problem
	}
}

// References are the keys of cfg that a key service holds, each once, in order.
func References(cfg *config.Config) []string {
	var references []string
	for _, g := range cfg.Trust {
		for _, m := range g.Members() {
			if Remote(m.Key.Path) {
				references = append(references, m.Key.Path)
			}
		}
	}
	slices.Sort(references)
	return slices.Compact(references)
}

// Keyless tells whether cfg trusts any workflow, and so needs a trusted root.
func Keyless(cfg *config.Config) bool {
	for _, g := range cfg.Trust {
		if len(g.Workflow) > 0 {
			return true
		}
	}
	return false
}

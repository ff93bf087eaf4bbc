package operation

import (
	"context"
	"errors"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// keeper is what a registry's own interface says of its rules.
type keeper struct {
	says  map[string]error // by the path of the repository
	asked []registry.Needs
}

func (k *keeper) Credential(context.Context, config.Identity) (registry.Credential, error) {
	return registry.Credential{}, errors.New("nobody asks")
}
func (k *keeper) Close() {}

func (k *keeper) Ready(_ context.Context, repo registry.Repository, needs registry.Needs) error {
	k.asked = append(k.asked, needs)
	return k.says[repo.Path]
}

// keeping gives prod a registry with rules that the purpose may read.
func keeping(t *testing.T, purpose registry.Purpose) (*world, *keeper) {
	w := newWorld(t)
	k := &keeper{says: map[string]error{}}
	plain := w.runner.Client
	w.runner.Client = func(p registry.Purpose) *registry.Client {
		c := plain(p)
		if p != purpose {
			return c
		}
		c = c.Beside(func(o *registry.Options) {
			o.Providers = func(host string, _ config.Registry, _ *registry.Wire) registry.Provider {
				if host != w.prod.Host {
					return nil
				}
				return k
			}
		})
		t.Cleanup(c.Close)
		return c
	}
	return w, k
}

func TestARuleThatWouldEndAPromotionHalfWayEndsItBeforeItBegins(t *testing.T) {
	for _, purpose := range []registry.Purpose{registry.Read, registry.Promote} {
		for _, of := range []string{"", "-ledger"} {
			w, k := keeping(t, purpose)
			path := w.prod.Path + of
			two := w.image("v2")
			k.says[path] = fault.New(fault.Failed, "aws ecr …", nil, "its tags are immutable")
			_, err := w.promote(two)
			if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "immutable") || fault.HintOf(err) != "aws ecr …" {
				t.Errorf("%s, %s: %v (%s)", purpose, path, err, fault.HintOf(err))
			}
			if _, err := w.hands.Head(t.Context(), w.prod, two.String()); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s, %s: it was copied: %v", purpose, path, err)
			}
			if needs := k.asked[0]; len(needs.Moves) != 1 || needs.Moves[0] != "live" || needs.Adds[0] != ReleaseTag(two) {
				t.Errorf("asked %+v", needs)
			}
		}
	}
}

func TestRulesThatMayNotBeReadDoNotEndAPromotion(t *testing.T) {
	w, k := keeping(t, registry.Read)
	k.says[w.prod.Path] = registry.ErrUnsupported
	w.mustPromote(w.image("v2"))
}

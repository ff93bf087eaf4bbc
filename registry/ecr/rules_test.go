package ecr_test

import (
	"errors"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/ecr/ecrtest"
)

// needs are those of a promotion.
func needs(m registry.Manifest) registry.Needs {
	return registry.Needs{Moves: []string{"live"}, Adds: []string{"release-0123456789abcdef"}, Lists: []string{registry.Fallback(m.Descriptor.Digest)}}
}

func TestARepositoryAsTheGuideMakesItIsReady(t *testing.T) {
	w := newWorld(t)
	must(t, w.client(registry.Read).Ready(t.Context(), w.prod.Repository("app"), needs(w.push(t, w.prod, "v1"))))
}

func TestAMissingRepositoryIsSaidWithTheCommandThatMakesIt(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "v1")
	err := w.client(registry.Read).Ready(t.Context(), w.prod.Repository("team/new"), needs(m))
	const command = "aws ecr create-repository --repository-name team/new --registry-id 222222222222 --region eu-west-1 " +
		"--image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters " +
		"'filterType=WILDCARD,filter=live' 'filterType=WILDCARD,filter=sha256-*'"
	if !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "does not exist") || !strings.HasSuffix(fault.HintOf(err), command) {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	err = w.client(registry.Read).Ready(t.Context(), w.prod.Repository("new-ledger"), registry.Needs{})
	if !strings.HasSuffix(fault.HintOf(err), "--image-tag-mutability IMMUTABLE") {
		t.Errorf("of a ledger nothing is written twice: %s", fault.HintOf(err))
	}
}

func TestTagsThatCannotMoveAreFoundBeforeAnythingIsCopied(t *testing.T) {
	const exclude = "aws ecr put-image-tag-mutability --repository-name app --registry-id 222222222222 --region eu-west-1 --image-tag-mutability "
	for name, c := range map[string]struct {
		kind     string
		excluded []string
		api      bool
		says     string // "" if it is ready
		hint     string
	}{
		"everything moves":                     {kind: "MUTABLE"},
		"immutable channel":                    {kind: "IMMUTABLE", says: "the channel live", hint: exclude + "IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=live' 'filterType=WILDCARD,filter=sha256-*'"},
		"immutable sha256-*":                   {kind: "IMMUTABLE_WITH_EXCLUSION", excluded: []string{"live"}, says: "could list only the first", hint: "filter=sha256-*"},
		"immutable sha256-*, with the API":     {kind: "IMMUTABLE_WITH_EXCLUSION", excluded: []string{"live"}, api: true},
		"another channel is exempt":            {kind: "IMMUTABLE_WITH_EXCLUSION", excluded: []string{"canary", "sha256-*"}, says: "the channel live", hint: "'filterType=WILDCARD,filter=canary' 'filterType=WILDCARD,filter=live'"},
		"a pattern exempts it":                 {kind: "IMMUTABLE_WITH_EXCLUSION", excluded: []string{"l*e", "sha256-*"}},
		"release tags alone are immutable":     {kind: "MUTABLE_WITH_EXCLUSION", excluded: []string{"release-*"}},
		"the channel is among what is fixed":   {kind: "MUTABLE_WITH_EXCLUSION", excluded: []string{"release-*", "li*"}, says: "the channel live", hint: "MUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters 'filterType=WILDCARD,filter=release-*'"},
		"nothing is left of what was excluded": {kind: "MUTABLE_WITH_EXCLUSION", excluded: []string{"*"}, says: "the channel live", hint: exclude + "MUTABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prod.NoReferrers = !c.api
			w.prod.Change("app", func(r *ecrtest.Repository) { r.Mutability, r.Excluded = c.kind, c.excluded })
			err := w.client(registry.Read).Ready(t.Context(), w.prod.Repository("app"), needs(w.push(t, w.prod, "v1")))
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasSuffix(fault.HintOf(err), c.hint) && !strings.Contains(fault.HintOf(err), c.hint)) {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

func TestWhoMayNotLookAtTheRulesGoesOnWithoutThem(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "v1")
	w.prod.Change("app", func(r *ecrtest.Repository) { r.Mutability, r.Excluded = "IMMUTABLE", nil })
	w.Allow(person, map[string][]string{"arn:aws:ecr:*:*:repository/*": {"ecr:BatchGetImage"}})
	must(t, w.client(registry.Read).Ready(t.Context(), w.prod.Repository("app"), needs(m)))
	w.entries[w.prod.Host] = config.Registry{Read: &config.Identity{Docker: true}}
	must(t, w.client(registry.Read).Ready(t.Context(), w.prod.Repository("app"), registry.Needs{Moves: []string{"live"}})) // no identity of AWS: nothing is asked
}

func TestAnImageThatIsThereIsDone(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "release-1")
	promote := w.client(registry.Promote)
	must(t, promote.PutManifest(t.Context(), w.prod.Repository("app"), "release-1", m)) // ECR refuses: the tag exists
	must(t, promote.PutManifest(t.Context(), w.prod.Repository("app"), m.Descriptor.Digest.String(), m))
	again, err := registry.Copy(t.Context(), registry.CopyRequest{
		From: w.client(registry.Read), Source: w.prod.Repository("app"), To: promote, Target: w.prod.Repository("app"), Root: m.Descriptor.Digest,
	})
	if err != nil || again.Bytes != 0 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestAnImmutableTagOfAnotherDigestStops(t *testing.T) {
	w := newWorld(t)
	other := w.push(t, w.prod, "release-1")
	m := w.push(t, w.prod, "v2")
	err := w.client(registry.Promote).PutManifest(t.Context(), w.prod.Repository("app"), "release-1", m)
	if !errors.Is(err, registry.ErrImmutable) || fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v", err)
	}
	if d, err := w.client(registry.Read).Head(t.Context(), w.prod.Repository("app"), "release-1"); err != nil || d.Digest != other.Descriptor.Digest {
		t.Errorf("%v, %v", d.Digest, err)
	}
}

func TestAnImmutableChannelCannotMove(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "live")
	m := w.push(t, w.prod, "v2")
	w.prod.Change("app", func(r *ecrtest.Repository) { r.Excluded = []string{"sha256-*"} })
	err := w.client(registry.Promote).PutManifest(t.Context(), w.prod.Repository("app"), "live", m)
	if !errors.Is(err, registry.ErrImmutable) || !strings.Contains(fault.HintOf(err), "exempt the tag") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// evidence attaches two statements to an image.
func evidence(t *testing.T, w *world, m registry.Manifest) error {
	t.Helper()
	var errs []error
	for _, text := range []string{"first", "second"} {
		errs = append(errs, w.client(registry.Promote).Attach(t.Context(), w.prod.Repository("app"), statement(t, w, m, text)))
	}
	return errors.Join(errs...)
}

func TestReferrersAreListedByTheAPIOrUnderATag(t *testing.T) {
	for name, missing := range map[string]bool{"API": false, "tag": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prod.NoReferrers = missing
			m := w.push(t, w.prod, "v1")
			must(t, evidence(t, w, m))
			found, err := w.client(registry.Read).Referrers(t.Context(), w.prod.Repository("app"), m.Descriptor.Digest, nil)
			if err != nil || len(found.Descriptors) != 2 || found.API == missing {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

func TestAnImmutableListOfReferrersIsSaid(t *testing.T) {
	w := newWorld(t)
	w.prod.NoReferrers = true
	w.prod.Change("app", func(r *ecrtest.Repository) { r.Excluded = []string{"live"} })
	if err := evidence(t, w, w.push(t, w.prod, "v1")); !errors.Is(err, registry.ErrImmutable) {
		t.Errorf("got %v", err)
	}
}

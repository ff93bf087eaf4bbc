package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
)

// The bounds of asking when base images were made.
const (
	basesMost   = 100              // of one candidate; no build takes more
	basesWait   = 10 * time.Second // for all of one candidate
	basesResume = 30 * time.Second // after which a list asks a registry again that could not answer
)

// dating knows when base images were made. That follows from their digests: what
// was told once is not asked again. Safe for concurrent use.
type dating struct {
	mu    sync.Mutex
	known map[gates.BaseRef]gates.BaseDate
	down  map[string]hitch // by what could not answer: a host, or an image of it
	turns map[gates.BaseRef]*semaphore.Weighted
}

// hitch is a failure that the next row of a list would meet again.
type hitch struct {
	at  time.Time
	err error
}

func newDating() *dating {
	return &dating{known: map[gates.BaseRef]gates.BaseDate{}, down: map[string]hitch{}, turns: map[gates.BaseRef]*semaphore.Weighted{}}
}

// bases says when the base images were made whose age decides about the candidate
// of in. The registries asked are those of repositories that the policy allows.
func (d *Desk) bases(ctx context.Context, w world, in gates.Input) []gates.BaseDate {
	refs := gates.BasesToDate(w.policy, in)
	if len(refs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, basesWait, fmt.Errorf("no complete answer within %s: %w", basesWait, registry.ErrLimit))
	defer cancel()
	out := make([]gates.BaseDate, len(refs))
	group := errgroup.Group{}
	group.SetLimit(workers)
	for i, ref := range refs {
		if i >= basesMost {
			out[i] = gates.BaseDate{BaseRef: ref, Err: fmt.Errorf("the candidate has %d base images, more than the %d that are asked for: %w", len(refs), basesMost, registry.ErrLimit)}
			continue
		}
		group.Go(func() error {
			out[i] = d.dated(ctx, ref, w.patience == asKept)
			return nil
		})
	}
	_ = group.Wait() // every error is in its own answer
	return out
}

// dated says when one base image was made. Whoever asks for the same one waits, and
// is answered from memory; with lenient, so is who meets the same failure.
func (d *Desk) dated(ctx context.Context, ref gates.BaseRef, lenient bool) gates.BaseDate {
	turn := d.dating.turn(ref)
	if err := turn.Acquire(ctx, 1); err != nil {
		return gates.BaseDate{BaseRef: ref, Err: unanswered(ref, context.Cause(ctx))}
	}
	defer turn.Release(1)
	if known, ok := d.dating.find(ref, d.Now(), lenient); ok {
		return known
	}
	created, err := d.created(ctx, ref)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		err = unanswered(ref, err)
	}
	found := gates.BaseDate{BaseRef: ref, Created: created, Err: err}
	d.dating.note(found, d.Now())
	return found
}

// unanswered is a failure as the gate tells it, with its remedy.
func unanswered(ref gates.BaseRef, err error) error {
	if hint := fault.HintOf(err); hint != "" {
		return fmt.Errorf("%s did not say when it was made: %w; %s", hostOf(ref), err, hint)
	}
	return fmt.Errorf("%s did not say when it was made: %w", hostOf(ref), err)
}

func (b *dating) turn(ref gates.BaseRef) *semaphore.Weighted {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turns[ref] == nil {
		b.turns[ref] = semaphore.NewWeighted(1)
	}
	return b.turns[ref]
}

// find is what was told before; with lenient also a failure of a moment ago.
func (b *dating) find(ref gates.BaseRef, now time.Time, lenient bool) (gates.BaseDate, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.known[ref]; ok {
		return known, true
	}
	for _, what := range []string{hostOf(ref), imageOf(ref)} {
		h, ok := b.down[what]
		if age := now.Sub(h.at); ok && lenient && age >= 0 && age < basesResume {
			return gates.BaseDate{BaseRef: ref, Err: fmt.Errorf("%w (%s ago)", h.err, age.Round(time.Second))}, true
		}
	}
	return gates.BaseDate{}, false
}

// note keeps an answer for good, and a failure for a moment.
func (b *dating) note(d gates.BaseDate, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.down, hostOf(d.BaseRef))
	delete(b.down, imageOf(d.BaseRef))
	switch {
	case d.Err == nil:
		b.known[d.BaseRef] = d
	case errors.Is(d.Err, context.Canceled): // nobody wants to know any more
	case errors.Is(d.Err, errOfImage) || errors.Is(d.Err, registry.ErrNotFound):
		b.down[imageOf(d.BaseRef)] = hitch{now, d.Err}
	default:
		b.down[hostOf(d.BaseRef)] = hitch{now, d.Err}
	}
}

func hostOf(ref gates.BaseRef) string {
	repo, err := registry.ParseRepository(ref.Repository)
	if err != nil {
		return ref.Repository
	}
	return repo.Host
}

func imageOf(ref gates.BaseRef) string {
	return ref.Repository + "@" + ref.Digest.String() + " " + ref.Platform
}

// errOfImage is in the chain of an error about an image that is not what was expected.
var errOfImage = errors.New("not the image that provenance names")

// created reads when a base image was made: its index if it has one, the manifest
// of the platform, the configuration; each from this machine if it was ever read.
func (d *Desk) created(ctx context.Context, ref gates.BaseRef) (time.Time, error) {
	repo, err := registry.ParseRepository(ref.Repository)
	if err != nil {
		return time.Time{}, err
	}
	shelf := d.shelf(repo)
	defer shelf.flush()
	at := ocispec.Descriptor{Digest: ref.Digest, Size: registry.MaxManifest} // its size is not known before
	for range registry.MaxDepth {
		m := shelf.get(ctx, []ocispec.Descriptor{at}, shelf.manifest)[0]
		if m.err != nil {
			return time.Time{}, m.err
		}
		next, last, err := towards(ref.Platform, m.raw)
		if err != nil {
			return time.Time{}, err
		}
		if last {
			return createdBy(shelf.get(ctx, []ocispec.Descriptor{next}, shelf.blob(registry.MaxConfig))[0])
		}
		at = next
	}
	return time.Time{}, fmt.Errorf("it has more than %d levels of indexes: %w", registry.MaxDepth, registry.ErrLimit)
}

// towards is what a manifest names on the way to the configuration of a platform:
// the manifest of the platform, or the configuration itself, which is the last.
func towards(platform string, raw []byte) (next ocispec.Descriptor, last bool, err error) {
	var doc struct {
		Config    *ocispec.Descriptor  `json:"config"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return ocispec.Descriptor{}, false, fmt.Errorf("%w: its manifest is no JSON: %w", errOfImage, err)
	}
	if doc.Config == nil {
		next, err = childFor(platform, doc.Manifests)
		return next, false, err
	}
	if err := doc.Config.Digest.Validate(); err != nil {
		return ocispec.Descriptor{}, false, fmt.Errorf("%w: its configuration has no digest: %w", errOfImage, err)
	}
	return *doc.Config, true, nil
}

// createdBy reads a configuration.
func createdBy(c content) (time.Time, error) {
	if c.err != nil {
		return time.Time{}, c.err
	}
	var config struct {
		Created *time.Time `json:"created"`
	}
	if err := json.Unmarshal(c.raw, &config); err != nil {
		return time.Time{}, fmt.Errorf("%w: its configuration cannot be read: %w", errOfImage, err)
	}
	if config.Created == nil {
		return time.Time{}, nil
	}
	return config.Created.UTC(), nil
}

// childFor is the manifest of a platform in an index; the only one, if the index or
// the provenance names no platform.
func childFor(platform string, manifests []ocispec.Descriptor) (ocispec.Descriptor, error) {
	var images []ocispec.Descriptor
	var has []gates.Platform
	var names []string
	for _, m := range manifests {
		if m.Digest.Validate() != nil || m.ArtifactType != "" || m.Platform != nil && m.Platform.OS == "unknown" {
			continue // BuildKit's attestations, and what is no image
		}
		name := nameOf(m.Platform)
		images, has, names = append(images, m), append(has, gates.Platform{Name: name, Digest: m.Digest}), append(names, clean.Text(name))
	}
	if len(images) == 1 && (platform == "" || has[0].Name == "") {
		return images[0], nil
	}
	if i := gates.PlatformNamed(has, platform); i >= 0 {
		return images[i], nil
	}
	return ocispec.Descriptor{}, fmt.Errorf("%w: for the platform %q it has not one image; it has %s", errOfImage, clean.Text(platform), list(names))
}

// nameOf is os/arch or os/arch/variant, "" if an index does not say.
func nameOf(p *ocispec.Platform) string {
	switch {
	case p == nil:
		return ""
	case p.Variant != "":
		return p.OS + "/" + p.Architecture + "/" + p.Variant
	}
	return p.OS + "/" + p.Architecture
}

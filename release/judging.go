package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/diff"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

// world is what candidates are judged against, read once for all of them.
type world struct {
	place
	now      time.Time
	prod     digest.Digest // "" for none
	root     named         // the same, as the registry describes it
	image    *diff.Image   // of prod, with the findings of its newest verified scan; nil for none
	imageErr error         // it could not be described: every change may be a bigger one
	chain    ledger.Chain
	chainErr error
	standing gates.Standing // of the policy
	promoter string
	// requesters asked the promoter, a pipeline.
	requesters []string
	// overrides are the gates that the promoter asks to go past.
	overrides []gates.Override
	watched   watched  // what staging runs
	patience  patience // how old the answers of sources may be
}

// judged is the answer about one candidate.
type judged struct {
	verdict gates.Verdict
	bigger  []string
	added   int64    // bytes that prod does not have
	gone    []string // negatives that were seen and are no longer in the registry
}

// judge evaluates the gates over evidence that was gathered.
func (d *Desk) judge(ctx context.Context, w world, s *shelf, r row, f found) (judged, error) {
	in := gates.Input{
		Now: w.now, Service: w.Name, Candidate: r.Digest, Platforms: r.Children, Prod: w.prod,
		Evidence: f.items, Listing: f.err, QuarantineErr: w.chainErr, Promoter: w.promoter, Requesters: w.requesters,
		Standing: w.standing, Overrides: w.overrides, Staged: w.watched.of(r.Digest),
	}
	known, err := d.Store.Negatives(r.Digest)
	if err != nil {
		// What was seen on this machine may say no; not knowing it is no yes.
		in.Listing = fault.Join(f.err, fmt.Errorf("read the failures and rejections that this machine has seen: %w", err))
	}
	for _, k := range known {
		in.Negatives = append(in.Negatives, gates.Negative(k))
	}
	in.Quarantined = w.chain.QuarantinedBy(r.digests(r.Digest)...)
	var out judged
	image, err := diff.Describe(ctx, s, r.descriptor())
	if err != nil {
		return judged{}, err
	}
	image.Tags = r.tags
	out.added = addedBytes(w.image, image)
	if w.compares(image) {
		d.examine(w.place, &image, f.items)
	}
	out.bigger, in.BiggerErr = w.biggerThan(image)
	in.Bigger = out.bigger
	in.Facts = w.facts(image, r.tags)
	in.Answers = d.answers(ctx, w, image, r.outline, f.items)
	in.Bases = d.bases(ctx, w, in)
	out.verdict = gates.Evaluate(w.policy, in)
	if f.err == nil {
		out.gone = vanished(known, f.items)
	}
	return out, nil
}

// addedBytes are the blobs that prod's digest does not have.
func addedBytes(prod *diff.Image, image diff.Image) int64 {
	var have map[digest.Digest]int64
	if prod != nil {
		have = prod.Blobs()
	}
	var added int64
	for dg, n := range image.Blobs() {
		if _, ok := have[dg]; !ok {
			added += n
		}
	}
	return added
}

// compares tells whether what the evidence says of an image is looked at beside the checks.
func (w world) compares(image diff.Image) bool {
	return w.imageErr == nil && w.prod != image.Digest || len(w.Gates.Custom) > 0
}

// biggerThan says which rules make image a bigger change than prod.
func (w world) biggerThan(image diff.Image) ([]string, error) {
	if w.imageErr != nil {
		return nil, w.imageErr
	}
	if w.prod == image.Digest {
		return nil, nil
	}
	return diff.Bigger(diff.Compare(w.image, image), w.biggerRules(), w.worst()), nil
}

// biggerRules are those of the sign-off gate; where it does not ask by them, the
// usual ones, for people to see. No rule at all would never ask anybody: it is
// taken for none chosen.
func (w world) biggerRules() config.Bigger {
	g := w.Gates.SignOff
	if g == nil || len(g.Bigger.Rules) == 0 && g.Bigger.Size == 0 && g.Bigger.Layers == 0 {
		return config.DefaultBigger()
	}
	return g.Bigger
}

// lean tells whether a list needs no bills of materials: no rule looks at them.
func (w world) lean() bool { return !slices.Contains(w.biggerRules().Rules, config.BiggerEcosystem) }

// facts are what the custom gates may look at; nothing where there are none.
func (w world) facts(image diff.Image, tags []string) gates.Facts {
	if len(w.Gates.Custom) == 0 {
		return gates.Facts{}
	}
	if w.imageErr != nil {
		return diff.Facts(w.Staging, image, nil, tags)
	}
	change := diff.Compare(w.image, image)
	return diff.Facts(w.Staging, image, &change, tags)
}

// worst is the severity that still passes; without a scan gate, medium.
func (w world) worst() config.Severity {
	if w.Gates.Scan == nil {
		return config.Medium
	}
	return w.Gates.Scan.MaxSeverity
}

// vanished names the negatives whose evidence is gone.
func vanished(known []store.Negative, items []evidence.Item) []string {
	there := map[digest.Digest]bool{}
	for _, i := range items {
		there[i.Manifest], there[i.Layer] = true, true // an envelope of an .att tag is known by its layer
	}
	var gone []string
	for _, n := range known {
		if !there[n.Evidence] && !gates.Negative(n).OfSource() { // a source's answer was never there
			gone = append(gone, fmt.Sprintf("%s: %s (evidence %s) was seen and is no longer in the registry; it still counts",
				n.Gate, n.Reason, shortOr(n.Evidence)))
		}
	}
	return gone
}

// rememberNegatives keeps what must not be forgotten.
func (d *Desk) rememberNegatives(negatives []gates.Negative) error {
	keep := make([]store.Negative, 0, len(negatives))
	for _, n := range negatives {
		keep = append(keep, store.Negative(n))
	}
	return d.Store.Remember(keep...)
}

// subject is a candidate, described, with its names.
type subject struct {
	named
	outline
	tags  []string // every tag of the repository
	names []string // those of them that point at it and that the service selects; nil: not asked
}

// fresh reads one candidate and its evidence again, never from memory, and judges it.
func (d *Desk) fresh(ctx context.Context, w world, dg digest.Digest) (subject, judged, error) {
	shelf := d.shelf(w.staging)
	defer shelf.flush()
	sub, err := d.subject(ctx, w.place, shelf, dg)
	if err != nil {
		return subject{}, judged{}, err
	}
	f := gathering{desk: d, repo: w.staging, shelf: shelf, tags: sub.tags}.gather(ctx, dg, sub.outline)
	defer f.release()
	if len(w.Gates.Custom) > 0 { // they may look at its names
		if sub.names, err = d.namesOf(ctx, w.place, sub); err != nil {
			return subject{}, judged{}, err
		}
	}
	j, err := d.judge(ctx, w, shelf, row{named: sub.named, outline: sub.outline, tags: sub.names}, f)
	return sub, j, err
}

// subject finds a candidate in staging. One that is gone has registry.ErrNotFound in its chain.
func (d *Desk) subject(ctx context.Context, p place, s *shelf, dg digest.Digest) (subject, error) {
	desc, err := d.read().Head(ctx, p.staging, dg.String())
	if errors.Is(err, registry.ErrNotFound) {
		return subject{}, fault.New(fault.Failed, "plimsoll list "+p.Name+" shows the candidates", err,
			"%s is not in staging (any more)", p.staging.At(dg))
	}
	if err != nil {
		return subject{}, err
	}
	sub := subject{named: named{desc.Digest, desc.MediaType, desc.Size}}
	if sub.tags, err = d.read().Tags(ctx, p.staging); err != nil {
		return subject{}, err
	}
	if sub.outline, err = s.outline(ctx, sub.named); err != nil {
		return subject{}, err
	}
	if sub.NoImage {
		return subject{}, fault.New(fault.Failed, "plimsoll list "+p.Name+" shows the candidates", nil,
			"%s is no image but a signature, an attestation or another artifact", p.staging.At(dg))
	}
	return sub, nil
}

// world reads what candidates are judged against: the channel, the image that
// it points at, and the ledger.
func (d *Desk) world(ctx context.Context, p place) (world, error) {
	w := world{place: p, now: d.Now()}
	var err error
	if w.root, err = d.channelRoot(ctx, p); err != nil {
		return world{}, err
	}
	w.prod = w.root.Digest
	w.chain, w.chainErr = d.chain(ctx, p)
	w.standing = d.standing(p, w.chain, w.chainErr)
	w.watched = d.watch(ctx, p)
	d.describeProd(ctx, &w, nil)
	return w, nil
}

// channelRoot is what the channel points at; without a digest for nothing.
func (d *Desk) channelRoot(ctx context.Context, p place) (named, error) {
	desc, err := d.read().Head(ctx, p.prod, p.Channel)
	if errors.Is(err, registry.ErrNotFound) {
		return named{}, nil
	}
	if err != nil {
		return named{}, fmt.Errorf("ask what %s points at: %w", p.channel(), err)
	}
	return named{desc.Digest, desc.MediaType, desc.Size}, nil
}

// describeProd reads what prod runs and the newest verified scan of it.
// Nothing of it can stop a listing: what is missing makes a bigger change.
func (d *Desk) describeProd(ctx context.Context, w *world, m *memory) {
	if w.prod == "" {
		return
	}
	shelf := d.shelf(w.place.prod)
	defer shelf.flush()
	image, err := diff.Describe(ctx, shelf, w.root.descriptor())
	if err != nil {
		w.imageErr = fmt.Errorf("describe %s, which prod runs: %w", w.place.prod.At(w.prod), err)
		return
	}
	image.Tags = d.tagsOf(w.place, w.prod)
	w.image = &image
	f := gathering{desk: d, repo: w.place.prod, shelf: shelf, memory: m, mu: &sync.Mutex{}, aside: true, lean: m != nil && w.lean()}.gather(ctx, w.prod, outlineOf(image))
	defer f.release()
	d.examine(w.place, w.image, f.items)
}

// Gates reads the evidence of a candidate again, never from memory, and says
// what every gate thinks of it.
func (d *Desk) Gates(ctx context.Context, service string, dg digest.Digest) (Verdict, error) {
	p, err := d.place(service)
	if err != nil {
		return Verdict{}, err
	}
	w, err := d.world(ctx, p)
	if err != nil {
		return Verdict{}, err
	}
	_, j, err := d.fresh(ctx, w, dg)
	if err != nil {
		return Verdict{}, err
	}
	_ = d.sources.Flush() // what is not kept is asked again
	v := Verdict{
		Service: service, Digest: dg, Image: p.staging.At(dg), Verdict: j.verdict.State, Checks: j.verdict.Checks,
		Policy: p.policy.Digest(), Bigger: j.bigger, Prod: pointer(w.prod), Warnings: j.gone,
	}
	if err := d.rememberNegatives(j.verdict.Negatives); err != nil {
		v.Warnings = append(v.Warnings, "what was seen could not be remembered on this machine: "+clean.Text(err.Error()))
	}
	return v, nil
}

// pointer is nil for no digest.
func pointer(dg digest.Digest) *digest.Digest {
	if dg == "" {
		return nil
	}
	return &dg
}

// shortOr is short for a digest that may be missing.
func shortOr(dg digest.Digest) string {
	if dg.Validate() != nil {
		return "an unknown digest"
	}
	return short(dg)
}

func short(dg digest.Digest) string { return dg.Algorithm().String() + ":" + dg.Encoded()[:12] }

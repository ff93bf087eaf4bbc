package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// Draft is a signed entry that can be published again and again: it stays one
// entry. Journal it before Publish, and a crash leaves one record, not two.
type Draft struct {
	Tag      string        `json:"tag"`
	Digest   digest.Digest `json:"digest"` // of the manifest
	Manifest []byte        `json:"manifest"`
	Bundle   []byte        `json:"bundle"`
}

// Draft signs a record with the next number: one more than any entry of the
// channel has or had, as far as this machine saw, believed or not. It follows predicate.PreviousRecord if that is
// set, else the entry with the highest number, of which the chain's Head is
// preferred. Nothing is written; it costs the tag list.
func (l *Ledger) Draft(ctx context.Context, signer evidence.Signer, p evidence.PromotionPredicate) (Draft, Record, error) {
	head, highest, err := l.head(ctx, p)
	if err != nil {
		return Draft{}, Record{}, err
	}
	if highest >= maxNumber {
		return Draft{}, Record{}, fault.New(fault.Failed, "remove the entry with that number from "+l.repo.String()+" if nobody of you wrote it", nil,
			"write a record to the ledger %s: number %d of %s is taken, there is none after it", l.repo, highest, p.Channel)
	}
	p.Number = highest + 1
	if p.PreviousRecord.Digest == "" {
		p.PreviousRecord.Digest = head
	}
	statement, err := evidence.NewStatement(evidence.Promotion, p.To.URI, p.To.Digest, p)
	if err != nil {
		return Draft{}, Record{}, fmt.Errorf("write record %d: %w", p.Number, err)
	}
	d, err := l.seal(ctx, signer, evidence.Promotion, statement)
	if err != nil {
		return Draft{}, Record{}, fmt.Errorf("sign record %d of %s: %w", p.Number, p.Channel, err)
	}
	d.Tag = tagOfRecord(p.Channel, p.Number, d.Digest)
	return d, Record{Number: p.Number, Tag: d.Tag, Digest: d.Digest, Predicate: p, Verified: true}, nil
}

// seal signs a statement and wraps it as an entry that has no tag yet.
func (l *Ledger) seal(ctx context.Context, signer evidence.Signer, predicateType string, statement []byte) (Draft, error) {
	bundle, err := evidence.Sign(ctx, signer, statement)
	if err != nil {
		return Draft{}, err //nolint:wrapcheck // the callers say what was signed
	}
	if len(bundle) > maxEntry {
		return Draft{}, fmt.Errorf("the entry has %d bytes, the limit is %d: %w", len(bundle), maxEntry, registry.ErrLimit)
	}
	manifest, _ := evidence.Manifest(bundle, predicateType, nil, l.now())
	return Draft{Digest: digest.FromBytes(manifest), Manifest: manifest, Bundle: bundle}, nil
}

// head is the newest entry of the channel and the highest number, 0 without an
// entry.
func (l *Ledger) head(ctx context.Context, p evidence.PromotionPredicate) (digest.Digest, int, error) {
	tags, err := l.registry.Tags(ctx, l.repo)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return "", 0, fmt.Errorf("look for the newest record in the ledger %s: %w", l.repo, err)
	}
	known := l.loadIndex()
	for _, tag := range tags {
		delete(known, tag)
	}
	tags = slices.AppendSeq(tags, maps.Keys(known)) // a number that was seen is not given out again
	names := sortTags(tags, p.Channel).records
	if len(names) == 0 {
		return "", 0, nil
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Or(b.number-a.number, cmp.Compare(a.tag, b.tag)) })
	if p.PreviousRecord.Digest != "" {
		return "", names[0].number, nil
	}
	before, err := l.newest(ctx, names, p)
	return before, names[0].number, err
}

// newest is the manifest of the newest entry that is believed, if the ledger
// knows whom to trust, else of the newest that can be read.
func (l *Ledger) newest(ctx context.Context, names []name, p evidence.PromotionPredicate) (digest.Digest, error) {
	repo, err := registry.ParseRepository(p.To.URI)
	if err != nil {
		return "", err //nolint:wrapcheck // it names the repository
	}
	c := court{Ledger: l, groups: l.trust, prod: repo, channel: p.Channel}
	f := &fetcher{Ledger: l, known: l.loadIndex()}
	defer f.flush()
	for len(names) > 0 {
		same := 1
		for same < len(names) && names[same].number == names[0].number {
			same++
		}
		var found []Record
		if err := fetch(ctx, f, names[:same], c.record, func(r Record) { found = append(found, r) }); err != nil {
			return "", fmt.Errorf("read the newest record of the ledger %s: %w", l.repo, err)
		}
		slices.SortFunc(found, inOrder)
		for _, r := range slices.Backward(found) {
			if r.Digest != "" && (len(l.trust) == 0 || r.Verified) {
				return r.Digest, nil
			}
		}
		names = names[same:]
	}
	return "", nil
}

// Publish writes a draft. It may be called again after a failure, and does
// nothing the second time: an entry is named by what is in it. It takes two
// requests where the ledger has entries already, and four for the first one.
func (l *Ledger) Publish(ctx context.Context, d Draft) error {
	if err := l.registry.PutBlob(ctx, l.repo, d.Bundle); err != nil {
		return l.unwritten(d, err)
	}
	// Every entry has the same configuration, so it is there as a rule.
	begun := len(l.loadIndex()) > 0
	var err error
	if begun {
		err = l.putManifest(ctx, d)
	}
	var status *registry.StatusError
	if !begun || errors.As(err, &status) && status.Status/100 == 4 {
		if err := l.registry.PutBlob(ctx, l.repo, evidence.EmptyConfig()); err != nil {
			return l.unwritten(d, err)
		}
		err = l.putManifest(ctx, d)
	}
	if err != nil {
		return l.unwritten(d, err)
	}
	l.learn(d)
	return nil
}

func (l *Ledger) putManifest(ctx context.Context, d Draft) error {
	err := l.registry.PutManifest(ctx, l.repo, d.Tag, registry.Manifest{Raw: d.Manifest, Descriptor: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: evidence.BundleMediaType, Digest: d.Digest, Size: int64(len(d.Manifest)),
	}})
	if err == nil {
		return nil
	}
	// The answer may be lost and the entry there. Nobody else writes this tag.
	if there, look := l.registry.Head(ctx, l.repo, d.Tag); look == nil && there.Digest == d.Digest {
		return nil
	}
	return err
}

// learn remembers an entry that was written here, so that it is not read back.
func (l *Ledger) learn(d Draft) {
	known := l.loadIndex()
	known[d.Tag] = place{
		Manifest: d.Digest, Bundle: digest.FromBytes(d.Bundle), Size: int64(len(d.Bundle)),
		Believed: strings.HasSuffix(d.Tag, doneSuffix),
	}
	if l.cache.PutContent(d.Bundle) == nil {
		_ = l.cache.PutSnapshot(indexKind, l.repo.String(), known) // a cache that fails costs requests
	}
}

func (l *Ledger) unwritten(d Draft, err error) error {
	return fault.New(fault.CodeOf(err), cmp.Or(fault.HintOf(err), "check that the promote identity may push to "+l.repo.String()+", then run it again"), err,
		"write %s to the ledger %s", d.Tag, l.repo)
}

// Complete says what became of a record that was written ahead of the move; c
// needs Outcome, FinishedOn, Actor and what belongs to them. A record
// that has that outcome already is left alone, one with another is an error.
func (l *Ledger) Complete(ctx context.Context, signer evidence.Signer, r Record, c evidence.CompletionPredicate) error {
	if r.Completion != nil {
		if r.Completion.Predicate.Outcome == c.Outcome {
			return nil
		}
		return fault.New(fault.Failed, "look at plimsoll history", nil, "complete record %d of %s as %s: %s closed it as %s",
			r.Number, r.Predicate.Channel, c.Outcome, r.Completion.Predicate.Actor.ID, r.Completion.Predicate.Outcome)
	}
	c.Record.Digest, c.Number, c.Channel = r.Digest, r.Number, r.Predicate.Channel
	c.Service = cmp.Or(c.Service, r.Predicate.Service)
	statement, err := evidence.NewStatement(evidence.Completion, l.repo.String(), r.Digest, c)
	if err != nil {
		return fmt.Errorf("complete record %d: %w", r.Number, err)
	}
	d, err := l.seal(ctx, signer, evidence.Completion, statement)
	if err != nil {
		return fmt.Errorf("sign the completion of record %d: %w", r.Number, err)
	}
	d.Tag = r.Tag + doneSuffix
	return l.Publish(ctx, d)
}

// Abandon is Complete for a record whose channel was not moved; c.Reason says why.
func (l *Ledger) Abandon(ctx context.Context, signer evidence.Signer, r Record, c evidence.CompletionPredicate) error {
	c.Outcome = evidence.OutcomeAbandoned
	return l.Complete(ctx, signer, r, c)
}

// Quarantine writes a quarantine, or with p.Lifts the end of one, and returns
// the digest of its manifest. p.Prod is the repository that it counts for.
func (l *Ledger) Quarantine(ctx context.Context, signer evidence.Signer, p evidence.QuarantinePredicate) (digest.Digest, error) {
	d, err := l.DraftQuarantine(ctx, signer, p)
	if err != nil {
		return "", err
	}
	return d.Digest, l.Publish(ctx, d)
}

// DraftQuarantine signs what Quarantine writes, without writing it.
func (l *Ledger) DraftQuarantine(ctx context.Context, signer evidence.Signer, p evidence.QuarantinePredicate) (Draft, error) {
	if err := p.Digest.Validate(); err != nil {
		return Draft{}, fmt.Errorf("quarantine %q: %w", p.Digest, err)
	}
	platforms := make([]evidence.Subject, 0, len(p.Platforms))
	for _, dg := range p.Platforms {
		platforms = append(platforms, evidence.SubjectOf(p.Prod, dg))
	}
	statement, err := evidence.NewStatement(evidence.Quarantine, p.Prod, p.Digest, p, platforms...)
	if err != nil {
		return Draft{}, fmt.Errorf("quarantine %s: %w", p.Digest, err)
	}
	d, err := l.seal(ctx, signer, evidence.Quarantine, statement)
	if err != nil {
		return Draft{}, fmt.Errorf("sign the quarantine of %s: %w", p.Digest, err)
	}
	d.Tag = tagOfQuarantine(p.Digest, d.Digest)
	return d, nil
}

// DraftPolicy signs a statement about a policy, without writing it. p.Policy is
// the document; its digest is filled in.
func (l *Ledger) DraftPolicy(ctx context.Context, signer evidence.Signer, p evidence.PolicyPredicate) (Draft, error) {
	p.Digest = digest.FromBytes(p.Policy)
	if p.Previous == nil {
		p.Previous = []digest.Digest{}
	}
	statement, err := evidence.NewStatement(evidence.Policy, p.Service, p.Digest, p)
	if err != nil {
		return Draft{}, fmt.Errorf("write down the policy of %s: %w", p.Service, err)
	}
	d, err := l.seal(ctx, signer, evidence.Policy, statement)
	if err != nil {
		return Draft{}, fmt.Errorf("sign the policy of %s: %w", p.Service, err)
	}
	d.Tag = tagOfPolicy(p.Digest, d.Digest)
	return d, nil
}

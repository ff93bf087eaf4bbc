package release

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// signer opens the person's key.
func (d *Desk) signer(ctx context.Context) (evidence.Signer, error) {
	if d.Signer == nil {
		return nil, fault.New(fault.Usage, "set signing: {key: …} in personal.yaml in your configuration directory", nil,
			"nothing can be signed: no key is configured")
	}
	return d.Signer(ctx)
}

// member finds who a key is now, in some signer groups; "" and false for a
// stranger. A key without a person counts, without an id.
func (d *Desk) member(key crypto.PublicKey, groups []string) (id string, ok bool) {
	now := d.Now()
	for _, name := range groups {
		for _, m := range d.Config.Trust[name].Members() {
			if m.Key.Is(key) && m.Key.Counts(now) {
				ok = true
				id = cmp.Or(id, m.ID)
			}
		}
	}
	return id, ok
}

// everyGroup names all signer groups, in a stable order.
func (d *Desk) everyGroup() []string {
	names := make([]string, 0, len(d.Config.Trust))
	for name := range d.Config.Trust {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// identify is the signer of operations: the key, and the id that trust gives it.
func (d *Desk) identify(ctx context.Context) (evidence.Signer, string, error) {
	s, err := d.signer(ctx)
	if err != nil {
		return nil, "", err
	}
	id, _ := d.member(s.Public(), d.everyGroup())
	if id == "" {
		id = d.Actor
	}
	return s, id, nil
}

// attach signs a statement about a digest and hangs it on that digest. It
// gives the digest of the manifest that carries it.
func (d *Desk) attach(ctx context.Context, s evidence.Signer, repo registry.Repository, about ocispec.Descriptor, predicateType string, predicate any) (digest.Digest, error) {
	statement, err := evidence.NewStatement(predicateType, repo.String(), about.Digest, predicate)
	if err != nil {
		return "", fmt.Errorf("write the statement about %s: %w", repo.At(about.Digest), err)
	}
	bundle, err := evidence.Sign(ctx, s, statement)
	if err != nil {
		return "", fmt.Errorf("sign the statement about %s: %w", repo.At(about.Digest), err)
	}
	if len(bundle) > registry.MaxBundle {
		return "", fault.New(fault.Failed, "leave the long texts out of the report, or report on one platform at a time", registry.ErrLimit,
			"the evidence about %s would be %d bytes, more than the %d that readers take", repo.At(about.Digest), len(bundle), registry.MaxBundle)
	}
	raw, layer := evidence.Manifest(bundle, predicateType, &about, d.Now())
	client := d.Client(registry.Evidence)
	for _, blob := range [][]byte{evidence.EmptyConfig(), bundle} {
		if err := client.PutBlob(ctx, repo, blob); err != nil {
			return "", fmt.Errorf("upload evidence to %s: %w", repo, err)
		}
	}
	m := registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest,
		Digest:    digest.FromBytes(raw), Size: int64(len(raw)), ArtifactType: layer.MediaType,
	}}
	if err := client.Attach(ctx, repo, m); err != nil {
		return "", fmt.Errorf("attach evidence to %s: %w", repo.At(about.Digest), err)
	}
	_ = d.Store.PutContent(raw, bundle) // only a cache
	return m.Descriptor.Digest, nil
}

// audit appends to the chain of this machine. What was done is done: a chain
// that cannot be written is a note beside it.
func (d *Desk) audit(action, service, actor string, data any) string {
	if actor == "" {
		actor = d.Actor
	}
	if _, err := d.Store.Audit(action, service, actor, data); err != nil {
		return "it is not in the audit chain of this machine: " + err.Error()
	}
	return ""
}

// list writes words as a list for people.
func list(words []string) string { return strings.Join(words, ", ") }

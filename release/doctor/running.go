package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// running compares what prod runs, as the probe tells, with what the channel says:
// by the digest, or one of a platform or its configuration, since runtimes name any of them.
func (e *examination) running(ctx context.Context) []Fact {
	if e.Service.Running == nil {
		return nil
	}
	ctx, done := e.within(ctx)
	defer done()
	q := question{"running", e.Service.Name}
	if e.channel == "" {
		return []Fact{q.untold(e.channelErr, "what the channel points at is not known, so what prod runs was not compared with it")}
	}
	found, err := e.Probe(ctx)
	if err != nil {
		return []Fact{q.untold(err, "what prod runs could not be told")}
	}
	family, err := e.family(ctx, e.channel)
	if err != nil {
		return []Fact{q.untold(err, "%s could not be read, so what prod runs was not compared with it", short(e.channel))}
	}
	now := of(found, family)
	before, unread := e.olderThan(ctx, found, len(now))
	return []Fact{q.runs(e, found, now, before, unread)}
}

// runs words what was found: of the channel's digest, of older ones, of neither.
func (q question) runs(e *examination, found, now, before []digest.Digest, unread error) Fact {
	others := ""
	if n := len(found) - len(now) - len(before); n > 0 {
		others = fmt.Sprintf("%s of the answer are of no release that is known here, such as those of sidecars", plural(n, "digest"))
	}
	todo := "see whether a rollout is under way or stuck; plimsoll history " + e.Service.Name + " tells when the channel moved"
	switch {
	case len(now) > 0 && len(before) == 0:
		return q.ok("prod runs what the channel says, %s", short(e.channel)).because("%s", others)
	case len(now) > 0:
		return q.warning("prod runs %s, as the channel says, and still %s", short(e.channel), shorts(before)).because("%s", others).todo("%s", todo)
	case len(before) > 0:
		return q.broken("prod runs %s, the channel says %s", shorts(before), short(e.channel)).because("%s", others).todo("%s", todo)
	case unread != nil:
		return q.untold(unread, "prod does not run %s; whether it runs an older release could not be told", short(e.channel))
	}
	return q.broken("prod runs nothing of %s: the probe named %s, of no release", short(e.channel), plural(len(found), "digest")).
		because("the first is %s", short(found[0])).
		todo("see that running of %s asks for this service; if it does, what runs did not come through Plimsoll", e.Service.Name)
}

// of are the found digests that belong to a family.
func of(found, family []digest.Digest) []digest.Digest {
	return slices.DeleteFunc(slices.Clone(found), func(d digest.Digest) bool { return !slices.Contains(family, d) })
}

// olderThan are the releases before that something found belongs to, one found digest for
// each. With everything found explained already, nobody is asked.
func (e *examination) olderThan(ctx context.Context, found []digest.Digest, explained int) (before []digest.Digest, unread error) {
	if explained == len(found) {
		return nil, nil
	}
	older := slices.DeleteFunc(e.newest(), func(d digest.Digest) bool { return d == e.channel })
	type answer struct {
		is  bool
		err error
	}
	for i, a := range each(older, func(d digest.Digest) answer {
		family, err := e.family(ctx, d)
		return answer{len(of(found, family)) > 0, err}
	}) {
		switch {
		case a.is:
			before = append(before, older[i])
		case a.err != nil && !isNotFound(a.err):
			unread = a.err
		}
	}
	return before, unread
}

// family is a digest with those of its platforms and their configurations.
func (e *examination) family(ctx context.Context, d digest.Digest) ([]digest.Digest, error) {
	m, err := e.Reader.Manifest(ctx, e.Prod, d.String())
	if err != nil {
		return []digest.Digest{d}, err //nolint:wrapcheck // the fact says what it was for
	}
	var body struct {
		Config    ocispec.Descriptor   `json:"config"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(m.Raw, &body); err != nil {
		return []digest.Digest{d}, fmt.Errorf("%s is no manifest: %w", e.Prod.At(d), err)
	}
	family := []digest.Digest{d}
	if body.Config.Digest != "" {
		family = append(family, body.Config.Digest)
	}
	for _, child := range body.Manifests {
		below, err := e.family(ctx, child.Digest)
		if err != nil {
			return append(family, below...), err
		}
		family = append(family, below...)
	}
	return family, nil
}

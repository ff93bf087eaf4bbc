package release

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

const (
	prefixStart = "sha256:"
	prefixLeast = 6 // hexadecimal digits of a prefix
	digestHex   = 64
)

var (
	hexOnly = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]+$`) })
	// tagName is <reference> of the OCI distribution specification 1.1, "Pulling manifests".
	tagName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`) })
)

// Resolve tells which digest a person means: a full digest, else an exact tag,
// else sha256: and six or more digits, unique among the listed candidates. It
// asks the registry, never memory. From then on only the digest counts.
func (d *Desk) Resolve(ctx context.Context, service, candidate string) (digest.Digest, error) {
	p, err := d.place(service)
	if err != nil {
		return "", err
	}
	hex, isPrefix := strings.CutPrefix(candidate, prefixStart)
	switch {
	case isPrefix && len(hex) == digestHex && hexOnly().MatchString(hex):
		return d.resolveIn(ctx, p, candidate)
	case isPrefix:
		return d.resolvePrefix(ctx, p, hex)
	case !tagName().MatchString(candidate):
		return "", fault.New(fault.Usage, "give a full digest, an exact tag, or sha256: and six or more digits", nil,
			"%q is no candidate of %s", clean.Text(candidate), service)
	case attachment().MatchString(candidate):
		return "", fault.New(fault.Failed, seeList(p), nil, "the tag %s carries something about an image and names no candidate", candidate)
	}
	return d.resolveIn(ctx, p, candidate)
}

func seeList(p place) string { return "plimsoll list " + p.Name + " shows the candidates" }

// resolveIn asks staging for a tag or a digest.
func (d *Desk) resolveIn(ctx context.Context, p place, reference string) (digest.Digest, error) {
	desc, err := d.read().Head(ctx, p.staging, reference)
	if errors.Is(err, registry.ErrNotFound) {
		hint := seeList(p)
		if hexOnly().MatchString(reference) && len(reference) >= prefixLeast {
			hint = "if it is the beginning of a digest, write sha256:" + reference
		}
		return "", fault.New(fault.Failed, hint, err, "%s has no candidate %s (any more)", p.staging, reference)
	}
	if err != nil {
		return "", fmt.Errorf("resolve %s in %s: %w", reference, p.staging, err)
	}
	return desc.Digest, nil
}

// resolvePrefix looks among the candidates that list would show.
func (d *Desk) resolvePrefix(ctx context.Context, p place, hex string) (digest.Digest, error) {
	if len(hex) < prefixLeast || len(hex) > digestHex || !hexOnly().MatchString(hex) {
		return "", fault.New(fault.Usage, fmt.Sprintf("write sha256: and %d to %d of the digits 0-9 and a-f", prefixLeast, digestHex), nil,
			"sha256:%s is no beginning of a digest", clean.Text(hex))
	}
	s, err := d.stage(ctx, p, d.remember(p))
	if err != nil {
		return "", err
	}
	var fits []string
	for _, r := range s.rows {
		if strings.HasPrefix(r.Digest.Encoded(), hex) {
			fits = append(fits, r.Digest.String())
		}
	}
	slices.Sort(fits)
	switch len(fits) {
	case 1:
		return digest.Digest(fits[0]), nil
	case 0:
		return "", fault.New(fault.Failed, seeList(p)+"; one that is not listed needs its full digest", nil,
			"no listed candidate of %s begins with sha256:%s", p.Name, hex)
	}
	return "", fault.New(fault.Usage, "it fits "+strings.Join(fits, " and "), nil,
		"sha256:%s fits %d candidates of %s", hex, len(fits), p.Name)
}

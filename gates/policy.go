package gates

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"plimsoll/config"
)

// NewPolicy is what decides for service s of configuration c.
func NewPolicy(c *config.Config, s config.Service) Policy {
	return Policy{Service: s, Trust: c.Trust, Sources: c.Sources, Root: c.TrustRoot}
}

// Groups is every group in trust, by name.
func Groups(p Policy) []config.Group {
	groups := make([]config.Group, 0, len(p.Trust))
	for name, g := range p.Trust {
		g.Name = name
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b config.Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}

// Recorders are the groups whose records and quarantines count. A name that is
// not in trust stands for nobody.
func Recorders(p Policy) []config.Group {
	return slices.DeleteFunc(Groups(p), func(g config.Group) bool { return !slices.Contains(p.Service.Records, g.Name) })
}

// groups finds the groups of those names. One that is not in trust is an error:
// nobody could ever sign for it.
func (p Policy) groups(names []string) ([]config.Group, error) {
	found := make([]config.Group, 0, len(names))
	for _, name := range names {
		g, ok := p.Trust[name]
		if !ok {
			return nil, fmt.Errorf("the signer group %q is not in trust", name)
		}
		g.Name = name
		found = append(found, g)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no signer group is named")
	}
	return found, nil
}

// Digest is "sha256:" and the SHA-256 of the canonical JSON (RFC 8785) of the
// effective policy of the service: everything that decides whether a candidate
// may be promoted, defaults filled in, keys as their SPKI. Groups that the
// service does not name are left out, so that a new colleague elsewhere does not
// make its sign-offs stale. Two policies that decide alike have one digest,
// whatever the file looks like.
func (p Policy) Digest() string {
	sum := sha256.Sum256(p.Document())
	return "sha256:" + hex.EncodeToString(sum[:])
}

// documentVersion is the version of the canonical form.
const documentVersion = 1

// ledgerSuffix makes a ledger's repository of prod's where the configuration does not say.
const ledgerSuffix = "-ledger"

// customPrefix is before the name of a custom gate in the canonical form.
const customPrefix = "custom:"

// object is a JSON object of the canonical form.
type object map[string]any

// effective is the policy in the form that Digest covers. A change of this
// form changes every digest: sign-offs are asked for again.
func (p Policy) effective() object {
	s := p.Service
	o := object{
		"version":   documentVersion,
		"service":   s.Name,
		"staging":   s.Staging,
		"prod":      s.Prod,
		"channel":   s.Channel,
		"platforms": sorted(s.Platforms),
		"gates":     p.effectiveGates(),
		"records":   sorted(s.Records),
		"trust":     p.effectiveTrust(),
	}
	if len(s.Overrides) > 0 {
		overrides := make([]object, 0, len(s.Overrides))
		for _, r := range s.Overrides {
			overrides = append(overrides, object{"gates": sorted(r.Gates), "by": sorted(r.By)})
		}
		o["overrides"] = overrides
	}
	if s.Ledger != "" && s.Ledger != s.Prod+ledgerSuffix {
		o["ledger"] = s.Ledger // quarantines and policies are read there
	}
	if s.Tags != nil {
		o["candidates"] = s.Tags.String()
	}
	if sources := p.effectiveSources(); len(sources) > 0 {
		o["sources"] = sources
	}
	if raw := p.effectiveRoot(); raw != nil {
		o["trust-root"] = raw
	}
	return o
}

// sorted is names in order, each once, never nil.
func sorted(names []string) []string {
	s := append([]string{}, names...)
	slices.Sort(s)
	return slices.Compact(s)
}

// seconds is a duration as a whole number.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// when is a time in the canonical form, "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

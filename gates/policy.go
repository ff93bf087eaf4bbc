package gates

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"plimsoll/config"
	"plimsoll/gates/report"
)

// NewPolicy is what decides for service s of configuration c.
func NewPolicy(c *config.Config, s config.Service) Policy {
	return Policy{Service: s, Trust: c.Trust}
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
	raw, err := json.Marshal(p.effective())
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		panic("gates: a policy of strings, numbers and lists cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// object is a JSON object of the canonical form.
type object map[string]any

// effective is the policy in the form that Digest covers. A change of this
// form changes every digest: sign-offs are asked for again.
func (p Policy) effective() object {
	s := p.Service
	o := object{
		"version":   1,
		"service":   s.Name,
		"staging":   s.Staging,
		"prod":      s.Prod,
		"channel":   s.Channel,
		"platforms": sorted(s.Platforms),
		"gates":     p.effectiveGates(),
		"records":   sorted(s.Records),
		"trust":     p.effectiveTrust(),
	}
	if s.Tags != nil {
		o["candidates"] = s.Tags.String()
	}
	return o
}

// effectiveGates is the rules of all gates; a gate that is not configured is left out.
func (p Policy) effectiveGates() object {
	g, o := p.Service.Gates, object{}
	if e := g.E2E; e != nil {
		o[E2E] = object{"signers": sorted(e.Signers), "max-age": seconds(e.MaxAge), "suites": sorted(e.Suites)}
	}
	if s := g.Scan; s != nil {
		allow := make([]object, 0, len(s.Allow))
		for _, a := range s.Allow {
			allow = append(allow, object{"id": a.ID, "until": when(a.Until), "reason": a.Reason})
		}
		o[Scan] = object{
			"signers": sorted(s.Signers), "max-severity": report.SeverityWord(s.MaxSeverity), "max-age": seconds(s.MaxAge), "allow": allow,
		}
	}
	if b := g.BaseImage; b != nil {
		o[BaseImage] = object{"signers": sorted(b.Signers), "pinned": b.Pinned}
	}
	if s := g.SignOff; s != nil {
		o[SignOff] = object{
			"signers": sorted(s.Signers), "quorum": max(s.Quorum, 1), "when": string(cmp.Or(s.When, config.Always)),
			"not-by-promoter": s.NotPromoter, "max-age": seconds(s.MaxAge),
		}
	}
	p.restOfGates(o)
	return o
}

// restOfGates adds the gates that need no evidence.
func (p Policy) restOfGates(o object) {
	g := p.Service.Gates
	if len(g.Freeze) > 0 {
		windows := make([]object, 0, len(g.Freeze))
		for _, f := range g.Freeze {
			windows = append(windows, object{"from": when(f.From), "to": when(f.To), "reason": f.Reason})
		}
		o[FreezeGate] = windows
	}
	if g.Soak != nil {
		o[Soak] = object{"min": seconds(g.Soak.Min)}
	}
	for _, c := range g.Custom {
		o["custom:"+c.Name] = c.Expr
	}
	if len(g.Off) > 0 {
		o["off"] = sorted(g.Off)
	}
}

// effectiveTrust is the groups that the service names, members by key.
func (p Policy) effectiveTrust() object {
	g, named := p.Service.Gates, slices.Clone(p.Service.Records)
	if g.E2E != nil {
		named = append(named, g.E2E.Signers...)
	}
	if g.Scan != nil {
		named = append(named, g.Scan.Signers...)
	}
	if g.BaseImage != nil {
		named = append(named, g.BaseImage.Signers...)
	}
	if g.SignOff != nil {
		named = append(named, g.SignOff.Signers...)
	}
	o := object{}
	for _, name := range sorted(named) {
		g := p.Trust[name]
		members := make([]object, 0, len(g.Keys)+len(g.People)+len(g.Workflow))
		for _, k := range g.Keys {
			members = append(members, keyObject("", k))
		}
		for _, person := range g.People {
			members = append(members, keyObject(person.ID, person.Key))
		}
		for _, w := range g.Workflow {
			members = append(members, object{"issuer": w.Issuer, "identity": w.Identity})
		}
		slices.SortFunc(members, func(a, b object) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		o[name] = members
	}
	return o
}

// keyObject is one key: its bytes and when it counts, not where its file is.
func keyObject(id string, k config.Key) object {
	spki := k.SPKI
	if spki == nil && k.Public != nil {
		if der, err := x509.MarshalPKIXPublicKey(k.Public); err == nil {
			spki = der
		}
	}
	o := object{"spki": hex.EncodeToString(spki), "not-before": when(k.NotBefore), "not-after": when(k.NotAfter)}
	if id != "" {
		o["id"] = id
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

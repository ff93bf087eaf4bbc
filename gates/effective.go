package gates

import (
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"plimsoll/config"
	"plimsoll/gates/report"
)

// Of the form below only what is set is written: a new kind of rule must not
// change the digest of policies that do not use it.

// effectiveGates is the rules of all gates; a gate that is not configured is left out.
func (p Policy) effectiveGates() object {
	g, o := p.Service.Gates, object{}
	if e := g.E2E; e != nil {
		o[E2E] = object{"signers": sorted(e.Signers), "max-age": seconds(e.MaxAge), "suites": sorted(e.Suites)}.
			with("sources", e.Sources)
	}
	if s := g.Scan; s != nil {
		allow := make([]object, 0, len(s.Allow))
		for _, a := range s.Allow {
			allow = append(allow, object{"id": a.ID, "until": when(a.Until), "reason": a.Reason})
		}
		o[Scan] = object{
			"signers": sorted(s.Signers), "max-severity": report.SeverityWord(s.MaxSeverity), "max-age": seconds(s.MaxAge), "allow": allow,
		}.with("sources", s.Sources).with("vex", s.VEX)
	}
	if b := g.BaseImage; b != nil {
		rule := object{"signers": sorted(b.Signers), "pinned": b.Pinned}.with("repositories", b.Repositories)
		if b.MaxAge > 0 {
			rule["max-age"] = seconds(b.MaxAge)
		}
		if b.MaxBaseAge > 0 {
			rule["max-base-age"] = seconds(b.MaxBaseAge)
		}
		o[BaseImage] = rule
	}
	if v := g.Provenance; v != nil {
		o[Provenance] = object{"signers": sorted(v.Signers), "source": v.Source, "max-age": seconds(v.MaxAge)}.
			with("branches", v.Branches).with("builders", v.Builders)
	}
	if s := g.SignOff; s != nil {
		o[SignOff] = effectiveSignOff(*s)
	}
	p.restOfGates(o)
	return o
}

func effectiveSignOff(s config.SignOffGate) object {
	o := object{
		"signers": sorted(s.Signers), "quorum": max(s.Quorum, 1), "when": string(cmp.Or(s.When, config.Always)),
		"not-by-promoter": s.NotPromoter, "max-age": seconds(s.MaxAge),
	}
	if s.When == config.BiggerChange {
		rules := make([]string, 0, len(s.Bigger.Rules))
		for _, r := range s.Bigger.Rules {
			rules = append(rules, string(r))
		}
		o["bigger"] = object{"rules": sorted(rules), "size": s.Bigger.Size, "layers": s.Bigger.Layers}
	}
	return o
}

// restOfGates adds the gates that need no evidence of the registry.
func (p Policy) restOfGates(o object) {
	g := p.Service.Gates
	if len(g.Freeze) > 0 {
		windows := make([]object, 0, len(g.Freeze))
		for _, f := range g.Freeze {
			windows = append(windows, effectiveFreeze(f))
		}
		o[FreezeGate] = windows
	}
	if g.Soak != nil {
		soak := object{"min": seconds(g.Soak.Min)}.with("signers", g.Soak.Signers)
		if g.Soak.Channel != "" {
			soak["channel"] = g.Soak.Channel
		}
		o[Soak] = soak
	}
	for _, c := range g.Custom {
		o[customPrefix+c.Name] = c.Expr
	}
	if len(g.Off) > 0 {
		o["off"] = sorted(g.Off)
	}
}

func effectiveFreeze(f config.Freeze) object {
	if f.Cron == "" {
		return object{"from": when(f.From), "to": when(f.To), "reason": f.Reason}
	}
	zone := "UTC"
	if f.Zone != nil {
		zone = f.Zone.String()
	}
	return object{"cron": f.Cron, "for": seconds(f.For), "zone": zone, "reason": f.Reason}
}

// named is the groups that the service names, policy-owners among them if there are any.
func (p Policy) named() []string {
	g, names := p.Service.Gates, slices.Clone(p.Service.Records)
	if g.E2E != nil {
		names = append(names, g.E2E.Signers...)
	}
	if g.Scan != nil {
		names = append(append(names, g.Scan.Signers...), g.Scan.VEX...)
	}
	if g.BaseImage != nil {
		names = append(names, g.BaseImage.Signers...)
	}
	if g.Provenance != nil {
		names = append(names, g.Provenance.Signers...)
	}
	if g.SignOff != nil {
		names = append(names, g.SignOff.Signers...)
	}
	if g.Soak != nil {
		names = append(names, g.Soak.Signers...)
	}
	for _, o := range p.Service.Overrides {
		names = append(names, o.By...)
	}
	if _, ok := p.Trust[config.PolicyOwners]; ok {
		names = append(names, config.PolicyOwners)
	}
	if p.customReadsEvidence() {
		names = slices.AppendSeq(names, maps.Keys(p.Trust))
	}
	return sorted(names)
}

// effectiveTrust is the groups that the service names, members by key or keyless identity.
func (p Policy) effectiveTrust() object {
	o := object{}
	for _, name := range p.named() {
		g := p.Trust[name]
		members := make([]object, 0, len(g.Keys)+len(g.People)+len(g.Workflow))
		for _, k := range g.Keys {
			members = append(members, keyObject("", k))
		}
		for _, person := range g.People {
			members = append(members, keyObject(person.ID, person.Key))
		}
		for _, w := range g.Workflow {
			members = append(members, workflowObject(w))
		}
		slices.SortFunc(members, func(a, b object) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		o[name] = members
	}
	return o
}

func workflowObject(w config.Workflow) object {
	if w.Pattern != nil {
		return object{"issuer": w.Issuer, "identity-pattern": w.Pattern.String()}
	}
	return object{"issuer": w.Issuer, "identity": w.Identity}
}

// effectiveSources is the sources that the service's gates name: where they
// ask decides, who they ask as does not.
func (p Policy) effectiveSources() object {
	o := object{}
	for _, name := range p.sourceNames() {
		s := p.Sources[name]
		switch {
		case s.GitHub != nil:
			o[name] = object{"github": s.GitHub.Repository, "api": s.GitHub.API, "checks": sorted(s.GitHub.Checks)}
		case s.Pipelines != nil:
			o[name] = object{"azure-pipelines": s.Pipelines.URL, "project": s.Pipelines.Project, "pipeline": s.Pipelines.Pipeline}
		case s.HTTP != nil:
			h := s.HTTP
			o[name] = object{
				"http": h.URL, "state": h.State, "passed": sorted(h.Passed), "running": sorted(h.Running),
				"count": h.Count, "total": h.Total, "time": h.Time, "ca": encoded(h.CA),
			}
		case s.Registry:
			o[name] = object{"registry": p.Service.Staging}
		default:
			o[name] = object{"command": append([]string{}, s.Command...)}
		}
	}
	return o
}

// effectiveRoot is what keyless members are checked against, nil if the service
// names none. A TUF repository renews its root; its URL and where it began decide.
func (p Policy) effectiveRoot() object {
	keyless := slices.ContainsFunc(p.named(), func(name string) bool { return len(p.Trust[name].Workflow) > 0 })
	switch {
	case !keyless:
		return nil
	case p.Root.File != "":
		return object{"file": encoded(p.Root.Raw)}
	}
	return object{"tuf": p.Root.TUF, "init": encoded(p.Root.Init)}
}

// sourceNames is the sources that the gates of the service name.
func (p Policy) sourceNames() []string {
	var names []string
	if g := p.Service.Gates.E2E; g != nil {
		names = append(names, g.Sources...)
	}
	if g := p.Service.Gates.Scan; g != nil {
		names = append(names, g.Sources...)
	}
	return sorted(names)
}

// encoded is bytes as JSON carries them, in base64 and never null: a policy has to
// be judged by again where its files are not.
func encoded(raw []byte) []byte { return append([]byte{}, raw...) }

// with adds a list of names, if there are any.
func (o object) with(name string, names []string) object {
	if len(names) > 0 {
		o[name] = sorted(names)
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

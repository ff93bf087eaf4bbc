package config

import (
	"slices"
	"strings"
	"time"
)

// gates are a service's gates: an entry of its own replaces the default's whole
// entry. channel is the service's.
func (b *binder) gates(defaults, own *node, channel string) Gates {
	var g Gates
	pick := func(name string) *node {
		n := defaults.get(name)
		if v := own.get(name); v != nil {
			n = v
		}
		if n != nil && n.kind == aText { // off
			g.Off = append(g.Off, name)
			return nil
		}
		return n
	}
	if n := pick("e2e"); n != nil {
		g.E2E = &E2EGate{
			Signers: b.knownGroups(n.get("signers")), Sources: b.testSources(n.get("sources")),
			MaxAge: span(n.get("max-age")), Suites: n.get("suites").texts(),
		}
	}
	if n := pick("scan"); n != nil {
		g.Scan = b.scan(n)
	}
	if n := pick("base-image"); n != nil {
		g.BaseImage = b.baseImage(n)
	}
	if n := pick("provenance"); n != nil {
		g.Provenance = &ProvenanceGate{
			Signers: b.knownGroups(n.get("signers")), Source: n.str("source"), Branches: n.get("branches").texts(),
			Builders: n.get("builders").texts(), MaxAge: span(n.get("max-age")),
		}
	}
	if n := pick("sign-off"); n != nil {
		g.SignOff = b.signOff(n)
	}
	if n := pick("soak"); n != nil {
		g.Soak = b.soak(n, channel)
	}
	for _, f := range pick("freeze").list() {
		g.Freeze = append(g.Freeze, b.freeze(f))
	}
	g.Custom = b.custom(pick("custom"))
	return g
}

func (b *binder) scan(n *node) *ScanGate {
	g := &ScanGate{
		Signers: b.knownGroups(n.get("signers")), Sources: b.knownSources(n.get("sources")), VEX: b.knownGroups(n.get("vex")),
		MaxAge: span(n.get("max-age")),
	}
	g.MaxSeverity = Negligible + Severity(slices.Index(severityWords(), n.str("max-severity")))
	for _, a := range n.get("allow").list() {
		_, until := moments(nil, a.get("until"))
		g.Allow = append(g.Allow, Allow{ID: a.str("id"), Until: until, Reason: a.str("reason")})
	}
	return g
}

// baseImage also refuses to ask registries that nobody chose: what a base image is
// called, a build decides.
func (b *binder) baseImage(n *node) *BaseImageGate {
	g := &BaseImageGate{
		Signers: b.knownGroups(n.get("signers")), Pinned: n.str("pinned") != "optional",
		Repositories: n.get("repositories").texts(), MaxAge: span(n.get("max-age")), MaxBaseAge: span(n.get("max-base-age")),
	}
	switch limit := n.get("max-base-age"); {
	case limit == nil:
		return g
	case len(g.Repositories) == 0:
		b.report(limit.place, "say where base images may come from, for example repositories: ['docker.io/library/*']: their registries are asked, and no others",
			"base-image.max-base-age asks the registries of base images, and repositories names none")
	}
	for _, r := range n.get("repositories").list() {
		if host, _, _ := strings.Cut(r.text, "/"); strings.ContainsAny(host, `*?[\`) {
			b.report(r.place, "name the host, for example docker.io/library/*, or leave max-base-age out",
				"with max-base-age this machine asks the registries of base images, and %q leaves open which", r.text)
		}
	}
	return g
}

// signOff also refuses a quorum that nobody could ever reach.
func (b *binder) signOff(n *node) *SignOffGate {
	g := &SignOffGate{
		Signers: b.knownGroups(n.get("signers")), Quorum: integer(n.get("quorum"), 1), When: Always,
		NotPromoter: slices.Contains(n.get("not-by").texts(), "promoter"), MaxAge: span(n.get("max-age")),
	}
	if w := n.str("when"); w != "" {
		g.When = When(w)
	}
	g.Bigger = b.bigger(n.get("bigger"), g.When)
	ids, known := b.people(g.Signers)
	if known && len(ids) < g.Quorum {
		b.report(n.get("signers").place, "add people to the group (trust: {"+g.Signers[0]+": {people: {you@example.com: keys/you.pub}}}), or lower the quorum",
			"sign-off asks %d, and there are %d in %s", g.Quorum, len(ids), strings.Join(g.Signers, ", "))
	}
	return g
}

// bigger is the zero value unless a bigger change is what asks for a sign-off.
func (b *binder) bigger(n *node, when When) Bigger {
	if when != BiggerChange {
		if n != nil {
			b.report(n.place, "add when: bigger-change, or leave bigger out", "sign-off.bigger does nothing with when: %s", when)
		}
		return Bigger{}
	}
	out := DefaultBigger()
	if rules := n.get("rules"); rules != nil {
		out.Rules = nil
		for _, r := range rules.texts() {
			out.Rules = append(out.Rules, BiggerRule(r))
		}
	}
	out.Size = float64(integer(n.get("size"), int(out.Size)))
	out.Layers = float64(integer(n.get("layers"), int(out.Layers)))
	if len(out.Rules) == 0 && out.Size == 0 && out.Layers == 0 {
		b.report(n.place, "name a rule, or write when: never", "sign-off.bigger looks at nothing, so no change is ever a bigger one")
	}
	return out
}

// soak follows a tag of the channel's name unless it is told how staging is known.
func (b *binder) soak(n *node, channel string) *Soak {
	s := &Soak{Min: span(n.get("min")), Channel: n.str("channel"), Signers: b.knownGroups(n.get("signers"))}
	if s.Channel == "" && len(s.Signers) == 0 {
		s.Channel = channel
	}
	return s
}

func (b *binder) freeze(n *node) Freeze {
	if c := n.get("cron"); c != nil {
		f := Freeze{Cron: strings.Join(strings.Fields(c.text), " "), For: span(n.get("for")), Reason: n.str("reason")}
		if z := n.get("zone"); z != nil {
			f.Zone, _ = time.LoadLocation(z.text) //nolint:errcheck // checked by the table
		}
		return f
	}
	from, to := moments(n.get("from"), n.get("to"))
	if !from.Before(to) {
		b.report(n.get("to").place, "write from first, to later", "the freeze ends before it begins")
	}
	return Freeze{From: from, To: to, Reason: n.str("reason")}
}

// builtIn are the names of checks that no rule of a team's own may have.
func builtIn() []string { return append(gatesShape().names(), neverOverridden...) }

// neverOverridden are the checks that nobody goes past.
var neverOverridden = []string{"policy", "quarantine"}

func (b *binder) custom(n *node) []CustomGate {
	if n == nil {
		return nil
	}
	out := make([]CustomGate, 0, len(n.list()))
	taken := builtIn()
	for _, c := range n.list() {
		name, at := c.str("name"), c.get("expr")
		if slices.Contains(taken, name) {
			b.report(c.get("name").place, "choose another name", "there is a gate %q already", name)
		}
		taken = append(taken, name)
		b.compile(name, at)
		out = append(out, CustomGate{Name: name, Expr: at.text, Message: c.str("message"), Line: at.line, At: at.column})
	}
	return out
}

// overrides are who may go past which gates. custom are the team's own rules that may be named.
func (b *binder) overrides(n *node, custom []string) []Override {
	if n == nil {
		return nil
	}
	var out []Override
	for _, o := range n.list() {
		for _, g := range o.get("gates").list() {
			b.checkOverridden(g, custom)
		}
		by := o.get("by")
		for _, g := range by.list() {
			group, ok := b.trust[g.text]
			if ok && len(group.People) == 0 {
				b.report(g.place, "name a group that has people: an override is a person's, and the record names them",
					"overrides.by: nobody in %s is a person", g.text)
			}
		}
		out = append(out, Override{Gates: o.get("gates").texts(), By: b.knownGroups(by)})
	}
	return out
}

// serviceOverrides are the service's own, which may name its own rules only, or the
// team's, which may name those of any service.
func (b *binder) serviceOverrides(n, root *node, rules []CustomGate, all []string) []Override {
	own := n.get("overrides")
	if own == nil {
		return b.overrides(root.get("overrides"), all)
	}
	names := make([]string, 0, len(rules))
	for _, r := range rules {
		names = append(names, r.Name)
	}
	return b.overrides(own, names)
}

// customNames are the names of all rules of the team's own, in the file's order.
func (b *binder) customNames(root *node) []string {
	lists := slices.Clone(root.get("gates").get("custom").list())
	for _, s := range root.get("services").list() {
		lists = append(lists, s.get("gates").get("custom").list()...)
	}
	var names []string
	for _, c := range lists {
		if name := c.str("name"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (b *binder) checkOverridden(g *node, custom []string) {
	may := slices.DeleteFunc(gatesShape().names(), func(name string) bool { return name == "custom" })
	may = append(may, custom...)
	switch {
	case slices.Contains(may, g.text):
	case slices.Contains(neverOverridden, g.text):
		hint := "lift the quarantine instead: plimsoll quarantine SERVICE DIGEST --lift"
		if g.text == "policy" {
			hint = "let one of " + PolicyOwners + " sign the policy instead"
		}
		b.report(g.place, hint, "overrides.gates: nobody goes past %s", g.text)
	default:
		b.report(g.place, didYouMean(g.text, may), "overrides.gates: there is no gate %q", g.text)
	}
}

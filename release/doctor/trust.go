package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
)

// roles of signer groups that must not meet in one pair of hands.
type role string

const (
	machine role = "tests, scans or builds" // what CI and scanners state
	signOff role = "sign-offs"
	record  role = "records"
	owner   role = "the policy"
)

// roleGroups are the names of the groups in each role of the service.
func (e *examination) roleGroups() map[role][]string {
	g, groups := e.Service.Gates, map[role][]string{record: e.Service.Records}
	add := func(names []string) { groups[machine] = append(groups[machine], names...) }
	if g.E2E != nil {
		add(g.E2E.Signers)
	}
	if g.Scan != nil {
		add(g.Scan.Signers)
	}
	if g.BaseImage != nil {
		add(g.BaseImage.Signers)
	}
	if g.Provenance != nil {
		add(g.Provenance.Signers)
	}
	if g.SignOff != nil && g.SignOff.When != config.Never {
		groups[signOff] = g.SignOff.Signers
	}
	if _, ok := e.Policy.Trust[config.PolicyOwners]; ok {
		groups[owner] = []string{config.PolicyOwners}
	}
	return groups
}

// used tells whether the service's rules name a group; others only decide
// which evidence travels.
func (e *examination) used(name string) bool {
	for _, names := range e.roleGroups() {
		if slices.Contains(names, name) {
			return true
		}
	}
	g := e.Service.Gates
	return g.Scan != nil && slices.Contains(g.Scan.VEX, name) || g.Soak != nil && slices.Contains(g.Soak.Signers, name) ||
		slices.ContainsFunc(e.Service.Overrides, func(o config.Override) bool { return slices.Contains(o.By, name) })
}

// keys tells of each signer group whether its keys can be used.
func (e *examination) keys(context.Context) []Fact {
	var facts []Fact
	for _, g := range gates.Groups(e.Policy) {
		if len(g.Members()) > 0 {
			facts = append(facts, e.group(g))
		}
	}
	return facts
}

func (e *examination) group(g config.Group) Fact {
	q := question{"trust-key", g.Name}
	severe := q.warning
	if e.used(g.Name) {
		severe = q.broken
	}
	var ended, soon []string
	usable := len(g.Workflow)
	for _, m := range g.Members() {
		name := cmp.Or(m.ID, m.Key.Path)
		switch {
		case m.Key.Problem != "" || m.Key.Public == nil:
			return severe("%s: the key of %s cannot be read", g.Name, name).because("%s", cmp.Or(m.Key.Problem, "it was not read")).
				todo("correct trust → %s, or see that its key service can be reached", g.Name)
		case !m.Key.Counts(e.Now):
			ended = append(ended, name)
		case !m.Key.NotAfter.IsZero() && m.Key.NotAfter.Sub(e.Now) < keySoon:
			usable++
			soon = append(soon, name+" on "+m.Key.NotAfter.UTC().Format(time.DateOnly))
		default:
			usable++
		}
	}
	switch {
	case usable == 0:
		return severe("%s: no key counts today: %s", g.Name, strings.Join(ended, ", ")).
			todo("look at not-before and not-after, and name keys that count")
	case len(ended) > 0:
		return q.warning("%s: a key does not count today: %s", g.Name, strings.Join(ended, ", ")).todo("look at not-before and not-after, and replace the key")
	case len(soon) > 0:
		return q.warning("%s: a key ends soon: %s", g.Name, strings.Join(soon, ", ")).todo("name its successor beside it, with not-before")
	}
	return q.ok("%s: %s, readable and valid", g.Name, plural(usable, "signer"))
}

// roots tells of each group with workflows whether their signatures can be checked.
func (e *examination) roots(context.Context) []Fact {
	var facts []Fact
	for _, g := range gates.Groups(e.Policy) {
		if len(g.Workflow) == 0 {
			continue
		}
		q := question{"trust-root", g.Name}
		severe := q.warning
		if e.used(g.Name) {
			severe = q.broken
		}
		if g.RootProblem != "" || len(g.Root) == 0 {
			facts = append(facts, severe("%s: keyless signatures cannot be checked", g.Name).because("%s", cmp.Or(g.RootProblem, "there is no trusted root")).
				todo("see that the TUF repository can be reached, or name a file under trust-root"))
			continue
		}
		facts = append(facts, q.ok("%s: there is a trusted root for keyless signatures", g.Name))
	}
	return facts
}

// roles tells of hands that hold two roles which must be apart.
func (e *examination) roles(context.Context) []Fact {
	groups := e.roleGroups()
	q := question{"trust-roles", ""}
	var facts []Fact
	for _, r := range []role{record, signOff, owner} {
		if both := e.inBoth(groups[machine], groups[r]); len(both) > 0 {
			facts = append(facts, q.broken("%s may sign %s and also %s", strings.Join(both, ", "), machine, r).
				because("whoever holds the pipeline's key could do without people").
				todo("give people keys of their own, and take this one out of the second group"))
		}
	}
	s := e.Service.Gates.SignOff
	if s != nil && s.When != config.Never && !s.NotPromoter && s.Quorum < 2 {
		if both := e.inBoth(groups[signOff], groups[record]); len(both) > 0 {
			facts = append(facts, q.warning("%s may approve and promote the same digest alone", strings.Join(both, ", ")).
				todo("set not-by: [promoter] in the sign-off gate, or ask for a quorum of 2"))
		}
	}
	if len(facts) == 0 {
		return []Fact{q.ok("nobody holds two roles that must be apart")}
	}
	return facts
}

// inBoth are the keys, people and workflows that are in groups of both lists.
func (e *examination) inBoth(one, other []string) []string {
	var out []string
	for id, name := range e.signers(one) {
		if _, ok := e.signers(other)[id]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// signers are the members of groups: what tells them apart, with a name for people.
func (e *examination) signers(groups []string) map[string]string {
	out := map[string]string{}
	for _, name := range groups {
		g := e.Policy.Trust[name]
		for _, m := range g.Members() {
			label := cmp.Or(m.ID, m.Key.Path)
			out["key "+cmp.Or(string(m.Key.SPKI), m.Key.Path)] = label
			if m.ID != "" {
				out["person "+m.ID] = label
			}
		}
		for _, w := range g.Workflow {
			label := w.Identity
			if w.Pattern != nil {
				label = w.Pattern.String()
			}
			out["workflow "+w.Issuer+" "+label] = label
		}
	}
	return out
}

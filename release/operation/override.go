package operation

import (
	"cmp"
	"slices"
	"strings"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

// mayOverride refuses what the policy does not let the promoter go past, before
// anything is judged. The promoter is who trust says that the signing key is: a
// login name is nobody.
func (s *state) mayOverride() error {
	for _, gate := range s.Request.Overrides {
		if !s.rules().MayOverride(gate, s.id) || !s.named() {
			who := clean.Text(cmp.Or(s.id, s.actor()))
			return fault.New(fault.Gate, s.whoMay(gate), nil, "%s: the policy does not let %s go past %s; nothing was changed",
				s.what(), who, clean.Text(gate))
		}
		for _, asker := range s.requesters() {
			if !s.rules().MayOverride(gate, asker) {
				return fault.New(fault.Gate, s.whoMay(gate), nil, "%s: the policy does not let %s, who asked, go past %s; nothing was changed",
					s.what(), clean.Text(asker), clean.Text(gate))
			}
		}
	}
	return nil
}

// named tells whether trust gives the signer's key the id that it acts under. Of
// who asks a pipeline, the runner has found that out.
func (s *state) named() bool {
	if s.Via != nil {
		return s.id != ""
	}
	for _, g := range s.r.Config.Trust {
		if slices.ContainsFunc(g.People, func(p config.Person) bool {
			return p.ID == s.id && p.Key.Is(s.signer.Public()) && p.Key.Counts(s.r.now())
		}) {
			return true
		}
	}
	return false
}

// whoMay says who may go past a gate.
func (s *state) whoMay(gate string) string {
	var may []string
	for _, g := range gates.Groups(s.rules()) {
		for _, p := range g.People {
			if s.rules().MayOverride(gate, p.ID) && !slices.Contains(may, p.ID) {
				may = append(may, p.ID)
			}
		}
	}
	if len(may) == 0 {
		return "nobody may: the policy has no override for " + clean.Text(gate) + "; fix what the gate asks for"
	}
	return "who may: " + clean.Text(strings.Join(may, ", "))
}

// overridden are the gates that the promoter went past: of those that were asked
// for, the ones that would have blocked.
func (s *state) overridden() []string {
	var out []string
	for _, c := range s.Judgement.Checks {
		if c.Status == gates.Waived && slices.Contains(s.Request.Overrides, c.Gate) {
			out = append(out, c.Gate)
		}
	}
	return out
}

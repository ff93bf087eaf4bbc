package gates

import (
	"fmt"
	"slices"

	"plimsoll/config/clean"
)

// MayOverride tells whether the policy lets a person go past a gate with a
// reason. Nobody may go past the policy check or a quarantine.
func (p Policy) MayOverride(gate, person string) bool {
	if person == "" || gate == PolicyGate || gate == QuarantineOut {
		return false
	}
	for _, o := range p.Service.Overrides {
		if !slices.Contains(o.Gates, gate) {
			continue
		}
		for _, name := range o.By {
			for _, member := range p.Trust[name].People {
				if member.ID == person {
					return true
				}
			}
		}
	}
	return false
}

// override waives a check that does not pass, if the promoter asks for it and
// may. What is asked for and not allowed only adds a reason that says so.
func (e *evaluation) override(c *Check) {
	if c.Status.Passes() {
		return
	}
	for _, o := range e.in.Overrides {
		if o.Gate != c.Gate {
			continue
		}
		reason := clean.Text(o.Reason)
		if why := e.forbidden(c.Gate, reason); why != "" {
			c.Reasons = append(c.Reasons, "the override is not allowed: "+why)
			continue
		}
		who := clean.Text(e.in.Promoter)
		c.Reasons = append([]string{fmt.Sprintf("waived by %s: %s; it says: %s", who, reason, c.Summary)}, c.Reasons...)
		c.Status, c.Summary = Waived, "waived by "+who
		return
	}
}

// forbidden says why the promoter may not go past a gate, "" if they may.
func (e *evaluation) forbidden(gate, reason string) string {
	switch {
	case gate == PolicyGate || gate == QuarantineOut:
		return fmt.Sprintf("nobody may go past %s", gate)
	case e.in.Promoter == "":
		return "nobody knows who promotes: sign with a key that trust gives to a person"
	case !e.policy.MayOverride(gate, e.in.Promoter):
		return fmt.Sprintf("the policy lets %s not go past %s (overrides: [{gates: [%s], by: […]}])", clean.Text(e.in.Promoter), gate, gate)
	case reason == "":
		return "it needs a reason"
	case e.outsider(gate) != "":
		return fmt.Sprintf("the policy lets %s, who asked for it, not go past %s", clean.Text(e.outsider(gate)), gate)
	case gate == SignOff && e.standing != "":
		return e.standing
	}
	return ""
}

// outsider is one of those who asked a pipeline to promote and may not go past
// the gate, "" if there is none: the pipeline lends nobody its right.
func (e *evaluation) outsider(gate string) string {
	for _, r := range e.in.Requesters {
		if !e.policy.MayOverride(gate, r) {
			return r
		}
	}
	return ""
}

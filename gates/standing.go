package gates

import (
	"fmt"

	"plimsoll/config"
	"plimsoll/config/clean"
)

// signedPolicy is the check of the policy itself, where trust has policy-owners:
// one of them signed this very policy.
func (e *evaluation) signedPolicy() (Check, bool) {
	s := e.in.Standing
	if !s.Required {
		return Check{}, false
	}
	c := Check{Gate: PolicyGate, Status: Pass, Summary: "signed by " + clean.Text(s.By)}
	switch {
	case s.Err != nil:
		c.Status, c.Summary = Error, "unknown"
		c.Reasons = []string{fmt.Sprintf("it cannot be told whether %s signed this policy: %s", config.PolicyOwners, clean.Text(s.Err.Error()))}
	case s.Signed:
		c.Reasons = []string{fmt.Sprintf("%s signed this policy (%s)", clean.Text(s.By), e.policy.Digest())}
	default:
		c.Status, c.Summary = Fail, "not signed"
		c.Reasons = []string{fmt.Sprintf("none of %s signed this policy (%s): a configuration that was changed on one machine decides nothing", config.PolicyOwners, e.policy.Digest())}
		difference := make([]string, 0, len(s.Difference))
		for _, line := range s.Difference {
			difference = append(difference, clean.Line(line))
		}
		if len(difference) > 0 {
			c.Reasons = append(append(c.Reasons, "what differs from the policy that is signed:"), atMost(difference)...)
		}
		c.Reasons = append(c.Reasons, fmt.Sprintf("take the signed configuration, or ask one of %s to read the difference and sign it: plimsoll policy sign %s",
			config.PolicyOwners, e.policy.Service.Name))
	}
	return c, true
}

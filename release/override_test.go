package release_test

import (
	"strings"
	"testing"

	"plimsoll/gates"
	"plimsoll/release"
)

func answered(gate string, status gates.Status) gates.Check {
	return gates.Check{Gate: gate, Status: status}
}

func TestAPersonGoesPastWhatThePolicyLetsThem(t *testing.T) {
	owner := release.Allowance{Person: "owner@example.com", Known: true, By: map[string][]string{
		gates.FreezeGate: {"owner@example.com"}, gates.Soak: {"oncall@example.com"}, gates.SignOff: {"owner@example.com"},
	}}
	for name, c := range map[string]struct {
		checks []gates.Check
		waived int
		why    string
	}{
		"a freeze":                    {[]gates.Check{answered(gates.E2E, gates.Pass), answered(gates.FreezeGate, gates.Waiting)}, 1, ""},
		"somebody else's gate":        {[]gates.Check{answered(gates.FreezeGate, gates.Waiting), answered(gates.Soak, gates.Waiting)}, 2, "only oncall@example.com may go past soak"},
		"a gate that nobody may pass": {[]gates.Check{answered(gates.Scan, gates.Fail)}, 1, "the policy lets nobody go past scan"},
		"a missing sign-off":          {[]gates.Check{answered(gates.SignOff, gates.Needed)}, 1, ""},
		"a rejection":                 {[]gates.Check{answered(gates.SignOff, gates.Fail)}, 1, "only who rejected"},
		"an unsigned policy":          {[]gates.Check{answered(gates.PolicyGate, gates.Fail)}, 1, "nobody may go past policy"},
		"a quarantine":                {[]gates.Check{answered(gates.QuarantineOut, gates.Fail)}, 1, "nobody may go past quarantine"},
		"nothing":                     {[]gates.Check{answered(gates.E2E, gates.Pass)}, 0, ""},
	} {
		waived, why := owner.Past(c.checks)
		if len(waived) != c.waived || (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %d waived, %q", name, len(waived), why)
		}
	}
	unknown := owner
	unknown.Known, unknown.Person = false, ""
	if _, why := unknown.Past([]gates.Check{answered(gates.Soak, gates.Waiting)}); why != "" {
		t.Errorf("before the key is opened somebody who may is not to be refused: %q", why)
	}
	stranger := owner
	stranger.Person = ""
	if _, why := stranger.Past([]gates.Check{answered(gates.FreezeGate, gates.Waiting)}); why == "" {
		t.Error("a key that trust gives to nobody may go past nothing")
	}
}

package doctor

import (
	"context"
	"os"
	"slices"
	"strings"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

func hintOf(err error) string { return fault.HintOf(err) }

// gates tells which gates ask nothing.
func (e *examination) gates(context.Context) []Fact {
	g := e.Service.Gates
	asked := []struct {
		name string
		set  bool
		need bool // a release without it is worth a warning
	}{
		{gates.E2E, g.E2E != nil, true},
		{gates.Scan, g.Scan != nil, true},
		{gates.BaseImage, g.BaseImage != nil, true},
		{gates.SignOff, g.SignOff != nil && g.SignOff.When != config.Never, true},
		{gates.Provenance, g.Provenance != nil, false},
		{gates.Soak, g.Soak != nil, false},
		{gates.FreezeGate, len(g.Freeze) > 0, false},
	}
	var facts []Fact
	told := map[string]bool{}
	for _, a := range asked {
		q := question{"gate", a.name}
		told[a.name] = true
		switch {
		case slices.Contains(g.Off, a.name):
			facts = append(facts, q.warning("the gate %s is off", a.name).todo("take the off out of gates of %s", e.Service.Name))
		case a.set:
			facts = append(facts, q.ok("the gate %s is on", a.name))
		case a.need:
			facts = append(facts, q.warning("the gate %s is not configured", a.name).todo("add it under gates, see docs/gates.md"))
		}
	}
	for _, name := range g.Off {
		if !told[name] {
			facts = append(facts, question{"gate", name}.warning("the gate %s is off", name).todo("take the off out of gates of %s", e.Service.Name))
		}
	}
	return facts
}

// signing tells whether the person could sign what they decide.
func (e *examination) signing(context.Context) []Fact {
	key := e.Config.Signing.Key
	q := question{"signing-key", key}
	if key == "" {
		return []Fact{q.warning("no signing key is configured: nothing can be approved or promoted from here").
			todo("plimsoll key generate, then name it under signing in personal.yaml")}
	}
	if !config.KeyService(key) {
		file, err := os.Open(key) //nolint:gosec // the path is the person's own configuration
		if err != nil {
			return []Fact{q.broken("the signing key cannot be read").because("%s", err).todo("correct signing.key, or make the file readable for you")}
		}
		_ = file.Close() // nothing was written
	}
	known, counts := e.Key()
	switch {
	case !known:
		return []Fact{q.unknown("there is a signing key; whose it is cannot be told without opening it").
			todo("put its public key beside it, with the ending .pub")}
	case !counts:
		return []Fact{q.warning("records by this key count for nothing here: it is in no group of records").
			todo("records of %s are signed by: %s", e.Service.Name, strings.Join(e.Service.Records, ", "))}
	}
	return []Fact{q.ok("there is a signing key, and records by it count")}
}

// owners tells whether the policy is one that its owners signed.
func (e *examination) owners(context.Context) []Fact {
	q := question{"policy", ""}
	s := e.Standing(e.chain, e.chainErr)
	switch {
	case s.Err != nil:
		return []Fact{q.untold(s.Err, "which policy its owners signed could not be told")}
	case !s.Required && e.chainErr != nil:
		return []Fact{q.untold(e.chainErr, "whether the policy has owners who must sign it could not be told")}
	case !s.Required:
		return []Fact{q.ok("the policy has no owners who would have to sign it")}
	case !s.Signed:
		return []Fact{q.broken("the policy here is not one that its owners signed").because("%s", strings.Join(s.Difference, "; ")).
			todo("plimsoll policy show %s; an owner signs it with plimsoll policy sign %s", e.Service.Name, e.Service.Name)}
	}
	return []Fact{q.ok("the policy was signed by %s", s.By)}
}

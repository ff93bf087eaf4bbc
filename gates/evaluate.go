package gates

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// evaluation is one run of Evaluate.
type evaluation struct {
	policy    Policy
	in        Input
	reader    *reader
	negatives []Negative
	standing  string // why nobody may go past the sign-offs: somebody said no, or it cannot be told; "" if they may
}

// newEvaluation puts what the caller lists in no particular order into one.
func newEvaluation(p Policy, in Input) *evaluation {
	in.Platforms = slices.SortedFunc(slices.Values(in.Platforms), func(a, b Platform) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	in.Negatives = slices.SortedFunc(slices.Values(in.Negatives), compareNegatives)
	in.Answers = slices.SortedFunc(slices.Values(in.Answers), compareAnswers)
	in.Bases = slices.SortedFunc(slices.Values(in.Bases), compareBaseDates)
	in.Overrides = slices.SortedFunc(slices.Values(in.Overrides), func(a, b Override) int {
		return cmp.Or(cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Reason, b.Reason))
	})
	return &evaluation{policy: p, in: in, reader: newReader(p, in)}
}

// Evaluate judges a candidate. It is a pure function, and safe for concurrent use.
//
// Checks come in a fixed order: e2e, scan, base-image, provenance, sign-off,
// soak, freeze, custom gates as they are configured, policy. Provenance and soak
// are there if they are configured or off, policy if somebody has to sign it. A
// quarantine is the first word of the verdict, and a last check that gives the reason.
func Evaluate(p Policy, in Input) Verdict {
	e := newEvaluation(p, in)
	checks := e.checks()
	if c, ok := e.signedPolicy(); ok {
		checks = append(checks, c)
	}
	if c, ok := e.quarantine(); ok {
		checks = append(checks, c)
	}
	for i := range checks {
		e.override(&checks[i])
		checks[i].tidy()
	}
	slices.SortFunc(e.negatives, compareNegatives)
	e.negatives = slices.Compact(e.negatives)
	return Verdict{State: e.state(checks), Checks: checks, Negatives: e.negatives}
}

// checks runs the gates.
func (e *evaluation) checks() []Check {
	g := e.policy.Service.Gates
	checks := []Check{
		e.gate(E2E, g.E2E != nil, e.e2e),
		e.gate(Scan, g.Scan != nil, e.scan),
		e.gate(BaseImage, g.BaseImage != nil, e.baseImage),
	}
	if g.Provenance != nil || slices.Contains(g.Off, Provenance) {
		checks = append(checks, e.gate(Provenance, g.Provenance != nil, e.provenance))
	}
	checks = append(checks, e.gate(SignOff, g.SignOff != nil, e.signOff))
	if g.Soak != nil || slices.Contains(g.Off, Soak) {
		checks = append(checks, e.gate(Soak, g.Soak != nil, e.soak))
	}
	checks = append(checks, e.gate(FreezeGate, len(g.Freeze) > 0, e.freeze))
	for _, c := range g.Custom {
		checks = append(checks, e.gate(c.Name, true, func() Check { return e.custom(c) }))
	}
	return checks
}

// compareNegatives orders negatives, so that a verdict does not depend on the order of the evidence.
func compareNegatives(a, b Negative) int {
	return cmp.Or(
		cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Key, b.Key), a.At.Compare(b.At),
		cmp.Compare(a.Evidence, b.Evidence), cmp.Compare(a.Reason, b.Reason),
	)
}

// state is the verdict in one word.
func (e *evaluation) state(checks []Check) State {
	blocked := slices.ContainsFunc(checks, func(c Check) bool { return !c.Status.Passes() })
	switch {
	case e.in.Quarantined != "":
		return Quarantined
	case e.in.Prod != "" && e.in.Prod == e.in.Candidate:
		return InProd
	case blocked:
		return Blocked
	}
	return Ready
}

// gate runs one gate unless it is off or not configured.
func (e *evaluation) gate(name string, configured bool, run func() Check) Check {
	switch {
	case slices.Contains(e.policy.Service.Gates.Off, name):
		return Check{Gate: name, Status: Off, Summary: "off", Reasons: []string{name + " is switched off in the configuration"}}
	case !configured:
		return Check{Gate: name, Status: NotRequired, Summary: "none", Reasons: []string{name + " is not configured"}}
	}
	c := run()
	c.Gate = name
	return c
}

// quarantine is the check of a candidate that must not be promoted.
func (e *evaluation) quarantine() (Check, bool) {
	switch {
	case e.in.Quarantined != "":
		c := failed(Fail, "quarantined", e.in.Quarantined, fmt.Sprintf("build another candidate; or, if it was a mistake, ask whoever signs records (%s) to lift it: plimsoll quarantine %s %s --lift --reason TEXT",
			list(e.policy.Service.Records, "or"), e.policy.Service.Name, e.in.Candidate))
		c.Gate = QuarantineOut
		return c, true
	case e.in.QuarantineErr != nil:
		c := failed(Error, "unknown", fmt.Sprintf("it cannot be told whether the candidate is quarantined: %v", e.in.QuarantineErr))
		c.Gate = QuarantineOut
		return c, true
	}
	return Check{}, false
}

// failed is a check with one reason.
func failed(status Status, summary string, reasons ...string) Check {
	return Check{Status: status, Summary: summary, Reasons: reasons}
}

// ask gathers the evidence of a gate, or says why it cannot.
func (e *evaluation) ask(signers []string, wants func(string) bool, about []digest.Digest) (found, *Check) {
	if e.in.Listing != nil {
		c := failed(Error, "unreadable", fmt.Sprintf("the evidence could not be read: %v", e.in.Listing))
		return found{}, &c
	}
	groups, err := e.policy.groups(signers)
	if err != nil {
		c := failed(Error, "configuration", err.Error())
		return found{}, &c
	}
	raw := wants(evidence.TestResult) || wants(evidence.Vuln) || wants(evidence.SLSA1) // what people attach without signing it
	return e.reader.gather(question{groups: groups, wants: wants, about: about, raw: raw, others: e.others(wants)}), nil
}

// others are the groups whose statements of that type are for another gate: both
// base-image and provenance read SLSA provenance.
func (e *evaluation) others(wants func(string) bool) []string {
	var names []string
	if g := e.policy.Service.Gates; wants(evidence.SLSA1) && g.BaseImage != nil && g.Provenance != nil {
		names = slices.Concat(g.BaseImage.Signers, g.Provenance.Signers)
	}
	return names
}

// askEither is ask for a gate that may read sources outside the registry in
// place of signed statements. What this machine remembers stands in either case.
func (e *evaluation) askEither(signers, sources []string, wants func(string) bool, about []digest.Digest) (found, *Check) {
	if len(signers) > 0 || len(sources) == 0 || e.in.Listing != nil {
		return e.ask(signers, wants, about)
	}
	return found{}, nil
}

// remember notes the negatives among rulings.
func (e *evaluation) remember(gate string, rulings []ruling) {
	e.negatives = append(e.negatives, negatives(gate, e.in, rulings)...)
}

// settle puts the deciding rulings of a gate together: the worst status wins,
// and unreadable evidence blocks whatever else there is.
func settle(decided []ruling, f found) Check {
	c := Check{Status: Pass}
	for _, r := range decided {
		if severity(r.status) > severity(c.Status) {
			c.Status = r.status
		}
	}
	for _, r := range decided {
		if r.status == c.Status || !r.status.Passes() {
			c.Reasons = append(c.Reasons, r.reasons...)
		}
		for _, used := range []digest.Digest{r.evidence, r.voucher} {
			if used != "" {
				c.Evidence = append(c.Evidence, used)
			}
		}
	}
	if len(f.broken) > 0 {
		c.Status, c.Summary = Error, "error"
		c.Reasons = append(slices.Clone(f.broken), c.Reasons...)
	}
	c.Reasons = append(c.Reasons, f.beside(c.Status == Missing || c.Status == Stale)...)
	return c
}

// tidy makes a check what the contract says: lists that are never null, evidence once and in order.
func (c *Check) tidy() {
	if c.Reasons == nil {
		c.Reasons = []string{}
	}
	slices.Sort(c.Evidence)
	c.Evidence = slices.Compact(c.Evidence)
	if c.Evidence == nil {
		c.Evidence = []digest.Digest{}
	}
}

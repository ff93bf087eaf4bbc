package gates

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/expr"
	"plimsoll/gates/evidence"
)

// custom: the expression holds for every platform of the image, over the facts
// and over the evidence that any group in trust signed. What cannot be answered
// is an error, never a pass.
//
// An expression may turn on evidence in either direction, so nobody can tell
// which statement made it false. Every one that was there when the gate did not
// pass is remembered: if one of them disappears, the gate is an error, and a
// removal never lets a candidate through.
func (e *evaluation) custom(c config.CustomGate) Check {
	program, err := expr.Compile(c.Expr)
	if err != nil {
		return failed(Error, "configuration", fmt.Sprintf("the expression of %s cannot be used: %v", c.Name, err))
	}
	facts := e.in.Facts
	switch {
	case facts.Err != nil:
		return failed(Error, "unknown", fmt.Sprintf("the facts about the image could not be read: %v", facts.Err))
	case len(facts.Platforms) == 0:
		return failed(Error, "unknown", "no platform of the image is known, so there is nothing that "+c.Name+" could hold for")
	}
	if !program.Reads("evidence") {
		return e.answer(c, program, nil)
	}
	s, problem := e.statements()
	if problem != nil {
		return *problem
	}
	check := e.answer(c, program, s.facts)
	for _, id := range s.ids {
		check.Evidence = append(check.Evidence, id.manifest)
	}
	if gone := e.goneBefore(c.Name); len(gone) > 0 {
		check.Status, check.Summary = Error, "evidence disappeared"
		check.Reasons = append(gone, check.Reasons...)
	}
	if len(s.found.broken) > 0 {
		check.Status, check.Summary = Error, "error"
		check.Reasons = append(slices.Clone(s.found.broken), check.Reasons...)
	}
	if !check.Status.Passes() {
		e.rememberAll(c.Name, s)
	}
	check.Reasons = append(check.Reasons, s.found.beside(!check.Status.Passes())...)
	return check
}

// answer evaluates the expression for each platform.
func (e *evaluation) answer(c config.CustomGate, program *expr.Program, statements []map[string]any) Check {
	check := Check{Status: Pass}
	not := make([]string, 0, len(e.in.Facts.Platforms))
	seen := map[string]bool{}
	say := func(platform, line string) {
		if len(e.in.Facts.Platforms) > 1 && (program.Reads("image") || program.Reads("config")) {
			line = platform + ": " + line
		}
		if !seen[line] {
			seen[line] = true
			check.Reasons = append(check.Reasons, line)
		}
	}
	for _, p := range platformFacts(e.in.Facts) {
		facts := e.factsOn(p, statements)
		holds, err := program.Eval(facts)
		name := clean.Text(p.Name)
		switch {
		case err != nil:
			check.Status = Error
			say(name, fmt.Sprintf("%s cannot be answered: %s", program, clean.Text(err.Error())))
		case !holds:
			check.Status = worse(check.Status, Fail)
			say(name, program.String()+" does not hold")
		default:
			continue
		}
		not = append(not, name)
		for _, fact := range program.Explain(facts) {
			say(name, clean.Text(fact))
		}
	}
	check.Summary = customSummary(check.Status, not, len(e.in.Facts.Platforms))
	switch {
	case check.Status == Pass:
		check.Reasons = []string{program.String() + " holds" + everywhere(e.in.Facts.Platforms)}
	case c.Message != "":
		check.Reasons = append([]string{c.Message}, check.Reasons...)
	}
	return check
}

func worse(a, b Status) Status {
	if severity(b) > severity(a) {
		return b
	}
	return a
}

func everywhere(platforms []PlatformFacts) string {
	if len(platforms) == 1 {
		return ""
	}
	return fmt.Sprintf(" for all %d platforms", len(platforms))
}

func customSummary(status Status, not []string, platforms int) string {
	word := map[Status]string{Pass: "holds", Fail: "does not hold", Error: "cannot be answered"}[status]
	if len(not) == 0 || len(not) == platforms {
		return word
	}
	return word + " on " + strings.Join(not, ", ")
}

// platformFacts are the platforms in an order that does not depend on the caller's.
func platformFacts(f Facts) []PlatformFacts {
	return slices.SortedStableFunc(slices.Values(f.Platforms), func(a, b PlatformFacts) int { return cmp.Compare(a.Name, b.Name) })
}

// factsOn is what an expression sees on one platform.
func (e *evaluation) factsOn(p PlatformFacts, statements []map[string]any) map[string]any {
	image := maps.Clone(e.in.Facts.Image)
	if image == nil {
		image = map[string]any{}
	}
	every := make(map[string]any, len(e.in.Facts.Platforms))
	for _, other := range e.in.Facts.Platforms {
		every[other.Name] = other.Config
	}
	image["platform"], image["config"], image["perPlatform"] = p.Name, p.Config, every
	facts := map[string]any{"image": image, "config": p.Config, "evidence": statements, "now": e.in.Now}
	if e.in.Facts.Diff != nil {
		facts["diff"] = e.in.Facts.Diff
	}
	return facts
}

// statements is the verified evidence as an expression sees it.
type statements struct {
	found found
	facts []map[string]any
	ids   []statementID
}

// statementID names a statement: for good, and for people.
type statementID struct {
	id, manifest digest.Digest
	proof        proof
}

// statements finds what any group in trust signed about the candidate or its
// platforms. A statement whose key is in two groups is there for each.
func (e *evaluation) statements() (statements, *Check) {
	var s statements
	groups := Groups(e.policy)
	if e.in.Listing != nil {
		c := failed(Error, "unreadable", fmt.Sprintf("the evidence could not be read: %v", e.in.Listing))
		return s, &c
	}
	all := func(string) bool { return true }
	s.found = e.reader.gather(question{groups: groups, wants: all, about: e.reader.subjects, raw: true})
	for _, g := range groups {
		for _, p := range e.reader.gather(question{groups: []config.Group{g}, wants: all, about: e.reader.subjects}).proofs {
			s.facts = append(s.facts, e.factOf(p))
			s.ids = append(s.ids, statementID{p.id(), p.Manifest, p})
		}
	}
	return s, nil
}

// factOf is one statement as an expression sees it. One without a signed time has no signedAt.
func (e *evaluation) factOf(p proof) map[string]any {
	f := map[string]any{
		"predicateType": p.Statement.PredicateType, "group": p.Group, "person": p.Person, "identity": p.Identity,
		"subject": e.subjectOf(p.Statement).String(), "digest": p.Manifest.String(), "predicate": expr.Object(p.Statement.Predicate),
	}
	if !p.at.IsZero() {
		f["signedAt"] = p.at
	}
	return f
}

// subjectOf is what a statement is about: the candidate, else one of its platforms.
func (e *evaluation) subjectOf(s evidence.Statement) digest.Digest {
	for _, d := range e.reader.subjects {
		if s.About(d) {
			return d
		}
	}
	return ""
}

// goneBefore names the statements that were there when the gate did not pass,
// and no longer are.
func (e *evaluation) goneBefore(gate string) []string {
	var lines []string
	for _, n := range e.in.Negatives {
		if n.Gate == gate && n.Subject == e.in.Candidate && !listed(n.Evidence, e.in) {
			lines = append(lines, fmt.Sprintf("evidence disappeared: %s, %s. Attach it again: without it nobody can tell whether %s would hold",
				short(n.Evidence), n.Reason, gate))
		}
	}
	return atMost(slices.Compact(lines))
}

// rememberAll notes every statement that was there when the gate did not pass.
func (e *evaluation) rememberAll(gate string, s statements) {
	for _, id := range s.ids {
		e.negatives = append(e.negatives, Negative{
			Gate: gate, Subject: e.in.Candidate, Evidence: id.id, Key: id.id.String(), At: id.proof.at,
			Reason: fmt.Sprintf("%s signed by %s, was there when %s did not hold", clean.Text(id.proof.Statement.PredicateType), id.proof.Group, gate),
		})
	}
}

// customReadsEvidence tells whether a custom gate looks at evidence: then every
// group in trust decides.
func (p Policy) customReadsEvidence() bool {
	return slices.ContainsFunc(p.Service.Gates.Custom, func(c config.CustomGate) bool {
		program, err := expr.Compile(c.Expr)
		return err != nil || program.Reads("evidence")
	})
}

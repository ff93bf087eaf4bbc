package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/release"
	"plimsoll/release/operation"
)

// What the dialogs freeze. Digests are whole, each on its own line, so that
// they can be compared and are never cut.

// moveFacts is where prod is and where it would go.
func moveFacts(svc service, nowName string, now *digest.Digest, toName string, to digest.Digest) []line {
	return []line{
		{{"PROD ", prod}, {svc.prod + ":" + svc.channel, plain}, {"  service ", plain}, {svc.name, strong}},
		{{"now     ", strong}, {nowName, plain}},
		say(plain, "  %s", orNone(now)),
		{{"becomes ", strong}, {orDash(toName), plain}},
		say(plain, "  %s", to),
	}
}

// throughFacts says that a pipeline will do it, before anybody confirms.
func throughFacts(pipeline string) []line {
	if pipeline == "" {
		return nil
	}
	return []line{
		{{"by      ", strong}, {"a pipeline, under its own identity", warn}},
		say(plain, "  %s", pipeline),
		say(faint, "  this machine asks it for a run, and follows that and the ledger"),
	}
}

// checkFacts is each check in a line, and who signed off.
func checkFacts(checks []gates.Check) []line {
	lines := make([]line, 0, len(checks))
	for _, c := range checks {
		mark, tone := statusMark(c.Status)
		lines = append(lines, line{{mark + " ", tone}, {fit(c.Gate, 11), strong}, {statusWords(c), tone}})
		if c.Gate == gates.SignOff && c.Status == gates.Pass || c.Status == gates.Waived {
			for _, r := range c.Reasons {
				if r != c.Summary {
					lines = append(lines, say(plain, "    %s", r))
				}
			}
		}
	}
	return lines
}

// biggerFacts is why it is a bigger change.
func biggerFacts(c release.Candidate) []line {
	lines := make([]line, 0, len(c.Bigger))
	for _, b := range c.Bigger {
		lines = append(lines, line{{"! ", warn}, {"a bigger change: " + b, plain}})
	}
	return lines
}

// named is what people call a candidate.
func named(c release.Candidate) string {
	names := c.Tags
	if c.Version != "" && (len(names) == 0 || names[0] != c.Version) {
		names = append([]string{c.Version}, names...)
	}
	return strings.Join(names, " ")
}

// nameOf is what people call a digest that was in prod: by its candidate, if
// it still is one, else by the tags that its record has, the telling ones first.
func nameOf(d *data, service string, dg digest.Digest, tags []string) string {
	if c, ok := d.candidate(service, dg); ok && len(c.Tags) > 0 {
		return named(c)
	}
	telling := slices.DeleteFunc(slices.Clone(tags), func(t string) bool {
		return strings.HasPrefix(t, "release-") || t == d.service(service).channel
	})
	if len(telling) > 0 {
		return strings.Join(telling, " ")
	}
	return orDash(strings.Join(tags, " "))
}

// newPromote asks for the confirmation of a promotion.
func newPromote(d *data, s subject) dialog {
	c, _ := d.candidate(s.service, s.digest)
	previous, _ := d.shown(s.service)
	svc := d.service(s.service)
	facts := append(moveFacts(svc, prodName(d, s.service), previous, named(c), s.digest), throughFacts(svc.promotes)...)
	if p, ok := d.open(s.service); ok && p.Action == "promote" && p.Digest == s.digest {
		facts = append([]line{say(warn, "! this finishes what an earlier start left open: %s", whereWords(p.Prod))}, facts...)
	}
	request := release.PromoteRequest{Service: s.service, Digest: s.digest, Expect: orNone(previous)}
	if _, open := d.open(s.service); !open && pastGates(d, s) {
		return newOverride(d, c, facts, request, previous)
	}
	facts = append(append(facts, biggerFacts(c)...), checkFacts(c.Checks)...)
	return confirm{title: "promote to PROD", name: s.service, facts: facts, then: func(c confirm) intent {
		request.Reason = c.reason.text()
		return doPromote{request: request, previous: previous}
	}}
}

// newOverride asks for the confirmation of a promotion that goes past gates:
// each with all that it says, then the others. facts is the move.
func newOverride(d *data, c release.Candidate, facts []line, request release.PromoteRequest, previous *digest.Digest) dialog {
	a := d.allowed[request.Service]
	waive, _ := a.Past(c.Checks)
	facts = append(facts, nil, say(bad, "! %s no, and you would go past %s:", says(len(waive)), them(len(waive))))
	var rest []gates.Check
	for _, check := range c.Checks {
		if check.Status.Passes() {
			rest = append(rest, check)
			continue
		}
		request.Overrides = append(request.Overrides, check.Gate)
		facts = append(facts, checkLines(check, true)...)
	}
	if a.Known {
		facts = append(facts, say(warn, "The record, the history and plimsoll verify will say OVERRIDE, %s, and the reason.", a.Person))
	} else {
		facts = append(facts, say(warn, "%s may do this; your key tells whether you are one of them. The record, the history and plimsoll verify will say OVERRIDE.", strings.Join(a.Who(waive), ", ")))
	}
	facts = append(append(append(facts, nil), biggerFacts(c)...), checkFacts(rest)...)
	title := "OVERRIDE " + strings.Join(request.Overrides, ", ") + ": promote to PROD past the gate"
	return confirm{title: title, name: request.Service, facts: facts, needReason: "say why this cannot wait", grave: true, focus: onCancel, then: func(c confirm) intent {
		request.Reason = strings.TrimSpace(c.reason.text())
		return doPromote{request: request, previous: previous}
	}}
}

func says(n int) string {
	if n == 1 {
		return "this gate says"
	}
	return fmt.Sprintf("these %d gates say", n)
}

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// newFinish asks for the confirmation that an open operation is to be finished.
func newFinish(d *data, p operation.Pending) dialog {
	previous, now := p.Previous, ""
	if shown, _ := d.shown(p.Service); previous == nil || shown != nil && *shown == *previous {
		previous, now = shown, prodName(d, p.Service)
	}
	move := moveFacts(d.service(p.Service), now, previous, nameOf(d, p.Service, p.Digest, nil), p.Digest)
	if p.Prod == operation.After {
		move[1][0].text, move[3][0].text = "was     ", "is now  "
	}
	facts := append([]line{say(warn, "! %s", pendingWords(p)), nil}, move...)
	for _, o := range p.Owed {
		facts = append(facts, line{{"still owed: ", strong}, {o, plain}})
	}
	what := running{action: p.Action, service: p.Service, digest: p.Digest, previous: previous}
	return confirm{title: "finish the " + p.Action, name: p.Service, facts: facts, noReason: true, then: func(confirm) intent {
		return doFinish{id: p.ID, what: what}
	}}
}

// newRollback asks for the confirmation of a rollback.
func newRollback(d *data, s subject) dialog {
	t := *s.target
	previous, _ := d.shown(s.service)
	svc := d.service(s.service)
	facts := append(moveFacts(svc, prodName(d, s.service), previous, nameOf(d, s.service, t.Digest, t.Tags), t.Digest), throughFacts(svc.rollsBack)...)
	facts = append(facts, say(plain, "it was in prod %s, put there by %s", ago(d.now, t.At), orDash(t.Actor)))
	need := ""
	if t.Quarantined != "" {
		need = "the digest is quarantined"
		facts = append(facts, line{{"! ", bad}, {"quarantined: " + t.Quarantined, bad}})
	}
	on := true
	request := release.RollbackRequest{Service: s.service, Digest: t.Digest, Expect: orNone(previous)}
	return confirm{title: "roll PROD back", name: s.service, facts: facts, needReason: need, quarantine: &on, then: func(c confirm) intent {
		request.Reason, request.NoQuarantine = c.reason.text(), !*c.quarantine
		return doRollback{request: request, previous: previous}
	}}
}

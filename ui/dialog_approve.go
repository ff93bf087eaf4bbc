package ui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/release"
)

// approve asks for a decision on one candidate against one prod digest. Enter
// decides nothing; y approves.
type approve struct {
	service    string
	digest     digest.Digest
	expect     string // the prod digest that was shown
	facts      []line
	comment    input
	commenting bool
	said       string
	pager      pager
}

func newApprove(d *data, s subject) dialog {
	c, _ := d.candidate(s.service, s.digest)
	previous, _ := d.shown(s.service)
	facts := []line{
		{{"candidate ", strong}, {orDash(named(c)), plain}, {"  of service ", plain}, {s.service, strong}},
		say(plain, "  %s", s.digest),
		{{"against what prod runs now: ", strong}, {prodName(d, s.service), plain}},
		say(plain, "  %s", orNone(previous)),
	}
	facts = append(append(facts, biggerFacts(c)...), checkFacts(c.Checks)...)
	return approve{service: s.service, digest: s.digest, expect: orNone(previous), facts: facts}
}

func (a approve) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	if a.commenting {
		switch k.String() {
		case "esc", "enter", "tab":
			a.commenting = false
		default:
			a.comment = a.comment.key(k)
		}
		return a, nil
	}
	if move, ok := reading(k); ok {
		a.pager = a.pager.scroll(move, a.facts, 4, d.room)
		return a, nil
	}
	if k.IsRepeat {
		return a, nil
	}
	switch k.String() {
	case "esc", "q":
		return a, closeDialog{}
	case "c", "tab":
		a.commenting, a.said = true, ""
	case "enter":
		a.said = "enter decides nothing: y approves, r rejects"
	case "y":
		return a, a.decide(evidence.Approved)
	case "r":
		if a.comment.text() == "" {
			a.said, a.commenting = "say why it is rejected, then press enter and r", true
			return a, nil
		}
		return a, a.decide(evidence.Rejected)
	}
	return a, nil
}

func (a approve) decide(decision string) intent {
	return doApprove{release.ApproveRequest{
		Service: a.service, Digest: a.digest, Decision: decision, Comment: a.comment.text(), Expect: &a.expect,
	}}
}

func (a approve) paste(s string) dialog {
	if a.commenting {
		a.comment = a.comment.insert(s)
	}
	return a
}

func (a approve) view(_ *data, st *styles, at extent) string {
	const label = "comment: "
	hints := keyHints(st, "y", "approve", "r", "reject", "c", "comment", "esc", "cancel")
	if a.commenting {
		hints = keyHints(st, "enter", "done with the comment")
	}
	fixed := []string{
		"",
		st.paint(strong, label) + a.comment.view(st, a.commenting, boxWidth(at)-len(label)),
		st.paint(warn, a.said),
		hints,
	}
	return box(st, "sign off", a.facts, a.pager, fixed, at)
}

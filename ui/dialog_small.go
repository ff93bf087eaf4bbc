package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/release"
)

// quarantineDialog asks for the reason of a quarantine, or of its end.
type quarantineDialog struct {
	service string
	digest  digest.Digest
	lift    bool
	reason  input
	said    string
}

func newQuarantine(d *data, s subject) dialog {
	lift := s.target != nil && s.target.Quarantined != ""
	if c, ok := d.candidate(s.service, s.digest); ok && c.Verdict == gates.Quarantined {
		lift = true
	}
	return quarantineDialog{service: s.service, digest: s.digest, lift: lift}
}

func (q quarantineDialog) key(k tea.KeyPressMsg, _ *data) (dialog, intent) {
	switch k.String() {
	case "esc":
		return q, closeDialog{}
	case "enter":
		if k.IsRepeat {
			return q, nil
		}
		if strings.TrimSpace(q.reason.text()) == "" {
			q.said = "say why; the reason is signed and kept"
			return q, nil
		}
		return q, doQuarantine{release.QuarantineRequest{Service: q.service, Digest: q.digest, Reason: q.reason.text(), Lift: q.lift}}
	}
	q.said = ""
	q.reason = q.reason.key(k)
	return q, nil
}

func (q quarantineDialog) paste(s string) dialog {
	q.reason = q.reason.insert(s)
	return q
}

func (q quarantineDialog) view(_ *data, st *styles, at extent) string {
	const label = "reason: "
	title, effect := "quarantine", "It must not be promoted to "+q.service+" any more, nor rolled back to without a reason."
	if q.lift {
		title, effect = "lift the quarantine", "It may be promoted to "+q.service+" again, if the gates let it."
	}
	facts := []line{say(plain, "  %s", q.digest), say(plain, "%s", effect)}
	fixed := []string{"", st.paint(strong, label) + q.reason.view(st, true, boxWidth(at)-len(label)), st.paint(bad, q.said), keyHints(st, "enter", title, "esc", "cancel")}
	return box(st, title, facts, pager{}, fixed, at)
}

// yesNo is a question that y answers; everything else leaves things as they are.
type yesNo struct {
	title string
	lines []line
	yes   string // what y does
	then  intent
}

func (a yesNo) key(k tea.KeyPressMsg, _ *data) (dialog, intent) {
	switch k.String() {
	case "y":
		if !k.IsRepeat {
			return a, a.then
		}
	case "esc", "n", "q":
		return a, closeDialog{}
	}
	return a, nil
}

func (a yesNo) paste(string) dialog { return a }

func (a yesNo) view(_ *data, st *styles, at extent) string {
	return box(st, a.title, a.lines, pager{}, []string{"", keyHints(st, "y", a.yes, "esc", "stay")}, at)
}

// newCancel asks whether the running operation is to be cancelled.
func newCancel(d *data) dialog {
	if d.op.progress.Run != nil {
		return yesNo{title: "cancel", yes: "cancel it", then: doCancel{}, lines: []line{
			say(plain, "%s.", d.op.words()),
			say(plain, "The channel had not moved when it was last looked at. The pipeline is asked to cancel its run; what became of prod, the channel and the ledger tell then."),
		}}
	}
	return yesNo{title: "cancel", yes: "cancel it", then: doCancel{}, lines: []line{
		say(plain, "%s.", d.op.words()),
		say(plain, "Prod has not changed. Cancelled now, it stays as it is; what was copied stays in the prod registry, under no tag, and is not copied again."),
	}}
}

// newQuit asks before quitting while something is being written.
func newQuit(d *data) dialog {
	lines := []line{say(plain, "%s.", d.busy())}
	yes := "cancel it and quit"
	switch {
	case d.op == nil || d.op.done():
		yes = "quit when it is written"
	case d.op.progress.Moved:
		yes = "quit when it is finished"
		lines = append(lines, say(warn, "The channel has moved, so it can no longer be cancelled: Plimsoll finishes it first."))
	case d.op.progress.Run != nil:
		lines = append(lines, say(plain, "The pipeline is asked to cancel its run first; Plimsoll waits until it is certain what became of prod."))
	default:
		lines = append(lines, say(plain, "Prod has not changed; it is cancelled first, and prod stays as it is."))
	}
	return yesNo{title: "quit", yes: yes, then: doQuit{}, lines: lines}
}

// textBox is an error in full, or what was left unfinished.
type textBox struct {
	title string
	lines []line
	copy  string // what y copies; "" for nothing
	pager pager
}

func newError(d *data) dialog {
	if d.failed == nil {
		return textBox{title: "unfinished", lines: pendingLines(d.pending)}
	}
	p := d.failed
	lines := append([]line{say(strong, "%s", p.what), nil}, problemLines(p)...)
	if len(d.pending) > 0 {
		lines = append(append(lines, nil), pendingLines(d.pending)...)
	}
	all := strings.Join(p.lines, "\n")
	if p.what != "" {
		all = p.what + ": " + all
	}
	if p.hint != "" {
		all += "\n" + p.hint
	}
	return textBox{title: "error", lines: lines, copy: all}
}

func (t textBox) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	if a, ok := reading(k); ok {
		t.pager = t.pager.scroll(a, t.lines, 2, d.room)
		return t, nil
	}
	switch k.String() {
	case "esc", "q", "enter":
		return t, closeDialog{}
	case "y":
		if t.copy != "" {
			return t, copyText{text: t.copy}
		}
	}
	return t, nil
}

func (t textBox) paste(string) dialog { return t }

func (t textBox) view(d *data, st *styles, at extent) string {
	hints := keyHints(st, "esc", "close", "j k", "scroll")
	if t.copy != "" {
		hints = keyHints(st, "y", "copy", "esc", "close", "j k", "scroll")
	}
	return box(st, t.title, t.lines, t.pager, []string{st.paint(good, d.note), hints}, at)
}

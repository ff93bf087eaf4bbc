package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// confirm is the dialog before anything is written to prod. All that it shows
// and sends was frozen when it was opened: a refresh behind it changes
// nothing. A person types the service's name; enter alone confirms nothing.
type confirm struct {
	title      string
	facts      []line
	name       string // what has to be typed
	typed      input
	reason     input
	needReason string // why a reason is asked for; "" if it is optional
	noReason   bool   // no reason is asked for
	quarantine *bool  // nil: no such choice
	grave      bool   // it goes past a gate: in the colours of danger, and enter cancels until a person moves on
	focus      focus
	said       string // why the latest enter did nothing
	pager      pager
	then       func(c confirm) intent
}

// focus is the field of a confirmation that keys go to.
type focus int

const (
	onName focus = iota
	onReason
	onChoice
	onCancel
)

// fields are those that the confirmation has, in the order of tab. What is
// grave starts on cancel, and asks why before it asks for the name.
func (c confirm) fields() []focus {
	switch {
	case c.grave:
		return []focus{onCancel, onReason, onName}
	case c.quarantine != nil:
		return []focus{onName, onReason, onChoice}
	case c.noReason:
		return []focus{onName}
	}
	return []focus{onName, onReason}
}

// fixed is how many lines of the box do not scroll.
func (c confirm) fixed() int { return len(c.fields()) + 3 }

// next is the confirmation with the focus so many fields further.
func (c confirm) next(by int) confirm {
	all := c.fields()
	c.focus = all[(slices.Index(all, c.focus)+by+len(all))%len(all)]
	return c
}

func (c confirm) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	switch k.String() {
	case "esc":
		return c, closeDialog{}
	case "enter":
		return c.enter(k)
	case "tab":
		return c.next(1), nil
	case "shift+tab":
		return c.next(-1), nil
	}
	if c.focus == onChoice {
		if k.String() == "space" && !k.IsRepeat {
			on := !*c.quarantine
			c.quarantine = &on
		}
		return c, nil
	}
	if a, ok := scrolled(k); ok && k.String() != "ctrl+u" {
		c.pager = c.pager.scroll(a, c.facts, c.fixed(), d.room)
		return c, nil
	}
	c.said = ""
	switch c.focus {
	case onName:
		c.typed = c.typed.key(k)
	case onReason:
		c.reason = c.reason.key(k)
	case onCancel:
		if k.Text != "" {
			c.said = "enter cancels; tab leads to the reason"
		}
	case onChoice:
	}
	return c, nil
}

// enter goes on only if everything was typed, by a key that was pressed and not held.
func (c confirm) enter(k tea.KeyPressMsg) (dialog, intent) {
	switch {
	case k.IsRepeat:
		return c, nil
	case c.focus == onCancel:
		return c, closeDialog{}
	case c.grave && strings.TrimSpace(c.reason.text()) == "":
		c.said, c.focus = "a reason is needed: "+c.needReason, onReason
	case c.grave && c.focus == onReason:
		return c.next(1), nil
	case c.typed.text() == "":
		c.said, c.focus = "type "+c.name+" first", onName
	case c.typed.text() != c.name:
		c.said, c.focus = "that is not the name of the service: it is "+c.name, onName
	case c.needReason != "" && strings.TrimSpace(c.reason.text()) == "":
		c.said, c.focus = "a reason is needed: "+c.needReason, onReason
	default:
		return c, c.then(c)
	}
	return c, nil
}

// paste fills in the reason only: what is pasted was not thought about.
func (c confirm) paste(s string) dialog {
	switch c.focus {
	case onReason:
		c.reason = c.reason.insert(s)
	case onName, onChoice:
		c.said = "the name has to be typed; pasting does not count"
	case onCancel:
		c.said = "tab leads to the reason"
	}
	return c
}

func (c confirm) view(_ *data, st *styles, at extent) string {
	w := boxWidth(at)
	name := "type " + c.name + " to go on: "
	why := "reason: "
	if c.needReason == "" {
		why = "reason (optional): "
	}
	if c.grave {
		return c.graveView(st, at)
	}
	fixed := []string{
		"",
		st.paint(strong, name) + c.typed.view(st, c.focus == onName, w-len(name)),
	}
	hints := []string{"enter", "go on", "esc", "cancel"}
	if !c.noReason {
		fixed = append(fixed, st.paint(strong, why)+c.reason.view(st, c.focus == onReason, w-len(why)))
		hints = append(hints, "tab", "next field")
	}
	if c.quarantine != nil {
		mark := "[ ]"
		if *c.quarantine {
			mark = "[x]"
		}
		choice := mark + " quarantine the digest that prod leaves"
		if c.focus == onChoice {
			choice = st.selected(plain, choice)
			hints = append(hints, "space", "change")
		}
		fixed = append(fixed, choice)
	}
	fixed = append(fixed, st.paint(bad, c.said), keyHints(st, hints...))
	return box(st, c.title, c.facts, c.pager, fixed, at)
}

// graveView is the confirmation of what goes past a gate.
func (c confirm) graveView(st *styles, at extent) string {
	const cancel, why = "[ cancel ]", "reason, signed and kept: "
	w, name := boxWidth(at), "type "+c.name+" to go past the gate: "
	hints := []string{"enter", "next", "tab", "next field", "esc", "cancel"}
	choice := st.paint(plain, cancel)
	switch c.focus {
	case onCancel:
		choice = st.selected(strong, cancel)
		hints = []string{"enter", "cancel", "tab", "to the reason", "esc", "cancel"}
	case onName:
		hints[1] = "OVERRIDE"
	case onReason, onChoice:
	}
	fixed := []string{
		"",
		choice,
		st.paint(strong, why) + c.reason.view(st, c.focus == onReason, w-len(why)),
		st.paint(strong, name) + c.typed.view(st, c.focus == onName, w-len(name)),
		st.paint(bad, c.said),
		keyHints(st, hints...),
	}
	return dangerBox(st, c.title, c.facts, c.pager, fixed, at)
}

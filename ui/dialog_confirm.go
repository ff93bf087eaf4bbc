package ui

import (
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
	focus      int    // 0 the name, 1 the reason, 2 the choice
	said       string // why the latest enter did nothing
	pager      pager
	then       func(c confirm) intent
}

func (c confirm) fields() int {
	switch {
	case c.quarantine != nil:
		return 3
	case c.noReason:
		return 1
	}
	return 2
}

// fixed is how many lines of the box do not scroll.
func (c confirm) fixed() int { return c.fields() + 3 }

func (c confirm) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	switch k.String() {
	case "esc":
		return c, closeDialog{}
	case "enter":
		return c.enter(k)
	case "tab":
		c.focus = (c.focus + 1) % c.fields()
		return c, nil
	case "shift+tab":
		c.focus = (c.focus + c.fields() - 1) % c.fields()
		return c, nil
	}
	if c.focus == 2 {
		if k.String() == "space" && !k.IsRepeat {
			on := !*c.quarantine
			c.quarantine = &on
		}
		return c, nil
	}
	if a, ok := scrolled(k); ok && k.String() != "ctrl+u" {
		c.pager = c.pager.scroll(a, c.facts, c.fixed(), d.window)
		return c, nil
	}
	c.said = ""
	if c.focus == 0 {
		c.typed = c.typed.key(k)
	} else {
		c.reason = c.reason.key(k)
	}
	return c, nil
}

// enter goes on only if everything was typed, by a key that was pressed and not held.
func (c confirm) enter(k tea.KeyPressMsg) (dialog, intent) {
	switch {
	case k.IsRepeat:
		return c, nil
	case c.typed.text() == "":
		c.said, c.focus = "type "+c.name+" first", 0
	case c.typed.text() != c.name:
		c.said, c.focus = "that is not the name of the service: it is "+c.name, 0
	case c.needReason != "" && c.reason.text() == "":
		c.said, c.focus = "a reason is needed: "+c.needReason, 1
	default:
		return c, c.then(c)
	}
	return c, nil
}

// paste fills in the reason only: what is pasted was not thought about.
func (c confirm) paste(s string) dialog {
	if c.focus == 1 {
		c.reason = c.reason.insert(s)
	} else {
		c.said = "the name has to be typed; pasting does not count"
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
	fixed := []string{
		"",
		st.paint(strong, name) + c.typed.view(st, c.focus == 0, w-len(name)),
	}
	hints := []string{"enter", "go on", "esc", "cancel"}
	if !c.noReason {
		fixed = append(fixed, st.paint(strong, why)+c.reason.view(st, c.focus == 1, w-len(why)))
		hints = append(hints, "tab", "next field")
	}
	if c.quarantine != nil {
		mark := "[ ]"
		if *c.quarantine {
			mark = "[x]"
		}
		choice := mark + " quarantine the digest that prod leaves"
		if c.focus == 2 {
			choice = st.selected(plain, choice)
			hints = append(hints, "space", "change")
		}
		fixed = append(fixed, choice)
	}
	fixed = append(fixed, st.paint(bad, c.said), keyHints(st, hints...))
	return box(st, c.title, c.facts, c.pager, fixed, at)
}

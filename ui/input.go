package ui

import (
	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// input is a line of text being typed: a value, as screens are. Editing and
// drawing is textinput's, which is made anew from it each time: a textinput
// that is kept shares its text with every copy of itself.
type input struct {
	typed  string
	at     int  // where the next rune goes
	secret bool // it is drawn as asterisks
}

// inputLimit is the longest content in characters, so that a paste cannot
// flood a signed statement.
const inputLimit = 400

func (i input) text() string { return i.typed }

// field is the input as a textinput.
func (i input) field() textinput.Model {
	f := textinput.New()
	f.Prompt, f.CharLimit = "", inputLimit
	// It would run a program to read the clipboard, past what paste allows.
	f.KeyMap.Paste = key.NewBinding(key.WithDisabled())
	if i.secret {
		f.EchoMode = textinput.EchoPassword
	}
	f.SetStyles(textinput.Styles{}) // no colours, and a cursor that does not blink
	f.Focus()
	f.SetValue(i.typed)
	f.SetCursor(i.at)
	return f
}

func (i input) update(msg tea.Msg) input {
	f, _ := i.field().Update(msg) // no command: it does not blink
	i.typed, i.at = f.Value(), f.Position()
	return i
}

// key handles an editing key; others change nothing.
func (i input) key(k tea.KeyPressMsg) input {
	if k.Text != "" && k.Mod&(tea.ModCtrl|tea.ModAlt|tea.ModMeta) == 0 {
		return i.insert(k.Text)
	}
	k.Text = "" // what is typed goes through insert only
	return i.update(k)
}

// insert puts text at the cursor, cleaned.
func (i input) insert(s string) input { return i.put(text(s)) }

// put inserts s as it is but for control characters, which a line cannot hold.
func (i input) put(s string) input { return i.update(tea.PasteMsg{Content: s}) }

// view draws the text with its cursor in at most w cells, scrolled to the cursor.
func (i input) view(_ *styles, focused bool, w int) string {
	if !focused {
		return ansi.Truncate(fitLeft(i.typed, w), w, "")
	}
	f := i.field()
	if width(i.typed) >= w {
		f.SetWidth(max(1, w-1)) // its cursor comes on top
		f.SetCursor(0)
		f.SetCursor(i.at)
	}
	return lipgloss.NewStyle().Inline(true).MaxWidth(max(1, w)).Render(f.View())
}

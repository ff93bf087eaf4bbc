package ui

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"

	"plimsoll/config/fault"
)

// tone is what a piece of text means; a theme gives it a look. A tone never
// carries meaning alone: there is always a word or a mark beside it.
type tone int

const (
	plain  tone = iota
	faint       // disabled, secondary
	strong      // titles, keys
	good
	bad
	warn
	prod // the word PROD and what is in it
	tones
)

// styles is one theme: a look for each tone, from the sixteen colours that
// the terminal's own palette defines, so that they fit its background.
type styles [tones]ansi.Style

// theme names a set of styles.
type theme string

const (
	themeAuto  theme = "auto" // dark until the terminal says that its background is light
	themeDark  theme = "dark"
	themeLight theme = "light"
	themePlain theme = "plain" // no colour; bold and reverse only
)

// parseTheme checks a theme's name; "" is auto.
func parseTheme(name string) (theme, error) {
	switch t := theme(name); t {
	case "":
		return themeAuto, nil
	case themeAuto, themeDark, themeLight, themePlain:
		return t, nil
	default:
		return "", fault.New(fault.Usage, "ui.theme is one of auto, dark, light, plain", nil, "there is no theme %q", name)
	}
}

// stylesOf makes the styles of a theme.
func stylesOf(t theme, dark bool) styles {
	s := styles{strong: ansi.NewStyle().Bold(), prod: ansi.NewStyle().Bold()}
	if t == themePlain {
		return s
	}
	s[faint] = ansi.NewStyle().Faint()
	colours := [tones]ansi.BasicColor{good: ansi.Green, bad: ansi.Red, warn: ansi.Magenta, prod: ansi.Blue}
	if t == themeDark || t == themeAuto && dark {
		colours = [tones]ansi.BasicColor{good: ansi.BrightGreen, bad: ansi.BrightRed, warn: ansi.BrightYellow, prod: ansi.BrightCyan}
	}
	for _, t := range []tone{good, bad, warn, prod} {
		s[t] = s[t].ForegroundColor(colours[t])
	}
	return s
}

// paint gives text its look.
func (s *styles) paint(t tone, text string) string {
	if text == "" || len(s[t]) == 0 {
		return text
	}
	return s[t].Styled(text)
}

// selected gives text its look in the selected row. Reverse is part of every
// cell, because the end of a cell's colour ends the row's look with it.
func (s *styles) selected(t tone, text string) string {
	return append(ansi.Style{}, s[t]...).Reverse(true).Styled(text)
}

// span is text with one tone.
type span struct {
	text string
	tone tone
}

// line is one line of a text screen.
type line []span

// say makes a line of one tone.
func say(t tone, format string, args ...any) line {
	if len(args) == 0 {
		return line{{format, t}}
	}
	return line{{fmt.Sprintf(format, args...), t}}
}

// draw paints a line.
func (s *styles) draw(l line) string {
	out := ""
	for _, p := range l {
		out += s.paint(p.tone, p.text)
	}
	return out
}

package ui

import (
	"fmt"
	"image/color"

	"charm.land/lipgloss/v2"

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
	loud // somebody went past those who have to agree; across the window
	tones
)

// styles is one theme: a look for each tone, from the sixteen colours that
// the terminal's own palette defines, so that they fit its background.
type styles struct {
	looks  [tones]lipgloss.Style
	chosen [tones]lipgloss.Style // the same in the selected row
}

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
	// Inline, because what is painted is a part of a line, which must not be
	// padded or wrapped; tabs were cleaned away before.
	base := lipgloss.NewStyle().Inline(true)
	var s styles
	for t := range s.looks {
		s.looks[t] = base
	}
	s.looks[strong], s.looks[prod], s.looks[loud] = base.Bold(true), base.Bold(true), base.Bold(true).Reverse(true)
	if t != themePlain {
		s.colour(t == themeDark || t == themeAuto && dark)
	}
	for t, look := range s.looks {
		s.chosen[t] = look.Reverse(true)
	}
	return s
}

// colour gives the tones their colours.
func (s *styles) colour(dark bool) {
	colours := map[tone]color.Color{good: lipgloss.Green, bad: lipgloss.Red, loud: lipgloss.Red, warn: lipgloss.Magenta, prod: lipgloss.Blue}
	if dark {
		colours = map[tone]color.Color{good: lipgloss.BrightGreen, bad: lipgloss.BrightRed, loud: lipgloss.BrightRed, warn: lipgloss.BrightYellow, prod: lipgloss.BrightCyan}
	}
	s.looks[faint] = s.looks[faint].Faint(true)
	for t, c := range colours {
		s.looks[t] = s.looks[t].Foreground(c)
	}
}

// paint gives text its look.
func (s *styles) paint(t tone, text string) string {
	if text == "" || t == plain {
		return text
	}
	return s.looks[t].Render(text)
}

// selected gives text its look in the selected row. Reverse is part of every
// cell, because the end of a cell's colour ends the row's look with it.
func (s *styles) selected(t tone, text string) string {
	return s.chosen[t].Render(text)
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

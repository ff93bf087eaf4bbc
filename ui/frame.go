package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// clipped is exactly h lines of a body.
func clipped(body string, h int) []string {
	lines := strings.Split(body, "\n")
	for len(lines) < h {
		lines = append(lines, "")
	}
	return lines[:h]
}

// joined puts lines together, none wider than w: the last guard of the frame,
// whatever a screen drew.
func joined(lines []string, w int) string {
	for i, l := range lines {
		if width(l) > w {
			lines[i] = ansi.Truncate(l, w, "…")
		}
	}
	return strings.Join(lines, "\n")
}

// tiny is what a window too small for any screen shows, as much as fits.
func tiny(at extent) string {
	return joined(clipped(ansi.Wordwrap("too small: Plimsoll needs 60×15", at.w, ""), at.h), at.w)
}

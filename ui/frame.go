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

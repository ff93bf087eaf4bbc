package ui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// A dialog whose edges cut wide characters in two leaves a space, not a line
// that is wider or narrower than the others.
func TestADialogOverWideCharactersKeepsTheFrame(t *testing.T) {
	st := stylesOf(themeDark, true)
	at := extent{60, 15}
	base := strings.Repeat(strings.Repeat("漢", 30)+"\n", 14) + " " + strings.Repeat("漢", 29) + " "
	for _, w := range []int{59, 60} {
		at.w = w
		for h := range 9 {
			lines := make([]line, h)
			out := overlay(joined(strings.Split(base, "\n"), w), box(&st, "漢字", lines, pager{}, []string{"漢"}, extent{w - 10, 12}), at, 0)
			for _, l := range strings.Split(out, "\n") {
				if n := ansi.StringWidth(l); n > w || strings.Count(out, "\n") != 14 {
					t.Fatalf("%d lines, one %d wide:\n%s", strings.Count(out, "\n")+1, n, out)
				}
			}
			if !strings.Contains(ansi.Strip(out), "漢字 ───") {
				t.Fatalf("the dialog is not whole:\n%s", out)
			}
		}
	}
}

package ui

import (
	"fmt"
	"testing"

	tea "charm.land/bubbletea/v2"

	"plimsoll/release"
)

// many is a console over n candidates in a large window.
func many(b *testing.B, n int) *driver {
	b.Helper()
	desk := newFake(b)
	v := sampleView()
	sample := v.Candidates[0]
	v.Candidates = nil
	for i := range n {
		c := sample
		c.Digest = hex(fmt.Sprintf("%08x", i))
		v.Candidates = append(v.Candidates, c)
	}
	desk.lists = map[string]release.ServiceView{"chat-api": v}
	return startAt(b, desk, 200, 60)
}

// BenchmarkKey is what a key costs: View runs after every message, so this is
// what a person feels.
func BenchmarkKey(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprintf("candidates=%d", n), func(b *testing.B) {
			d := many(b, n)
			down := tea.KeyPressMsg{Code: 'j', Text: "j"}
			for b.Loop() {
				d.m.Update(down)
				d.m.View()
			}
		})
	}
}

// BenchmarkDialogKey is the same while a dialog lies over the screen.
func BenchmarkDialogKey(b *testing.B) {
	d := many(b, 50)
	d.press("?")
	down := tea.KeyPressMsg{Code: 'j', Text: "j"}
	for b.Loop() {
		d.m.Update(down)
		d.m.View()
	}
}

package ui

import "testing"

func TestCandidatesAreShownWithProdOnTop(t *testing.T) {
	d := start(t, newFake(t))
	d.sees("in prod   v1.41.0  sha256:3f9a1c2b44d0", "staging → PROD", "7be144c09a1f", "48/48")
	t.Log("\n" + d.screen())
	d.press("enter")
	t.Log("\n" + d.screen())
	d.press("d")
	t.Log("\n" + d.screen())
	d.press("esc", "esc", "p")
	t.Log("\n" + d.screen())
	d.press("esc", "b")
	t.Log("\n" + d.screen())
	d.press("enter")
	t.Log("\n" + d.screen())
	d.press("esc", "h")
	t.Log("\n" + d.screen())
	d.press("?")
	t.Log("\n" + d.screen())
}

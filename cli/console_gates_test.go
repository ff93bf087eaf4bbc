package cli_test

import (
	"testing"

	"plimsoll/registry/embedded"
)

// TestConsoleShoutsThatSomebodyPushedPastTheGate: prod is pushed to with
// another tool and the file is edited; the console says so on every screen, with what
// to do, until prod is back.
func TestConsoleShoutsThatSomebodyPushedPastTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	w.owned()
	w.mustAs("platform", "policy", "sign", "chat", "--yes", "--digest", w.policyDigest("platform"))
	v1 := w.candidate("v1", small("v1"))
	w.must("promote", "chat", string(v1), "--yes", "--expect", "none")
	past, err := embedded.Push(t.Context(), w.push, w.prod(), []string{"live"}, small("smuggled"))
	if err != nil {
		t.Fatal(err)
	}
	w.edit("you", "max-severity: medium", "max-severity: critical")

	tm, code := w.console(80, 24)
	shouts := func() {
		t.Helper()
		tm.Sees(t, "SOMEBODY PUSHED PAST THE GATE", "points at", short(past), "Find out who; b rolls back", "POLICY NOT SIGNED by its owners", "plimsoll policy")
	}
	shouts()
	tm.Sees(t, "> ✗ "+short(v1), "NO RECORD")
	tm.Types("\r")
	tm.Sees(t, "candidate "+short(v1), "NOT SIGNED by its owners; the check policy below")
	shouts()
	tm.Types("G")
	tm.Sees(t, `+ gates.scan.max-severity: "critical"`)
	tm.Types("p")
	tm.Sees(t, "promote is not possible now")
	tm.Types("h")
	tm.Sees(t, "history ─")
	shouts()
	tm.Types("b")
	tm.Sees(t, "last good", short(v1))
	shouts()
	tm.Types("\r")
	tm.Sees(t, "type chat to go on")
	tm.Types("chat\r")
	tm.Sees(t, "rolled back chat to "+short(v1), "in prod   v1")
	tm.Lacks(t, "PAST THE GATE")
	tm.Types("q")
	ends(t, tm, code)
}

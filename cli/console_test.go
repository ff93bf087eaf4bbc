package cli_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/cli"
	"plimsoll/registry/embedded"
	"plimsoll/ui/terminaltest"
)

// program runs plimsoll with these arguments in a terminal of that size, as
// the process would; the channel gives its exit code.
func program(t *testing.T, io cli.IO, columns, rows int, args ...string) (*terminaltest.Terminal, <-chan int) {
	t.Helper()
	tm := terminaltest.New(t, columns, rows)
	io.In, io.Out, io.Screen, io.Columns, io.Rows = tm.In(), tm, true, columns, rows
	var errs strings.Builder
	io.Err = &errs
	ctx, cancel := context.WithCancel(context.Background())
	code, ended := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		c := cli.Execute(ctx, args, io)
		if c != 0 {
			t.Logf("plimsoll %s: exit %d: %s", strings.Join(args, " "), c, errs.String())
		}
		tm.HangUp() // before the code, so that Bubble Tea's reader ends too
		code <- c
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return tm, code
}

// ends waits until the program has ended well.
func ends(t *testing.T, tm *terminaltest.Terminal, code <-chan int) {
	t.Helper()
	select {
	case c := <-code:
		if c != 0 {
			t.Fatalf("the program ended with exit code %d", c)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the program does not end:\n%s", tm.Screen())
	}
}

func short(d digest.Digest) string { return d.Encoded()[:12] }

// TestConsoleReleasesAndRollsBack is the job of a release manager, in the whole
// program over real registries: look, compare, promote, roll back, look back.
func TestConsoleReleasesAndRollsBack(t *testing.T) {
	for name, start := range map[string]registries{
		"embedded registries": embeddedRegistries, "distribution without referrers API": distributionRegistries, "distribution with TLS and two identities": guardedRegistries,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // attaching under a fallback tag waits; let the waits overlap
			w := newWorld(t, start)
			first := w.candidate("v1", image("v1", "amd64", embedded.Gzip), image("v1", "arm64", embedded.Gzip))
			w.must("promote", "chat", string(first), "--yes", "--expect", "none", "--reason", "the first")
			second := w.candidate("v2", image("v2", "amd64", embedded.Gzip), image("v2", "arm64", embedded.Gzip))

			tm, code := w.console(120, 40)
			tm.Sees(t, short(first), short(second), "in prod", "2/2")
			tm.Types("g")
			tm.Sees(t, "> ✓ "+short(second))
			tm.Types("\r")
			tm.Sees(t, string(second), "suite smoke passed")
			tm.Types("d")
			tm.Sees(t, "diff "+short(first)+" → "+short(second), "v1 → v2", "COPY chat")
			tm.Types("p")
			tm.Sees(t, "type chat to go on")
			tm.Types("chat\r")
			tm.Sees(t, "promoted chat to "+short(second))
			if now := w.inProd(); now != second {
				t.Fatalf("the console says promoted, and prod has %s", now)
			}
			tm.Types("b")
			tm.Sees(t, "last good", short(first))
			tm.Types("\r")
			tm.Sees(t, "type chat to go on", "becomes")
			tm.Types("chat\r")
			tm.Sees(t, "rolled back chat to "+short(first))
			tm.Types("h")
			tm.Sees(t, "rollback", "promote", "the first", short(second))
			tm.Types("q")
			ends(t, tm, code)
			if now := w.inProd(); now != first {
				t.Fatalf("the console says rolled back, and prod has %s", now)
			}
			w.must("audit", "verify")
		})
	}
}

// TestConsoleOfTheDemo opens what a newcomer opens first, in the smallest
// window that it promises to work in, and leaves nothing behind.
func TestConsoleOfTheDemo(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	tm, code := program(t, cli.IO{Env: os.LookupEnv}, 80, 24, "demo")
	tm.Sees(t, "ai-gateway", "model-server", "web")
	tm.Types("\r")
	tm.Sees(t, "v1.43.0", "… needed", "✗ 46/48")
	tm.Types("p")
	tm.Sees(t, "promote is not possible now", "sign-off needed")
	tm.Types("a")
	tm.Sees(t, "sign off")
	tm.Types("y")
	tm.Sees(t, "✓ approved", "✓ you@ex") // said, and in the list that was read again
	tm.Types("p")
	tm.Sees(t, "type ai-gateway to go on")
	tm.Types("ai-gatewa\r")
	tm.Sees(t, "that is not the name of the service")
	tm.Types("y\r")
	tm.Sees(t, "promoted ai-gateway to")
	tm.Types("b")
	tm.Sees(t, "last good")
	tm.Types("\r")
	tm.Sees(t, "type ai-gateway to go on")
	tm.Types("ai-gateway\r")
	tm.Sees(t, "rolled back ai-gateway to")
	tm.Types("h")
	tm.Sees(t, "release v1.41.0")
	tm.Types("3")
	tm.Sees(t, "plimsoll  web", "… freeze", "p override")
	goesPast(t, tm)
	tm.Types("q")
	ends(t, tm, code)
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
}

// goesPast goes past the freeze of the demo's web, and sees it everywhere after.
func goesPast(t *testing.T, tm *terminaltest.Terminal) {
	t.Helper()
	tm.Types("p")
	tm.Sees(t, "OVERRIDE freeze: promote to PROD past the gate", "the sale of the season", "you@example.com")
	tm.Types("\tcannot wait\r")
	tm.Sees(t, "reason, signed and kept: cannot wait", "enter OVERRIDE")
	tm.Types("web\r")
	tm.Sees(t, "promoted web to", "» OVERRIDE freeze")
	tm.Types("h")
	tm.Sees(t, "OVERRIDE freeze by you@example.com: cannot wait")
	tm.Types("\r")
	tm.Sees(t, "verified again", "» OVERRIDE freeze  by you@example.com: cannot wait")
	tm.Types("2")
	tm.Sees(t, "plimsoll  model-server", "✗ no-root")
	tm.Types("jD") // v2.4.0 is not promoted; the doctor knows nothing of that
	tm.Sees(t, "doctor: ")
}

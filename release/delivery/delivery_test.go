package delivery

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

var event = Event{
	Reference: "prod.example.com/chat@" + string(digest.FromString("new")),
	Digest:    digest.FromString("new"),
	Service:   "chat",
	Channel:   "live",
	Previous:  digest.FromString("old"),
}

// TestMain lets the test program play the delivery command: no shell, no sleep.
func TestMain(m *testing.M) {
	switch os.Getenv("DELIVERY_TEST_PLAY") {
	case "":
		os.Exit(m.Run())
	case "print":
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[1:], "\n") + "\n")
	case "environ":
		_, _ = os.Stdout.WriteString(strings.Join(os.Environ(), "\n"))
	case "fail":
		_, _ = os.Stderr.WriteString("one\ntoken is hunter2hunter2\n\x1b[31mred\x1b[0m\nthe last\n")
		os.Exit(7)
	case "wait":
		time.Sleep(time.Hour)
	}
	os.Exit(0)
}

func play(t *testing.T, what string, args ...string) (config.Deliver, Options) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return config.Deliver{Command: append([]string{self}, args...)},
		Options{Commands: true, Dir: t.TempDir(), Environ: []string{"DELIVERY_TEST_PLAY=" + what, "HOME=/home/me"}}
}

func TestTagHasNothingToRunAndSaysSo(t *testing.T) {
	r, err := Deliver(context.Background(), config.Deliver{Tag: true}, event, Options{})
	if err != nil || r.Kind != Tag || !strings.Contains(r.Detail, "pulls the channel live") {
		t.Fatalf("got %+v, %v", r, err)
	}
}

func TestGitIsRefusedBeforeAnythingChanges(t *testing.T) {
	err := Check(config.Deliver{Git: &config.GitDelivery{}}, event, Options{Commands: true})
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "git delivery comes in a later version") {
		t.Fatalf("got %v", err)
	}
}

func TestUnacceptedConfigurationRunsNoCommand(t *testing.T) {
	d, o := play(t, "print")
	o.Commands = false
	for _, err := range []error{Check(d, event, o), second(Deliver(context.Background(), d, event, o))} {
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "plimsoll trust") {
			t.Fatalf("got %v", err)
		}
	}
}

func second(_ Result, err error) error { return err }

func TestCommandGetsItsArgumentsWithoutAShell(t *testing.T) {
	d, o := play(t, "print", "set", "{{.Reference}} $(id); `id`", "{{.Service}}/{{.Channel}}", "{{.Digest}}", "{{.Previous}}")
	r, err := Deliver(context.Background(), d, event, o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"set", event.Reference + " $(id); `id`", "chat/live", event.Digest.String(), event.Previous.String()}
	if diff := cmp.Diff(want, strings.Split(r.Output, "\n")); diff != "" {
		t.Fatal(diff)
	}
}

func TestTemplatesThatDoNotWorkAreFoundBefore(t *testing.T) {
	for _, bad := range []string{"{{.Digest", "{{.Digset}}", "{{index .Service 99}}"} {
		d, o := play(t, "print", bad)
		if err := Check(d, event, o); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "deliver.command[1]") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestCommandDoesNotSeeOurSecrets(t *testing.T) {
	clean.Secret("a-registry-password")
	d, o := play(t, "environ")
	o.Secrets = []string{"HARBOR_TOKEN"}
	o.Environ = append(o.Environ, "PLIMSOLL_KEY_PASSWORD=x", "COSIGN_PASSWORD=y", "HARBOR_TOKEN=z",
		"SOMEWHERE=has a-registry-password inside", "AWS_SECRET_ACCESS_KEY=theirs", "EMPTY=")
	r, err := Deliver(context.Background(), d, event, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"PLIMSOLL", "COSIGN", "HARBOR", "SOMEWHERE"} {
		if strings.Contains(r.Output, gone) {
			t.Errorf("the child sees %s", gone)
		}
	}
	for _, kept := range []string{"HOME=/home/me", "AWS_SECRET_ACCESS_KEY=theirs"} {
		if !strings.Contains(r.Output, kept) {
			t.Errorf("the child does not see %s", kept)
		}
	}
}

func TestFailureShowsTheLastLinesWithoutSecretsAndEscapes(t *testing.T) {
	clean.Secret("hunter2hunter2")
	d, o := play(t, "fail")
	_, err := Deliver(context.Background(), d, event, o)
	if err == nil {
		t.Fatal("a failed command is no delivery")
	}
	text := err.Error()
	if !strings.Contains(text, "exit status 7") || !strings.Contains(text, "the last") || !strings.Contains(text, clean.Masked) {
		t.Errorf("got %s", text)
	}
	if strings.Contains(text, "hunter2") || strings.ContainsRune(text, '\x1b') {
		t.Errorf("got %q", text)
	}
}

func TestCommandIsStoppedAtItsLimit(t *testing.T) {
	d, o := play(t, "wait")
	o.Limit = 50 * time.Millisecond
	_, err := Deliver(context.Background(), d, event, o)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "50ms") {
		t.Fatalf("got %v", err)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	d := config.Deliver{Command: []string{"no-such-program-here"}}
	_, err := Deliver(context.Background(), d, event, Options{Commands: true, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no-such-program-here") {
		t.Fatalf("got %v", err)
	}
}

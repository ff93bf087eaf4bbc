package program

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMain lets the test program play the child: no shell.
func TestMain(m *testing.M) {
	switch os.Getenv("PROGRAM_TEST_PLAY") {
	case "":
		os.Exit(m.Run())
	case "answer":
		_, _ = os.Stderr.WriteString("a word beside the answer\n")
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[1:], " "))
	case "flood":
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
				os.Exit(3)
			}
		}
	case "wait":
		time.Sleep(time.Hour)
	}
	os.Exit(0)
}

func spec(t *testing.T, play string, args ...string) Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Spec{
		What: "test program", Argv: append([]string{self}, args...), Dir: t.TempDir(),
		Environ: []string{"PROGRAM_TEST_PLAY=" + play}, Limit: 30 * time.Second, Answer: 1 << 10,
	}
}

func TestAnAnswerIsApartFromWhatIsSaidBesideIt(t *testing.T) {
	r, err := Run(t.Context(), spec(t, "answer", "one $(id)", "two"))
	if err != nil || string(r.Answer) != "one $(id) two" || r.Output != "a word beside the answer" {
		t.Errorf("%q, %q, %v", r.Answer, r.Output, err)
	}
}

func TestAnAnswerWithoutEndIsRefused(t *testing.T) {
	_, err := Run(t.Context(), spec(t, "flood"))
	if err == nil || !strings.Contains(err.Error(), "more than 1024 bytes") {
		t.Error(err)
	}
}

func TestAProgramEndsAtItsLimitAndWithItsContext(t *testing.T) {
	s := spec(t, "wait")
	s.Limit = 50 * time.Millisecond
	if _, err := Run(t.Context(), s); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "50ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, spec(t, "wait")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAProgramThatHasNoNameIsAnError(t *testing.T) {
	if _, err := Run(t.Context(), Spec{What: "test program", Argv: []string{""}}); err == nil {
		t.Error("no error")
	}
}

// TestTailKeepsTheEnd holds for writes of any sizes.
func TestTailKeepsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		w, all := &tail{limit: limit}, ""
		for _, s := range rapid.SliceOf(rapid.StringMatching(`[a-z\n]{0,30}`)).Draw(t, "writes") {
			if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
			all += s
		}
		want := all
		if len(all) > limit {
			want = all[len(all)-limit:]
		}
		if string(w.kept) != want || w.cut != (len(all) > limit) {
			t.Fatalf("kept %q of %q", w.kept, all)
		}
	})
}

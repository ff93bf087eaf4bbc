package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"plimsoll/config/clean"
)

const (
	keptOutput = 16 << 10 // bytes of a program's output that are kept, the last ones
	shownLines = 8        // of the output in an error
	graceful   = 2 * time.Second
)

// Spec is a program to run. Argv and Limit are required.
type Spec struct {
	What    string   // what it is for people, such as "delivery command"
	Argv    []string // no shell reads them
	Dir     string
	Environ []string      // what the child may see before our secrets are taken out, as os.Environ
	Secrets []string      // names of further variables that hold our secrets, such as password-env
	Limit   time.Duration // how long it may take, its children included
	// Answer is the most bytes of standard output that are an answer: more is an
	// error. 0: standard output is something to show, like standard error.
	Answer int
}

// Result is what a program said.
type Result struct {
	Answer []byte // its standard output, if Spec asks for one; not cleaned
	Output string // the end of the rest, cleaned and redacted
}

// Run starts the program, waits for it, and stops it with all its children at
// the limit or when ctx ends. The error names the program, how it failed and
// what it said last; it holds no secret of this process.
func Run(ctx context.Context, s Spec) (Result, error) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return Result{}, fmt.Errorf("%s: no program is named", s.What)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	said, answer := &tail{limit: keptOutput}, &bounded{limit: s.Answer}
	c := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...) //nolint:gosec // the accepted configuration names it; no shell
	c.Dir, c.Env = s.Dir, environ(s.Environ, s.Secrets)
	c.Stdout, c.Stderr = said, said
	if s.Answer > 0 {
		c.Stdout = answer
	}
	c.WaitDelay = graceful // a grandchild that keeps the pipe open is not waited for
	ownGroup(c)
	err := c.Run()
	result := Result{Answer: answer.kept, Output: said.text()}
	if answer.full {
		err = errTooMuch
	}
	if err != nil {
		return result, s.failed(ctx, result.Output, err)
	}
	return result, nil
}

// errTooMuch is an answer that is longer than it may be.
var errTooMuch = errors.New("its answer is too long")

// bounded keeps an answer of at most limit bytes.
type bounded struct {
	kept  []byte // no bytes.Buffer: io.Copy would fill it past Write
	limit int
	full  bool
}

// Write keeps p, or fails for good: the child then finds its output closed.
func (b *bounded) Write(p []byte) (int, error) {
	if b.full = b.full || len(b.kept)+len(p) > b.limit; b.full {
		return 0, errTooMuch
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

// environ is what the child sees: everything of ours but the secrets that
// belong to plimsoll. The child's own credentials (a kubeconfig, a cloud's
// variables) stay, it needs them.
func environ(all, secrets []string) []string {
	hidden := map[string]bool{"COSIGN_PASSWORD": true}
	for _, name := range secrets {
		hidden[name] = true
	}
	kept := make([]string, 0, len(all))
	for _, entry := range all {
		name, value, _ := strings.Cut(entry, "=")
		ours := hidden[name] || strings.HasPrefix(strings.ToUpper(name), "PLIMSOLL_")
		if !ours && (value == "" || clean.Redact(value) == value) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// failed says which program failed, how, and what it said last.
func (s Spec) failed(ctx context.Context, output string, err error) error {
	program := s.What + " " + clean.Text(s.Argv[0])
	why := fmt.Errorf("%s: %w", program, err)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errTooMuch):
		why = fmt.Errorf("%s: %w: more than %d bytes", program, err, s.Answer)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		why = fmt.Errorf("%s was stopped after %s: %w", program, s.Limit, ctx.Err())
	case ctx.Err() != nil:
		why = fmt.Errorf("%s was stopped: %w", program, ctx.Err())
	case errors.As(err, &exit):
		why = fmt.Errorf("%s failed (%w)", program, err)
	}
	if last := lastLines(output, shownLines); last != "" {
		why = fmt.Errorf("%w; it said last: %s", why, last)
	}
	return why
}

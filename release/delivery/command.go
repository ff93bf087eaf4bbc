package delivery

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"text/template"
	"time"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

const (
	keptOutput = 16 << 10 // bytes of a command's output that are kept, the last ones
	shownLines = 8        // of the output in an error
	graceful   = 2 * time.Second
)

// argv fills the templates of a command. Each element is its own argument,
// whatever the values hold: no shell reads them.
func argv(command []string, e Event) ([]string, error) {
	args := make([]string, 0, len(command))
	for i, text := range command {
		t, err := template.New("deliver").Option("missingkey=error").Parse(text)
		var b strings.Builder
		if err == nil {
			err = t.Execute(&b, e)
		}
		if err != nil {
			return nil, fault.New(fault.Usage, "it may use {{.Reference}}, {{.Digest}}, {{.Service}}, {{.Channel}} and {{.Previous}}",
				err, "%s: deliver.command[%d] %q is no template that works", e.Service, i, text)
		}
		args = append(args, b.String())
	}
	if args[0] == "" {
		return nil, fault.New(fault.Usage, "name a program first", nil, "%s: deliver.command names no program", e.Service)
	}
	return args, nil
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

// run starts the command, waits for it and keeps the end of what it said.
func run(ctx context.Context, command []string, e Event, o Options) (Result, error) {
	args, err := argv(command, e)
	if err != nil {
		return Result{Kind: Command}, err
	}
	limit := o.Limit
	if limit == 0 {
		limit = Limit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := &tail{limit: keptOutput}
	c := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the accepted configuration names it; no shell
	c.Dir, c.Env = o.Dir, environ(o.Environ, o.Secrets)
	c.Stdout, c.Stderr = out, out
	c.WaitDelay = graceful // a grandchild that keeps the pipe open is not waited for
	ownGroup(c)
	err = c.Run()
	result := Result{Kind: Command, Output: out.text()}
	if err != nil {
		return result, failure(ctx, args[0], limit, result.Output, err)
	}
	result.Detail = "ran " + clean.Text(clean.Redact(strings.Join(args, " ")))
	return result, nil
}

// failure says which command failed, how, and what it said last.
func failure(ctx context.Context, program string, limit time.Duration, output string, err error) error {
	program = clean.Text(program)
	why := fmt.Errorf("delivery command %s: %w", program, err)
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		why = fmt.Errorf("delivery command %s was stopped after %s: %w", program, limit, ctx.Err())
	case ctx.Err() != nil:
		why = fmt.Errorf("delivery command %s was stopped: %w", program, ctx.Err())
	case errors.As(err, &exit):
		why = fmt.Errorf("delivery command %s failed (%w)", program, err)
	}
	if last := lastLines(output, shownLines); last != "" {
		why = fmt.Errorf("%w; it said last: %s", why, last)
	}
	return why
}

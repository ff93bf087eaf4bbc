package delivery

import (
	"cmp"
	"context"
	"strings"
	"text/template"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/program"
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

// run starts the command, waits for it and keeps the end of what it said.
func run(ctx context.Context, command []string, e Event, o Options) (Result, error) {
	args, err := argv(command, e)
	if err != nil {
		return Result{Kind: Command}, err
	}
	ran, err := program.Run(ctx, program.Spec{
		What: "delivery command", Argv: args, Dir: o.Dir, Environ: o.Environ, Secrets: o.Secrets, Limit: cmp.Or(o.Limit, Limit),
	})
	result := Result{Kind: Command, Output: ran.Output}
	if err == nil {
		result.Detail = "ran " + clean.Text(clean.Redact(strings.Join(args, " ")))
	}
	return result, err
}

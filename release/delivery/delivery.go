package delivery

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// The kinds of delivery, as completions in the ledger name them.
const (
	Tag     = "tag"
	Command = "command"
	Git     = "git"
)

// Limit is how long a command may take when Options sets no limit.
const Limit = 2 * time.Minute

// Event is what a delivery tells. Its fields are what the templates of a command see.
type Event struct {
	Reference string        // host/path@sha256:… in prod
	Digest    digest.Digest // what the channel points at now
	Service   string
	Channel   string
	Previous  digest.Digest // what it pointed at before, "" for none
}

// Options is what a delivery may use.
type Options struct {
	// Commands allows commands to run. It is false for a configuration that was
	// found, not named, and that nobody accepted.
	Commands bool
	Dir      string        // where a command runs: the directory of the configuration
	Limit    time.Duration // of a command; 0 means Limit
	Environ  []string      // what the child may see before our secrets are taken out, as os.Environ
	Secrets  []string      // names of further variables that hold our secrets, such as password-env
}

// Result is what a delivery did.
type Result struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"` // one line for people
	Output string `json:"-"`      // the end of a command's output, cleaned and redacted
}

// KindOf names how a service is delivered.
func KindOf(d config.Deliver) string {
	switch {
	case d.Git != nil:
		return Git
	case len(d.Command) > 0:
		return Command
	}
	return Tag
}

// Check finds what would keep a delivery from running, before anything has
// changed: git, a command that may not run, a template that does not work.
// Its errors have the code fault.Usage. It runs nothing.
func Check(d config.Deliver, e Event, o Options) error {
	switch KindOf(d) {
	case Git:
		return fault.New(fault.Usage, "use deliver: {tag: {}} or deliver: {command: [...]} for now", nil,
			"%s: git delivery comes in a later version, so nothing was changed", e.Service)
	case Command:
		if !o.Commands {
			return fault.New(fault.Usage, "read the file, then accept it with: plimsoll trust", nil,
				"%s: the configuration was found, not named, and may not run its delivery command before it is accepted", e.Service)
		}
		_, err := argv(d.Command, e)
		return err
	}
	return nil
}

// Deliver tells prod compute. It may be called again after a failure or a
// crash, so a command has to be one that may run twice. The error names the
// command and holds the last lines of its output; nothing else is undone.
func Deliver(ctx context.Context, d config.Deliver, e Event, o Options) (Result, error) {
	if err := Check(d, e, o); err != nil {
		return Result{Kind: KindOf(d)}, err
	}
	if KindOf(d) == Command {
		return run(ctx, d.Command, e, o)
	}
	return Result{Kind: Tag, Detail: "prod pulls the channel " + e.Channel + "; there is nothing to run"}, nil
}

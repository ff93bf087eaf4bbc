package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// version is set by the linker.
var version = "development"

// IO is what a command may touch of the process around it.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // In and Err are a terminal: prompts are possible
	Screen   bool // Out is a terminal: the console can be drawn
	Columns  int  // of the screen; with Rows 0: as the terminal says
	Rows     int
	Env      func(string) (string, bool)
	Dir      string // the working directory
	Password func(prompt string) ([]byte, error)
}

// Standard is the IO of this process.
func Standard() IO {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	return IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal: term.IsTerminal(os.Stdin.Fd()) && term.IsTerminal(os.Stderr.Fd()),
		Screen:   term.IsTerminal(os.Stdin.Fd()) && term.IsTerminal(os.Stdout.Fd()),
		Env:      os.LookupEnv, Dir: dir,
		Password: func(prompt string) ([]byte, error) {
			fmt.Fprint(os.Stderr, prompt)
			defer fmt.Fprintln(os.Stderr)
			password, err := term.ReadPassword(os.Stdin.Fd())
			if err != nil {
				return nil, fmt.Errorf("read the password: %w", err)
			}
			return password, nil
		},
	}
}

// env is the value of an environment variable, "" if it is not set.
func (io IO) env(name string) string {
	v, _ := io.Env(name)
	return v
}

// Execute runs one command and returns its exit code.
func Execute(ctx context.Context, args []string, std IO) int {
	s := &session{io: std}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	err := root.ExecuteContext(ctx)
	s.close()
	if err == nil {
		return 0
	}
	if json, known := jsonAsked(args); known {
		s.json = json // an error before the flags were read must leave in the asked form, too
	}
	s.fail(err)
	return int(fault.CodeOf(err))
}

// jsonAsked looks for -o json in unparsed arguments.
func jsonAsked(args []string) (asked, known bool) {
	for i, a := range args {
		switch {
		case a == "--":
			return asked, known
		case a == "-o" || a == "--output":
			if i+1 < len(args) {
				asked, known = args[i+1] == "json", true
			}
		case strings.HasPrefix(a, "--output="):
			asked, known = strings.TrimPrefix(a, "--output=") == "json", true
		case strings.HasPrefix(a, "-o"):
			asked, known = strings.TrimPrefix(strings.TrimPrefix(a, "-o"), "=") == "json", true
		}
	}
	return asked, known
}

// fail prints an error the way it was asked for.
func (s *session) fail(err error) {
	var quiet *reported
	if errors.As(err, &quiet) {
		return // what failed is part of the answer
	}
	message, hint := clean.Redact(escapeControls(err.Error())), clean.Redact(escapeControls(fault.HintOf(err)))
	if s.json {
		_ = json.NewEncoder(s.io.Err).Encode(map[string]any{"error": map[string]any{
			"code": int(fault.CodeOf(err)), "message": message, "hint": hint,
		}})
		return
	}
	fmt.Fprintln(s.io.Err, "plimsoll:", message)
	if hint != "" {
		fmt.Fprintln(s.io.Err, "  →", hint)
	}
}

// reported is an error whose text the command has printed already; only its code is left.
type reported struct{ err error }

func (r *reported) Error() string { return r.err.Error() }
func (r *reported) Unwrap() error { return r.err }

// escapeControls keeps line breaks and tabs of our own texts and drops every other control.
func escapeControls(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = clean.Line(line)
	}
	return strings.Join(lines, "\n")
}

// Command is the tree of commands, for the pages under docs/commands.
func Command() *cobra.Command { return newRoot(&session{io: Standard()}) }

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "plimsoll",
		Short: "The release console for container images",
		Long: `Plimsoll promotes container images by digest from a staging registry to a prod
registry, through gates, and rolls back by a retag.

Without a command it opens the console.`,
		Example: `  plimsoll demo                                   try everything without a registry of your own
  plimsoll                                        the console
  plimsoll list chat-api                          candidates with their checks
  plimsoll promote chat-api v1.42.0               shows, asks, promotes
  plimsoll rollback chat-api --reason "5xx"       back on the last good digest`,
		Version:       version,
		Args:          knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return s.begin(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return console(cmd.Context(), s, "") },
	}
	root.SetVersionTemplate("plimsoll {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd, err)
	})
	f := root.PersistentFlags()
	f.StringVar(&s.flags.config, "config", "", "configuration `file` (default: $PLIMSOLL_CONFIG, plimsoll.yaml here or in a parent, the user's)")
	f.StringVarP(&s.flags.output, "output", "o", "text", "`format` of the answer: text or json")
	f.BoolVar(&s.flags.yes, "yes", false, "do not ask; commands that write then take a full digest only")
	f.DurationVar(&s.flags.timeout, "timeout", 0, "give up after this `time`, for example 30s (default: none)")
	f.BoolVar(&s.flags.readOnly, "read-only", false, "refuse everything that would write to a registry")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.SuggestionsMinimumDistance = 2
	root.AddGroup(&cobra.Group{ID: "look", Title: "Look:"}, &cobra.Group{ID: "act", Title: "Act on prod:"}, &cobra.Group{ID: "evidence", Title: "Evidence and proof:"}, &cobra.Group{ID: "setup", Title: "Set up:"})
	root.AddCommand(
		newList(s), newDiff(s), newGates(s), newHistory(s),
		newApprove(s), newPromote(s), newRollback(s), newAdopt(s), newQuarantine(s),
		newAttest(s), newKey(s), newVerify(s), newPolicy(s), newAudit(s),
		newDemo(s), newInit(s), newTrust(s), newDoctor(s),
	)
	for _, cmd := range root.Commands() {
		argumentErrors(cmd)
	}
	return root
}

// knownCommand refuses a word that is no command, with what was probably meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "plimsoll --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fault.New(fault.Usage, hint, nil, "there is no command %q", clean.Text(args[0]))
}

// argumentErrors makes a wrong number of arguments a usage error with the remedy.
func argumentErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		argumentErrors(sub)
	}
}

func usage(cmd *cobra.Command, err error) error {
	return fault.New(fault.Usage, fmt.Sprintf("usage: %s; see %s --help", cmd.UseLine(), cmd.CommandPath()), nil, "%s", err)
}

// flags are those that every command has.
type flags struct {
	config, output string
	yes, readOnly  bool
	timeout        time.Duration
}

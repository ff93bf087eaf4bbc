package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release"
)

// maxResult is the most bytes of a result file: a statement of more would not be read back.
const maxResult = 10 << 20

type attestFlags struct{ result, suite, url, channel, finished string }

// attested is what attest makes statements for, with the flags that each takes.
var attested = []struct {
	gate  string
	flags []string
}{
	{gates.E2E, []string{"result", "suite", "url", "finished"}},
	{gates.Scan, []string{"result", "url", "finished"}},
	{release.VEX, []string{"result"}},
	{gates.Soak, []string{"channel", "finished"}},
}

func newAttest(s *session) *cobra.Command {
	var f attestFlags
	names := make([]string, 0, len(attested))
	for _, a := range attested {
		names = append(names, a.gate)
	}
	cmd := &cobra.Command{
		Use:     "attest GATE REPO@DIGEST",
		GroupID: "evidence",
		Short:   "Sign evidence about a digest and attach it",
		Long: `Attest signs a statement about a digest and attaches it in the registry. It
takes a digest only: a tag may no longer mean what was tested. GATE is

  e2e   test results: JUnit XML, or the output of go test -json
  scan  a scanner's report in JSON: Trivy, Grype, SARIF or CycloneDX
  vex   an OpenVEX document: which vulnerabilities do not matter here, and why
  soak  that staging runs it from now on; no file. If staging follows a tag
        (--channel, or what the gate names), the tag has to be on the digest`,
		Example: `  plimsoll attest e2e  acrstaging.azurecr.io/chat-api@sha256:7be144c0… --result junit.xml --suite smoke
  trivy image --format json -o scan.json $IMAGE && plimsoll attest scan $IMAGE --result scan.json
  plimsoll attest vex  $IMAGE --result openvex.json
  plimsoll attest soak $IMAGE --channel staging`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return names, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := belongs(cmd.Flags(), args[0]); err != nil {
				return err
			}
			return s.attest(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().StringVar(&f.result, "result", "", "the result `file`, or - for standard input (needed, but for soak)")
	cmd.Flags().StringVar(&f.suite, "suite", "", "`name` of the test suite (e2e)")
	cmd.Flags().StringVar(&f.url, "url", "", "`address` of the run, for people (e2e, scan)")
	cmd.Flags().StringVar(&f.channel, "channel", "", "the `tag` that staging follows (soak; default: what the gate names)")
	cmd.Flags().StringVar(&f.finished, "finished", "", "when it finished, or was deployed, RFC 3339 (default: what the file says, else now)")
	return cmd
}

// belongs refuses a flag that says nothing about the gate: whoever sets it expects something of it.
func belongs(set *pflag.FlagSet, gate string) error {
	for _, a := range attested {
		if a.gate != gate {
			continue
		}
		for _, name := range []string{"result", "suite", "url", "channel", "finished"} {
			if set.Changed(name) && !slices.Contains(a.flags, name) {
				return fault.New(fault.Usage, "leave it out; attest "+gate+" takes --"+strings.Join(a.flags, ", --"), nil,
					"--%s says nothing about %s", name, gate)
			}
		}
	}
	return nil
}

func (s *session) attest(ctx context.Context, gate, reference string, f attestFlags) error {
	if f.result == "" && gate != gates.Soak {
		return fault.New(fault.Usage, "add --result FILE", nil, "attest %s needs a result file", clean.Text(gate))
	}
	var finished time.Time
	var err error
	if f.finished != "" {
		if finished, err = time.Parse(time.RFC3339, f.finished); err != nil {
			return fault.New(fault.Usage, "write it as 2026-11-24T08:30:00Z", err, "--finished %q is no time", f.finished)
		}
	}
	var result []byte
	if f.result != "" {
		if result, err = s.readResult(f.result); err != nil {
			return err
		}
	}
	desk, err := s.writing()
	if err != nil {
		return err
	}
	out, err := desk.Attest(ctx, release.AttestRequest{
		Gate: gate, Reference: reference, Result: result, Suite: f.suite, URL: f.url, Channel: f.channel, Finished: finished,
	})
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n  about     %s\n  statement %s (%s)\n", gate, out.Summary, out.Digest, out.Evidence, out.PredicateType)
		if out.Warning != "" {
			fmt.Fprintf(w, "  warning   %s\n", out.Warning)
		}
	})
}

func (s *session) readResult(name string) (_ []byte, err error) {
	in := s.io.In
	if name != "-" {
		file, openErr := os.Open(name) //nolint:gosec // the person named it
		if openErr != nil {
			return nil, fault.New(fault.Usage, "name a file that is there", openErr, "read the result")
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read the result %s: %w", name, err)
	}
	if len(raw) > maxResult {
		return nil, fault.New(fault.Usage, "attach one suite or one platform at a time", nil, "%s is over the limit of 10 MiB", name)
	}
	return raw, nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/release"
)

// maxResult is the most bytes of a result file: a statement of more would not be read back.
const maxResult = 10 << 20

type attestFlags struct{ result, suite, url, finished string }

func newAttest(s *session) *cobra.Command {
	var f attestFlags
	cmd := &cobra.Command{
		Use:     "attest GATE REPO@DIGEST",
		GroupID: "evidence",
		Short:   "Sign a result file as evidence and attach it to a digest",
		Long: `Attest turns a result file into a signed statement about a digest and attaches it
in the registry. GATE is e2e (JUnit XML, go test -json) or scan (Trivy, Grype or
SARIF JSON). It takes a digest only: a tag may no longer mean what was tested.`,
		Example: `  plimsoll attest e2e  acrstaging.azurecr.io/chat-api@sha256:7be144c0… --result junit.xml --suite smoke
  trivy image --format json -o scan.json $IMAGE && plimsoll attest scan $IMAGE --result scan.json`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{"e2e", "scan"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.attest(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().StringVar(&f.result, "result", "", "the result `file`, or - for standard input (needed)")
	cmd.Flags().StringVar(&f.suite, "suite", "", "`name` of the test suite (e2e)")
	cmd.Flags().StringVar(&f.url, "url", "", "`address` of the run, for people")
	cmd.Flags().StringVar(&f.finished, "finished", "", "when it finished, RFC 3339 (default: what the file says, else now)")
	return cmd
}

func (s *session) attest(ctx context.Context, gate, reference string, f attestFlags) error {
	if f.result == "" {
		return fault.New(fault.Usage, "add --result FILE", nil, "attest needs a result file")
	}
	var finished time.Time
	if f.finished != "" {
		var err error
		if finished, err = time.Parse(time.RFC3339, f.finished); err != nil {
			return fault.New(fault.Usage, "write it as 2026-11-24T08:30:00Z", err, "--finished %q is no time", f.finished)
		}
	}
	result, err := s.readResult(f.result)
	if err != nil {
		return err
	}
	desk, err := s.writing()
	if err != nil {
		return err
	}
	out, err := desk.Attest(ctx, release.AttestRequest{
		Gate: gate, Reference: reference, Result: result, Suite: f.suite, URL: f.url, Finished: finished,
	})
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n  about     %s\n  statement %s (%s)\n", gate, out.Summary, out.Digest, out.Evidence, out.PredicateType)
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

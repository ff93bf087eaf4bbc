package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/release"
)

func newAudit(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", GroupID: "evidence", Short: "The audit chain of this machine and the ledgers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, errors.New("audit needs a command: verify, export or sync"))
		},
	}
	cmd.AddCommand(newAuditVerify(s), newAuditExport(s), newAuditSync(s))
	return cmd
}

func newAuditVerify(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check every link of the audit chain, and the ledgers against it",
		Long: "Verify checks the audit chain of this machine link by link, and that every ledger head that it noted\nis still in its ledger. Exit code 1 if something does not hold.", Example: "  plimsoll audit verify", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			desk, err := s.open()
			if err != nil {
				return err
			}
			report, err := desk.AuditVerify(cmd.Context())
			return fault.Join(s.answer(report, func(w io.Writer) { auditText(w, report) }), err)
		},
	}
}

func newAuditExport(s *session) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the audit chain of this machine to standard output",
		Example: "  plimsoll audit export --format csv > audit.csv", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			desk, err := s.open()
			if err != nil {
				return err
			}
			return desk.AuditExport(s.io.Out, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl, csv or cloudevents")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"jsonl", "csv", "cloudevents"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newAuditSync(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "sync", Short: "Write what could not be written earlier, and read the ledgers' heads into the chain",
		Example: "  plimsoll audit sync", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			desk, err := s.writing()
			if err != nil {
				return err
			}
			out, err := desk.AuditSync(cmd.Context())
			return fault.Join(s.answer(out, func(w io.Writer) { syncText(w, out) }), err)
		},
	}
}

// syncText says what was written and noted.
func syncText(w io.Writer, out release.Synced) {
	for _, written := range out.Written {
		fmt.Fprintf(w, "written  %s\n", written)
	}
	for _, head := range out.Heads {
		fmt.Fprintf(w, "noted    %s\n", head)
	}
	if len(out.Written)+len(out.Heads)+len(out.Problems) == 0 {
		fmt.Fprintln(w, "nothing was owed, and no ledger has moved since the last time")
	}
}

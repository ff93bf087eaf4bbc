package cli

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/release/diff"
)

func newDiff(s *session) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:     "diff SERVICE CANDIDATE",
		GroupID: "look",
		Short:   "What would change in prod",
		Long:    "Diff compares a candidate with the prod digest: configuration, layers, base image, platforms, vulnerabilities.",
		Example: "  plimsoll diff chat-api v1.42.0\n  plimsoll diff chat-api v1.42.0 --from sha256:3f9a1c2b…",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.diff(cmd.Context(), args[0], args[1], from)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "compare with this `digest` instead of the prod digest")
	return cmd
}

func (s *session) diff(ctx context.Context, service, candidate, from string) error {
	var base *digest.Digest
	if from != "" {
		d, err := digest.Parse(from)
		if err != nil {
			return fault.New(fault.Usage, "use sha256:<64 hex digits>", err, "--from %q is no digest", from)
		}
		base = &d
	}
	desk, dg, err := s.looking(ctx, service, candidate)
	if err != nil {
		return err
	}
	d, err := desk.Diff(ctx, service, base, dg)
	if err != nil {
		return err
	}
	return s.answer(d, func(w io.Writer) { _, _ = io.WriteString(w, diff.Text(d)) })
}

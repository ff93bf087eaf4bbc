package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release"
)

func newGates(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "gates SERVICE CANDIDATE",
		GroupID: "look",
		Short:   "Every check of a candidate, with its reasons and evidence",
		Long:    "Gates reads all evidence afresh and explains every check. Exit code 3 if the candidate is not ready.",
		Example: "  plimsoll gates chat-api v1.42.0",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.gates(cmd.Context(), args[0], args[1])
		},
	}
}

func (s *session) gates(ctx context.Context, service, candidate string) error {
	desk, dg, err := s.looking(ctx, service, candidate)
	if err != nil {
		return err
	}
	v, err := desk.Gates(ctx, service, dg)
	if err != nil {
		return err
	}
	err = s.answer(v, func(w io.Writer) { verdictText(w, v) })
	if err == nil && v.Verdict != gates.Ready && v.Verdict != gates.InProd {
		return &reported{blocked(v)}
	}
	return err
}

func verdictText(w io.Writer, v release.Verdict) {
	word := string(v.Verdict)
	if no := inTheWay(v); len(no) > 0 {
		word += ": " + strings.Join(no, "; ")
	}
	fmt.Fprintf(w, "%s %s: %s\n", v.Service, v.Digest, word)
	fmt.Fprintf(w, "  image %s\n  against prod %s, policy %s\n", v.Image, fullOrNone(v.Prod), v.Policy)
	for _, rule := range v.Bigger {
		fmt.Fprintf(w, "  bigger change: %s\n", rule)
	}
	checks(w, v.Checks)
	for _, warning := range v.Warnings {
		fmt.Fprintf(w, "  warning  %s\n", warning)
	}
}

type approveFlags struct {
	reject, revoke bool
	note, expect   string
	expires        time.Duration
}

func newApprove(s *session) *cobra.Command {
	var f approveFlags
	cmd := &cobra.Command{
		Use:     "approve SERVICE CANDIDATE",
		GroupID: "act",
		Short:   "Sign off a candidate against what is in prod now",
		Long: `Approve signs an approval, a rejection or a revocation with your key and attaches it
to the candidate in staging. It names the candidate, the service, the prod digest
and the policy; when one of them changes it is stale.`,
		Example: `  plimsoll approve chat-api v1.42.0 --note "checked the new tokenizer"
  plimsoll approve chat-api v1.42.0 --reject --note "login is broken"`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.approve(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().BoolVar(&f.reject, "reject", false, "sign a rejection")
	cmd.Flags().BoolVar(&f.revoke, "revoke", false, "take an earlier approval back")
	cmd.Flags().StringVar(&f.note, "note", "", "`text` for the statement")
	cmd.Flags().DurationVar(&f.expires, "expires", 0, "how long an approval counts, such as 24h (default: the gate's max-age)")
	cmd.MarkFlagsMutuallyExclusive("reject", "revoke", "expires")
	expectFlag(cmd, &f.expect)
	return cmd
}

func (f approveFlags) decision() string {
	switch {
	case f.reject:
		return "REJECTED"
	case f.revoke:
		return "REVOKED"
	}
	return "APPROVED"
}

func (s *session) approve(ctx context.Context, service, candidate string, f approveFlags) error {
	desk, dg, err := s.choosing(ctx, f.expect, service, candidate)
	if err != nil {
		return err
	}
	if !s.flags.yes {
		v, err := desk.Gates(ctx, service, dg)
		if err != nil {
			return err
		}
		verdictText(s.io.Err, v)
		if f.expect == "" {
			f.expect = fullOrNone(v.Prod)
		}
		if err := s.confirm(ctx, fmt.Sprintf("Sign %s for %s %s?", f.decision(), service, short(dg))); err != nil {
			return err
		}
	}
	r := release.ApproveRequest{Service: service, Digest: dg, Decision: f.decision(), Comment: f.note, Expect: expectation(f.expect)}
	if f.expires != 0 {
		r.Expires = time.Now().Add(f.expires)
	}
	out, err := desk.Approve(ctx, r)
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s %s by %s\n  statement %s\n", service, strings.ToLower(out.Decision), out.Digest, out.Reviewer, out.Evidence)
		if out.Expires != nil {
			fmt.Fprintf(w, "  until     %s\n", moment(*out.Expires))
		}
		if out.Warning != "" {
			fmt.Fprintf(w, "  warning   %s\n", out.Warning)
		}
	})
}

// expectation is nil where nobody said what they saw.
func expectation(expect string) *string {
	if expect == "" {
		return nil
	}
	return &expect
}

func newVerify(s *session) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:     "verify REPO@DIGEST",
		GroupID: "evidence",
		Short:   "Was this digest promoted, by whom, through which gates",
		Long: `Verify needs read access to prod only: the image, its evidence and the ledger lie
there. It reads the record of the promotion, finds the policy that the record
names, and verifies the evidence again with the keys that this policy asked for.

Exit code 3 if the digest was not promoted. What came after the promotion does not
change that answer but stands beside it, with -o json as quarantined,
rolledBackSince and doubts: prod may go back to a quarantined digest on purpose.
With --strict such a doubt is exit code 3, too: a quarantine, a rollback away from
it, evidence of its record that is gone from prod or does not verify any more.`,
		Example: "  plimsoll verify acrprod.azurecr.io/chat-api@sha256:3f9a1c2b…\n  plimsoll verify acrprod.azurecr.io/chat-api@sha256:3f9a1c2b… --strict -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.verify(cmd.Context(), args[0], strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "exit code 3 also for what was promoted and is quarantined, rolled back or not provable since")
	return cmd
}

func (s *session) verify(ctx context.Context, reference string, strict bool) error {
	desk, err := s.open()
	if err != nil {
		return err
	}
	v, err := desk.Verify(ctx, reference)
	if err != nil {
		return err
	}
	err = s.answer(v, func(w io.Writer) { verificationText(w, v) })
	switch {
	case err != nil:
		return err
	case !v.Promoted:
		return &reported{fault.New(fault.Gate, "", nil, "%s was not promoted", reference)}
	case strict && len(v.Doubts) > 0:
		return &reported{fault.New(fault.Gate, "", nil, "%s was promoted, but %s", reference, strings.Join(v.Doubts, "; "))}
	}
	return nil
}

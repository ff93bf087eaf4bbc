package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	godigest "github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release"
)

func newPolicy(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", GroupID: "evidence", Short: "The policy that decides, and the signatures of its owners", Args: cobra.NoArgs,
		Long: `The policy of a service is what decides whether a candidate may be promoted: its gates,
who is trusted, whose records count. With a group policy-owners under trust, only a
policy that one of them signed counts; the signatures are in the ledger.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, errors.New("policy needs a command: show or sign"))
		},
	}
	cmd.AddCommand(newPolicyShow(s), newPolicySign(s))
	return cmd
}

func newPolicyShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "show SERVICE", Short: "The effective policy, who signed it, and what differs from the signed one",
		Long: `Show prints the digest of the policy that decides here and now, whether its owners signed
it, and every rule that differs from the newest policy that they signed. With -o json the
whole policy is there as well, in the form that the digest covers.`,
		Example: "  plimsoll policy show chat-api\n  plimsoll policy show chat-api -o json | jq .policy",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			desk, err := s.open()
			if err != nil {
				return err
			}
			v, err := desk.Policy(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.answer(v, func(w io.Writer) { policyText(w, v) })
		},
	}
}

func newPolicySign(s *session) *cobra.Command {
	var digest string
	cmd := &cobra.Command{
		Use: "sign SERVICE", Short: "Sign the effective policy as one of its owners",
		Long: `Sign shows what differs from the policy that was signed last, asks, signs the whole policy
with your key, and writes that to the ledger. Your key has to be one of the policy-owners
of the policy that was signed last: who signs next is decided by what was signed, not by the file.
With --yes it has to be told which policy: --digest, as plimsoll policy show prints it.`,
		Example: "  plimsoll policy sign chat-api\n  plimsoll policy sign chat-api --yes --digest sha256:5d41402a…",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.signPolicy(cmd.Context(), args[0], digest)
		},
	}
	cmd.Flags().StringVar(&digest, "digest", "", "the `digest` of the policy that was seen; stops if it is another one")
	return cmd
}

func (s *session) signPolicy(ctx context.Context, service, digest string) error {
	if _, err := godigest.Parse(digest); digest != "" && err != nil {
		return fault.New(fault.Usage, "plimsoll policy show "+clean.Text(service)+" prints it", err, "--digest %q is no digest", clean.Text(digest))
	}
	desk, err := s.confirming("")
	if err != nil {
		return err
	}
	v, err := desk.Policy(ctx, service)
	if err != nil {
		return err
	}
	if s.flags.yes && digest == "" {
		return fault.New(fault.Usage, "it is "+v.Digest+" now; look at it with plimsoll policy show "+service+", then say --digest", nil,
			"with --yes the digest of the policy is needed")
	}
	if digest == "" {
		digest = v.Digest
	}
	if !s.flags.yes && digest == v.Digest && !v.Signed {
		policyText(s.io.Err, v)
		if err := s.confirmName(ctx, "You sign that this policy may decide about PROD.", service); err != nil {
			return err
		}
	}
	out, err := desk.SignPolicy(ctx, release.SignPolicyRequest{Service: service, Digest: digest})
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) {
		if out.Unchanged {
			fmt.Fprintf(w, "%s: the policy %s is signed already. Nothing was changed.\n", service, out.Digest)
			return
		}
		fmt.Fprintf(w, "%s: policy %s signed by %s\n  statement %s\n", service, out.Digest, orDash(clean.Text(out.By)), out.Statement)
		if out.Warning != "" {
			fmt.Fprintf(w, "  warning   %s\n", out.Warning)
		}
	})
}

// policyText says which policy decides, and what its owners signed.
func policyText(w io.Writer, v release.PolicyView) {
	fmt.Fprintf(w, "%s  policy %s\n", v.Service, v.Digest)
	if len(v.Owners) > 0 {
		fmt.Fprintf(w, "  owners     %s\n", strings.Join(v.Owners, ", "))
	}
	switch {
	case v.Signed:
		fmt.Fprintf(w, "  signed     by %s, %s\n", orDash(v.By), moment(*v.At))
	case v.Required && v.Newest == nil:
		fmt.Fprintln(w, "  NOT SIGNED  only a policy that an owner signed counts, and none ever was: nothing can be promoted")
	case v.Required:
		fmt.Fprintf(w, "  NOT SIGNED  only a policy that an owner signed counts: nothing can be promoted\n  newest     %s, signed by %s, %s\n", v.Newest, orDash(v.By), moment(*v.At))
	default:
		fmt.Fprintln(w, "  signed     nobody has to: trust names no policy-owners, so whoever edits the file decides")
	}
	if v.Unowned {
		fmt.Fprintln(w, "  OWNERS     it names no policy-owners: once it is signed, whoever edits the file decides")
	}
	if len(v.Diff) > 0 {
		fmt.Fprintln(w, "  difference from the policy that was signed last")
	}
	for _, line := range v.Diff {
		fmt.Fprintf(w, "    %s\n", line)
	}
	for _, problem := range v.Problems {
		fmt.Fprintf(w, "  problem    %s\n", problem)
	}
}

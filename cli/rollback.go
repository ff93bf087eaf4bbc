package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release"
)

type rollbackFlags struct {
	expect, reason string
	noQuarantine   bool
	asked          release.Asked
}

func newRollback(s *session) *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:     "rollback SERVICE [DIGEST]",
		GroupID: "act",
		Short:   "Move the channel back to a digest that was in prod",
		Long: `Rollback moves the channel first and writes its record after. Without a digest it
goes to the last good one. It needs prod alone: staging, CI, scanner, signer and
ledger may be down. No gate blocks it. It deletes nothing, and quarantines the
digest that it leaves unless told not to. Only where prod's registry names a pipeline
(via) and no promote identity, the pipeline does it.`,
		Example: `  plimsoll rollback chat-api --reason "error rate after 1.42"
  plimsoll rollback chat-api sha256:3f9a1c2b… --yes`,
		Args: cobra.RangeArgs(1, 2), ValidArgsFunction: s.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			target := ""
			if len(args) == 2 {
				target = args[1]
			}
			return s.rollback(cmd.Context(), args[0], target, f)
		},
	}
	expectFlag(cmd, &f.expect)
	cmd.Flags().StringVar(&f.reason, "reason", "", "`text` for the record; needed to go back to a quarantined digest")
	cmd.Flags().BoolVar(&f.noQuarantine, "no-quarantine", false, "do not quarantine the digest that is left")
	askedFlags(cmd, &f.asked)
	return cmd
}

func (s *session) rollback(ctx context.Context, service, target string, f rollbackFlags) error {
	desk, err := s.confirming(f.expect)
	if err != nil {
		return err
	}
	var dg digest.Digest
	if target != "" {
		if dg, err = s.fullDigest(target, func() (digest.Digest, error) { return findTarget(ctx, desk, service, target) }); err != nil {
			return err
		}
	}
	if !s.flags.yes {
		if dg, f.expect, err = s.showRollback(ctx, desk, service, dg, f); err != nil {
			return err
		}
	}
	return s.operate(func(report func(release.Progress)) (release.Outcome, error) {
		return desk.Rollback(ctx, release.RollbackRequest{
			Service: service, Digest: dg, Expect: f.expect, Reason: f.reason, NoQuarantine: f.noQuarantine, Asked: f.asked,
		}, report)
	})
}

// showRollback prints where prod would go and lets a person confirm it.
func (s *session) showRollback(ctx context.Context, desk *release.Desk, service string, dg digest.Digest, f rollbackFlags) (digest.Digest, string, error) {
	current, err := desk.Current(ctx, service)
	if err != nil {
		return "", "", err
	}
	targets, err := desk.Targets(ctx, service)
	if err != nil && dg == "" {
		return "", "", err
	}
	i := slices.IndexFunc(targets, func(t release.Target) bool { return t.Digest == dg || dg == "" && t.LastGood })
	switch {
	case i < 0 && dg == "":
		return "", "", fault.New(fault.Failed, "name a digest of plimsoll history "+service, nil, "%s has no last good digest to go back to", service)
	case i >= 0:
		dg = targets[i].Digest
		fmt.Fprintf(s.io.Err, "%s\n  in prod    %s\n  back to    %s  in prod %s, %s by %s\n", service, fullOrNone(current), dg, strings.Join(targets[i].Tags, " "), moment(targets[i].At), targets[i].Actor)
		if q := targets[i].Quarantined; q != "" {
			fmt.Fprintf(s.io.Err, "  QUARANTINED: %s\n", clean.Text(q))
		}
	default:
		fmt.Fprintf(s.io.Err, "%s\n  in prod    %s\n  back to    %s\n", service, fullOrNone(current), dg)
	}
	if f.expect == "" {
		f.expect = fullOrNone(current)
	}
	return dg, f.expect, s.confirmName(ctx, s.through(desk, service, "rollback")+"This changes PROD.", service)
}

// findTarget resolves a tag or a digest prefix among the digests that prod can go back to.
func findTarget(ctx context.Context, desk *release.Desk, service, text string) (digest.Digest, error) {
	targets, err := desk.Targets(ctx, service)
	if err != nil {
		return "", err
	}
	var found []digest.Digest
	for _, t := range targets {
		prefix := strings.TrimPrefix(text, "sha256:")
		if slices.Contains(t.Tags, text) || len(prefix) >= 6 && strings.HasPrefix(t.Digest.Encoded(), prefix) {
			found = append(found, t.Digest)
		}
	}
	switch slices.Sort(found); len(slices.Compact(found)) {
	case 0:
		return "", fault.New(fault.Failed, "plimsoll history "+service+" lists what was there", nil, "%q names no digest that %s had in prod", clean.Text(text), service)
	case 1:
		return found[0], nil
	}
	return "", fault.New(fault.Usage, "name more digits", nil, "%q names several digests", clean.Text(text))
}

func newAdopt(s *session) *cobra.Command {
	var expect, reason string
	cmd := &cobra.Command{
		Use:     "adopt SERVICE",
		GroupID: "act",
		Short:   "Sign a first record for what is in prod already",
		Example: "  plimsoll adopt chat-api --reason \"before Plimsoll\"",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.adopt(cmd.Context(), args[0], expect, reason)
		},
	}
	expectFlag(cmd, &expect)
	cmd.Flags().StringVar(&reason, "reason", "", "`text` for the record")
	return cmd
}

func (s *session) adopt(ctx context.Context, service, expect, reason string) error {
	desk, err := s.confirming(expect)
	if err != nil {
		return err
	}
	if !s.flags.yes {
		current, err := desk.Current(ctx, service)
		if err != nil {
			return err
		}
		if expect == "" {
			expect = fullOrNone(current)
		}
		fmt.Fprintf(s.io.Err, "%s\n  in prod    %s\n", service, fullOrNone(current))
		if err := s.confirmName(ctx, "This signs a record that says so; prod does not change.", service); err != nil {
			return err
		}
	}
	return s.operate(func(report func(release.Progress)) (release.Outcome, error) {
		return desk.Adopt(ctx, release.AdoptRequest{Service: service, Expect: expect, Reason: reason}, report)
	})
}

func newQuarantine(s *session) *cobra.Command {
	var reason string
	var lift bool
	cmd := &cobra.Command{
		Use:     "quarantine SERVICE DIGEST",
		GroupID: "act",
		Short:   "Mark a digest as never to be promoted, with the reason",
		Example: `  plimsoll quarantine chat-api sha256:90ab33e1… --reason "leaks memory"
  plimsoll quarantine chat-api sha256:90ab33e1… --lift --reason "was the load test"`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.quarantine(cmd.Context(), args[0], args[1], reason, lift)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that says why (needed)")
	cmd.Flags().BoolVar(&lift, "lift", false, "lift the quarantine")
	return cmd
}

func (s *session) quarantine(ctx context.Context, service, given, reason string, lift bool) error {
	if strings.TrimSpace(reason) == "" {
		return fault.New(fault.Usage, "add --reason TEXT", nil, "a quarantine needs a reason")
	}
	desk, err := s.confirming("")
	if err != nil {
		return err
	}
	dg, err := s.fullDigest(given, func() (digest.Digest, error) {
		d, err := desk.Resolve(ctx, service, given)
		if err != nil {
			return findTarget(ctx, desk, service, given)
		}
		return d, nil
	})
	if err != nil {
		return err
	}
	verb := "Quarantine"
	if lift {
		verb = "Lift the quarantine of"
	}
	if err := s.confirm(ctx, fmt.Sprintf("%s %s of %s?", verb, dg, service)); err != nil {
		return err
	}
	out, err := desk.Quarantine(ctx, release.QuarantineRequest{Service: service, Digest: dg, Reason: reason, Lift: lift})
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) {
		switch {
		case out.Unchanged && out.Lifted:
			fmt.Fprintf(w, "%s: %s is not quarantined. Nothing was changed.\n", service, dg)
		case out.Unchanged:
			fmt.Fprintf(w, "%s: %s is quarantined already. Nothing was changed.\n", service, dg)
		case out.Lifted:
			fmt.Fprintf(w, "%s: quarantine of %s lifted\n  statement %s\n", service, dg, out.Evidence)
		default:
			fmt.Fprintf(w, "%s: %s is quarantined: %s\n  statement %s\n", service, dg, out.Reason, out.Evidence)
		}
	})
}

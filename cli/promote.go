package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release"
)

type promoteFlags struct {
	expect, reason string
	overrides      []string
}

func newPromote(s *session) *cobra.Command {
	var f promoteFlags
	cmd := &cobra.Command{
		Use:     "promote SERVICE CANDIDATE",
		GroupID: "act",
		Short:   "Copy a candidate to prod by digest and move the channel",
		Long: `Promote reads the candidate's evidence again, lets the gates decide, copies the
digest with its evidence to prod, writes a signed record, and moves the channel.
Until the channel moves, prod is unchanged and ctrl+c stops at once.

A promotion that was cut off is finished by the same command.`,
		Example: `  plimsoll promote chat-api v1.42.0
  plimsoll promote chat-api sha256:7be144c0… --yes --expect sha256:3f9a1c2b…   in a pipeline`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.promote(cmd.Context(), args[0], args[1], f)
		},
	}
	expectFlag(cmd, &f.expect)
	cmd.Flags().StringVar(&f.reason, "reason", "", "`text` for the record")
	cmd.Flags().StringArrayVar(&f.overrides, "override", nil, "`gate` to override, where the policy allows it, with --reason")
	return cmd
}

func expectFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "expect", "", "the prod `digest` that was seen, or none: stops with exit code 4 if prod moved since")
}

func checkExpect(expect string) error {
	if expect == "" || expect == "none" {
		return nil
	}
	if _, err := digest.Parse(expect); err != nil {
		return fault.New(fault.Usage, "use sha256:<64 hex digits>, or none", err, "--expect %q is no digest", expect)
	}
	return nil
}

func (s *session) promote(ctx context.Context, service, candidate string, f promoteFlags) error {
	desk, dg, err := s.choosing(ctx, f.expect, service, candidate)
	if err != nil {
		return err
	}
	if !s.flags.yes {
		if f.expect, err = s.showPromotion(ctx, desk, service, dg, f.expect); err != nil {
			return err
		}
	}
	return s.operate(func(report func(release.Progress)) (release.Outcome, error) {
		return desk.Promote(ctx, release.PromoteRequest{
			Service: service, Digest: dg, Expect: f.expect, Reason: f.reason, Overrides: f.overrides,
		}, report)
	})
}

// showPromotion prints what would happen and lets a person confirm it. It
// returns the prod digest that was shown, which is what the promotion then expects.
func (s *session) showPromotion(ctx context.Context, desk *release.Desk, service string, dg digest.Digest, expect string) (string, error) {
	verdict, err := desk.Gates(ctx, service, dg)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(s.io.Err, "%s\n  in prod    %s\n  candidate  %s  %s\n", service, fullOrNone(verdict.Prod), dg, verdict.Verdict)
	checks(s.io.Err, verdict.Checks)
	if verdict.Verdict == gates.InProd {
		return expect, nil // nothing to confirm: the operation says that nothing changes
	}
	if !s.unfinished(desk, service) && verdict.Verdict != gates.Ready {
		return "", blocked(verdict)
	}
	if expect == "" {
		expect = fullOrNone(verdict.Prod)
	}
	return expect, s.confirmName(ctx, "This changes PROD.", service)
}

// unfinished tells whether an operation of this service is open: then the
// operation, not the verdict of now, knows what is left to do.
func (s *session) unfinished(desk *release.Desk, service string) bool {
	pending, err := desk.Pending()
	if err != nil {
		return false
	}
	for _, p := range pending {
		if p.Service == service {
			return true
		}
	}
	return false
}

// blocked is the refusal of the gates.
func blocked(v release.Verdict) error {
	var no []string
	for _, c := range v.Checks {
		if !c.Status.Passes() {
			no = append(no, fmt.Sprintf("%s: %s (%s)", c.Gate, c.Status, c.Summary))
		}
	}
	if v.Verdict == gates.Quarantined {
		no = append([]string{"quarantined"}, no...)
	}
	return fault.New(fault.Gate, "plimsoll gates "+v.Service+" "+v.Digest.String()+" explains every check", nil,
		"%s is not ready: %s", short(v.Digest), strings.Join(no, "; "))
}

// operate runs what changes prod or its records, and prints how it went.
func (s *session) operate(run func(report func(release.Progress)) (release.Outcome, error)) error {
	report, done := s.progress()
	out, err := run(report)
	done()
	if err != nil {
		return err
	}
	return s.answer(out, func(w io.Writer) { outcome(w, out) })
}

// progress reports steps as lines and, on a terminal, the copy as one line that is redrawn.
func (s *session) progress() (report func(release.Progress), done func()) {
	if s.json {
		return func(release.Progress) {}, func() {}
	}
	p := &progressLine{w: s.io.Err, redraw: s.io.Terminal, step: -1}
	return p.report, p.clear
}

type progressLine struct {
	w      io.Writer
	redraw bool
	step   int
	width  int
}

func (p *progressLine) report(r release.Progress) {
	if r.Index != p.step {
		p.clear()
		p.step = r.Index
		fmt.Fprintf(p.w, "[%d/%d] %s\n", r.Index+1, len(r.Steps), r.Step)
	}
	if r.Copy == nil || !p.redraw {
		return
	}
	text := fmt.Sprintf("      %s of %s, %d of %d blobs", bytesText(r.Copy.Bytes), bytesText(r.Copy.Total), r.Copy.Blob, len(r.Copy.Blobs))
	fmt.Fprintf(p.w, "\r%-*s", p.width, text)
	p.width = len(text)
}

// clear removes the redrawn line with blanks: no escape sequence is needed for it.
func (p *progressLine) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%-*s\r", p.width, "")
		p.width = 0
	}
}

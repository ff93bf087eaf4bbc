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
	"plimsoll/gates"
	"plimsoll/release"
	"plimsoll/release/via"
)

type promoteFlags struct {
	expect, reason string
	overrides      []string
	asked          release.Asked
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

A promotion that was cut off is finished by the same command.

Where the registry of prod names a pipeline (via), the pipeline promotes under its own
identity: plimsoll asks it for a run and follows that and the ledger. ctrl+c asks it to
cancel. --requested-by and --operation are for the job in that pipeline.

With --override a gate that says no does not stop it, if the policy lets you go past that
gate. It needs --reason; record, history and verify show both.`,
		Example: `  plimsoll promote chat-api v1.42.0
  plimsoll promote chat-api sha256:7be144c0… --yes --expect sha256:3f9a1c2b…   in a pipeline
  plimsoll promote chat-api v1.42.1 --override freeze --reason "stops the data loss"`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: s.completeCandidate,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.promote(cmd.Context(), args[0], args[1], f)
		},
	}
	expectFlag(cmd, &f.expect)
	cmd.Flags().StringVar(&f.reason, "reason", "", "`text` for the record")
	cmd.Flags().StringArrayVar(&f.overrides, "override", nil, "`gate` to override, where the policy allows it, with --reason")
	askedFlags(cmd, &f.asked)
	return cmd
}

func expectFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "expect", "", "the prod `digest` that was seen, or none: stops with exit code 4 if prod moved since")
}

// askedFlags are for the job of a pipeline that does it for somebody.
func askedFlags(cmd *cobra.Command, into *release.Asked) {
	cmd.Flags().StringArrayVar(&into.RequestedBy, "requested-by", nil, "in a pipeline: the `name` of who started it, as the runner says it; may be repeated")
	cmd.Flags().StringVar(&into.Operation, "operation", "", "in a pipeline: the `id` of the operation of who started it")
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
	if len(f.overrides) > 0 && strings.TrimSpace(f.reason) == "" {
		return fault.New(fault.Usage, "say why with --reason", nil, "--override needs a reason")
	}
	desk, dg, err := s.choosing(ctx, f.expect, service, candidate)
	if err != nil {
		return err
	}
	if !s.flags.yes {
		if f.expect, err = s.showPromotion(ctx, desk, service, dg, f); err != nil {
			return err
		}
	}
	return s.operate(func(report func(release.Progress)) (release.Outcome, error) {
		return desk.Promote(ctx, release.PromoteRequest{
			Service: service, Digest: dg, Expect: f.expect, Reason: f.reason, Overrides: f.overrides, Asked: f.asked,
		}, report)
	})
}

// showPromotion prints what would happen and lets a person confirm it. It
// returns the prod digest that was shown, which is what the promotion then expects.
func (s *session) showPromotion(ctx context.Context, desk *release.Desk, service string, dg digest.Digest, f promoteFlags) (string, error) {
	verdict, err := desk.Gates(ctx, service, dg)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(s.io.Err, "%s\n  in prod    %s\n  candidate  %s  %s\n", service, fullOrNone(verdict.Prod), dg, verdict.Verdict)
	checks(s.io.Err, verdict.Checks)
	if verdict.Verdict == gates.InProd {
		return f.expect, nil // nothing to confirm: the operation says that nothing changes
	}
	if !s.unfinished(desk, service) && verdict.Verdict != gates.Ready && !onlyThese(verdict, f.overrides) {
		return "", blocked(verdict)
	}
	if f.expect == "" {
		f.expect = fullOrNone(verdict.Prod)
	}
	what := s.through(desk, service, "promote") + "This changes PROD."
	for _, gate := range f.overrides {
		what = fmt.Sprintf("OVERRIDE %s: %s\n%s", clean.Text(gate), clean.Text(f.reason), what)
	}
	return f.expect, s.confirmName(ctx, what, service)
}

// through says that a pipeline will do it, if one will.
func (s *session) through(desk *release.Desk, service, action string) string {
	name := desk.Through(service, action)
	if name == "" {
		return ""
	}
	return "A pipeline does it under its own identity: " + name + ". This machine asks it and follows its run.\n"
}

// onlyThese tells whether nothing but the gates that are to be overridden says
// no. Whether the promoter may go past them, the promotion tells.
func onlyThese(v release.Verdict, overrides []string) bool {
	return v.Verdict == gates.Blocked && !slices.ContainsFunc(v.Checks, func(c gates.Check) bool {
		return !c.Status.Passes() && !slices.Contains(overrides, c.Gate)
	})
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
	no := inTheWay(v)
	if v.Verdict == gates.Quarantined {
		no = append([]string{"quarantined"}, no...)
	}
	return fault.New(fault.Gate, "plimsoll gates "+v.Service+" "+v.Digest.String()+" explains every check", nil,
		"%s is not ready: %s", short(v.Digest), strings.Join(no, "; "))
}

// inTheWay is every check that does not let a candidate through, in a few words.
func inTheWay(v release.Verdict) []string {
	var no []string
	for _, c := range v.Checks {
		switch {
		case c.Status.Passes() || v.Verdict == gates.InProd:
		case c.Gate == gates.QuarantineOut && c.Status == gates.Fail && len(c.Reasons) > 0:
			no = append(no, c.Reasons[0])
		default:
			no = append(no, fmt.Sprintf("%s: %s (%s)", c.Gate, c.Status, c.Summary))
		}
	}
	return no
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
	run    string // the latest line about a pipeline's run
	width  int
}

func (p *progressLine) report(r release.Progress) {
	if r.Index != p.step {
		p.clear()
		p.step = r.Index
		fmt.Fprintf(p.w, "[%d/%d] %s\n", r.Index+1, len(r.Steps), r.Step)
	}
	if r.Run != nil {
		p.follow(*r.Run)
	}
	if r.Copy == nil || !p.redraw {
		return
	}
	text := fmt.Sprintf("      %s of %s, %d of %d blobs", bytesText(r.Copy.Bytes), bytesText(r.Copy.Total), r.Copy.Blob, len(r.Copy.Blobs))
	fmt.Fprintf(p.w, "\r%-*s", p.width, text)
	p.width = len(text)
}

// follow prints a line whenever a pipeline's run stands elsewhere.
func (p *progressLine) follow(run via.Status) {
	text := "run " + run.State
	for _, step := range run.Steps {
		if step.State == via.StepRunning || step.State == via.StepFailed {
			text += fmt.Sprintf(", %q is %s", step.Name, step.State)
			break
		}
	}
	if run.Link != "" {
		text += "  " + run.Link
	}
	if text != p.run {
		p.run = text
		fmt.Fprintf(p.w, "      %s\n", clean.Text(text))
	}
}

// clear removes the redrawn line with blanks: no escape sequence is needed for it.
func (p *progressLine) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%-*s\r", p.width, "")
		p.width = 0
	}
}

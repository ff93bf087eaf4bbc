package operation

import (
	"cmp"
	"fmt"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/via"
)

// meanings says what the exit codes of plimsoll mean, for a step that ran it.
var meanings = map[int]string{
	int(fault.Usage):      "the command line or the configuration is wrong",
	int(fault.Gate):       "a gate says no",
	int(fault.Moved):      "prod moved since it was shown",
	int(fault.Refused):    "the registry refused the pipeline's identity",
	int(fault.Unfinished): "a later step was unfinished, or the registry did not say whether the channel moved",
}

// verdict is the error of a run that ended without moving the channel.
func (p *pursuit) verdict() error {
	code, hint, what := fault.Failed, "look at its log, then promote again", ""
	switch {
	case p.lost():
		what, hint = "the order was lost: no run of it appeared in "+lostAfter.String(), "run it again: "+p.command()
	case p.status.Result == via.Cancelled:
		what = "its run was cancelled in the pipeline"
	case p.status.Result == via.Succeeded:
		what, hint = "its run succeeded and did not promote: the ledger has no record of this operation", "compare the workflow with docs/via.md"
	default:
		what = "its run failed" + p.failure()
		if step, ok := p.status.Failed(); ok && step.Exit >= int(fault.Failed) && step.Exit < int(fault.Unfinished) {
			code = fault.Code(step.Exit)
		}
	}
	return settled{fault.New(code, hint, nil, "%s: %s; %s%s", p.what(), what, p.prodNow(), p.where())}
}

// prodNow says where the channel is after all.
func (p *pursuit) prodNow() string {
	if p.points == p.Previous {
		return "prod has not changed"
	}
	return fmt.Sprintf("prod was changed by somebody else meanwhile: %s points at %s", p.channel(), short(p.points))
}

// failure names the step that failed, and what its exit code means.
func (p *pursuit) failure() string {
	step, ok := p.status.Failed()
	if !ok {
		return ""
	}
	said := fmt.Sprintf(" at %q", clean.Text(step.Name))
	if step.Exit == 0 {
		return said
	}
	said += fmt.Sprintf(" with exit code %d", step.Exit)
	if why, ok := meanings[step.Exit]; ok {
		said += " (" + why + ")"
	}
	return said
}

// where is the link to the run, for the end of a sentence.
func (s *state) where() string {
	if s.Via == nil || s.Via.Run.Link == "" {
		return ""
	}
	return "; " + s.Via.Run.Link
}

// astray says that a pipeline may be at work and that it is not known how it
// ends; the operation stays open, and the next start takes it up.
func (s *state) astray(err error) error {
	s.op.Problem = clean.Text(clean.Redact(err.Error()))
	prod := "the channel had not moved when it was last looked at"
	hint := "it asks nobody twice; to find out and to go on: " + s.command()
	return fault.New(fault.Unfinished, hint, fault.Join(err, s.save()), "%s: %s was asked, and how that ends is not known yet; %s%s",
		s.what(), cmp.Or(s.Via.Pipeline, "the pipeline"), prod, s.where())
}

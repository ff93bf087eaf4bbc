package gates

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// staging is the environment that a statement of a deployment has to name.
const staging = "staging"

// soak: the candidate first became what staging runs at least so long ago, as
// this machine saw it, or as the gate's signers say (evidence.Deployment).
func (e *evaluation) soak() Check {
	gate := e.policy.Service.Gates.Soak
	var f found
	if len(gate.Signers) > 0 {
		var problem *Check
		f, problem = e.ask(gate.Signers, func(t string) bool { return t == evidence.Deployment }, []digest.Digest{e.in.Candidate})
		if problem != nil {
			return *problem
		}
	}
	since, said, ids := e.deployed(&f)
	if e.in.Staged.Err != nil {
		f.broken = append(f.broken, fmt.Sprintf("it cannot be told since when staging runs it: %s", clean.Text(e.in.Staged.Err.Error())))
	}
	c := e.soaked(since, said)
	if len(f.broken) > 0 {
		c.Status, c.Summary, c.Reasons = Error, "error", append(f.broken, c.Reasons...)
	}
	c.Reasons = append(c.Reasons, f.beside(c.Status == Missing)...)
	c.Evidence = ids
	return c
}

// soaked compares the time in staging with what is asked.
func (e *evaluation) soaked(since time.Time, said string) Check {
	gate := e.policy.Service.Gates.Soak
	where := "staging"
	if gate.Channel != "" {
		where = e.policy.Service.Staging + ":" + gate.Channel
	}
	if since.IsZero() {
		todo := "deploy it there"
		if len(gate.Signers) > 0 {
			todo += ", or ask " + list(gate.Signers, "or") + " to attest that it runs there (" + evidence.Deployment + ")"
		}
		return failed(Missing, "never in staging", fmt.Sprintf("%s was never seen at %s; it has to run there for %s: %s", where, short(e.in.Candidate), brief(gate.Min), todo))
	}
	age := max(0, e.in.Now.Sub(since))
	progress := fmt.Sprintf("%s of %s", brief(min(age, gate.Min)), brief(gate.Min))
	reason := fmt.Sprintf("in staging for %s, since %s (%s); %s is asked for", brief(age), moment(since), said, brief(gate.Min))
	if age < gate.Min {
		return failed(Waiting, progress, reason, fmt.Sprintf("wait until %s", moment(since.Add(gate.Min))))
	}
	return failed(Pass, brief(age), reason)
}

// deployed is when the candidate first became what staging runs, who says so,
// and the statements that do.
func (e *evaluation) deployed(f *found) (since time.Time, said string, ids []digest.Digest) {
	if s := e.in.Staged; s.Err == nil && !s.Since.IsZero() && !s.Since.After(e.in.Now.Add(maxSkew)) {
		since, said = s.Since, "seen by this machine"
		if !s.Now {
			said += "; staging runs another digest now"
		}
	}
	for _, p := range f.proofs {
		at, why := e.deployment(p)
		switch {
		case why != "":
			f.reject(p.Item, why)
		case at.After(e.in.Now.Add(maxSkew)):
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s, is dated %s, which is in the future: check the clock of the signer, and of this machine", label(p.Item), p.Group, moment(at)))
		default:
			ids = append(ids, p.Manifest)
			if since.IsZero() || at.Before(since) {
				since, said = at, "signed by "+p.Group
			}
		}
	}
	return since, said, ids
}

// deployment reads one statement: since when, or why it does not count. What a
// log saw later than the statement says counts from then.
func (e *evaluation) deployment(p proof) (time.Time, string) {
	channel := e.policy.Service.Gates.Soak.Channel
	var d evidence.DeploymentPredicate
	if err := json.Unmarshal(p.Statement.Predicate, &d); err != nil {
		return time.Time{}, fmt.Sprintf("%v: %v", evidence.ErrMalformed, err)
	}
	switch {
	case d.Environment != staging:
		return time.Time{}, fmt.Sprintf("signed by %s, but about the environment %q", p.Group, clean.Text(d.Environment))
	case channel != "" && d.Channel != channel:
		return time.Time{}, fmt.Sprintf("signed by %s, but about the channel %q", p.Group, clean.Text(d.Channel))
	case p.at.IsZero() || d.DeployedOn.IsZero():
		return time.Time{}, fmt.Sprintf("signed by %s, but it does not say since when", p.Group)
	case d.DeployedOn.After(p.at):
		return d.DeployedOn, ""
	}
	return p.at, ""
}

// brief writes a duration in one or two short units: 23 m, 1 h 30 m.
func brief(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d m", d/time.Minute)
	case d >= 72*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour < time.Minute:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d h %d m", d/time.Hour, d%time.Hour/time.Minute)
}

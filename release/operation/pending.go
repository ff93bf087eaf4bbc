package operation

import (
	"plimsoll/config/clean"
	"plimsoll/store"
)

// Pending are the open operations of this machine, oldest first. It asks no
// network: which side of the move an uncertain one ended on, the next start finds out.
func (r *Runner) Pending() ([]Pending, error) {
	ops, err := r.Journal.Operations(true)
	if err != nil {
		return nil, err //nolint:wrapcheck // the store says what was tried
	}
	out := []Pending{}
	for _, op := range ops {
		p := Pending{ID: op.ID, Service: op.Service, Action: op.Action, Started: op.Started, Prod: Before, Problem: clean.Text(op.Problem)}
		d, err := decode(op)
		if err != nil {
			p.Prod, p.Problem = Unknown, err.Error()
			out = append(out, p)
			continue
		}
		out = append(out, p.filled(op, d))
	}
	return out, nil
}

// filled says where the operation stopped, and what finishes it.
func (p Pending) filled(op store.Operation, d journaled) Pending {
	s := state{journaled: d, op: op}
	s.service.Name = op.Service
	p.Digest, p.Command = d.Target, s.command()
	if d.Previous != "" {
		p.Previous = &d.Previous
	}
	switch {
	case op.Moved:
		p.Prod = After
	case d.Moving && d.Closing == "":
		p.Prod = Unknown
	}
	if len(op.Steps) > 0 {
		p.Step = wordsOf(op.Action, op.Steps[len(op.Steps)-1].Step)
	}
	if d.Via != nil {
		p.Run = d.Via.Run.Link
	}
	if s.settleable() {
		p.Owed, p.Command = owedBy(&s), "plimsoll audit sync"
	}
	return p
}

// owedBy says in words what the ledger still has to get.
func owedBy(s *state) []string {
	switch {
	case s.sent():
		return []string{"cancel its run, or find out how it ended"}
	case s.Closing != "":
		return []string{"mark its record as abandoned"}
	case s.op.Action == ActionPromote:
		return []string{"complete the record"}
	}
	owed := []string{"write the record"}
	if s.Left != "" {
		owed = append(owed, "quarantine "+short(s.Left))
	}
	return owed
}

func wordsOf(action, name string) string {
	for _, st := range append(stepsOf(action), throughPipeline(action)...) {
		if st.name == name {
			return st.words
		}
	}
	return name
}

package ui

import (
	"fmt"

	"plimsoll/release/operation"
)

// pendingWords is an operation that an earlier start left open: where prod
// stands, and what to do.
func pendingWords(p operation.Pending) string {
	return fmt.Sprintf("unfinished %s of %s to %s: %s. %s", p.Action, p.Service, short(p.Digest), whereWords(p.Prod), finishWords(p))
}

func whereWords(w operation.Where) string {
	switch w {
	case operation.Before:
		return "prod has not changed"
	case operation.After:
		return "prod has moved"
	case operation.Unknown:
	}
	return "whether prod has moved is not known here"
}

func finishWords(p operation.Pending) string {
	switch p.Action {
	case "promote":
		return "Promote the same digest again to finish it"
	case "rollback":
		return "Roll back to the same digest again to finish it"
	}
	return "To finish it: " + p.Command
}

// pendingLines is the same in full, for the box.
func pendingLines(list []operation.Pending) []line {
	var out []line
	for _, p := range list {
		out = append(out,
			say(strong, "unfinished %s of %s", p.Action, p.Service),
			digestLine("digest", string(p.Digest)),
			field("started", clock(p.Started)),
			field("stopped at", orDash(p.Step)),
			field("prod", whereWords(p.Prod)),
		)
		for _, o := range p.Owed {
			out = append(out, field("still owed", o))
		}
		if p.Problem != "" {
			out = append(out, field("problem", p.Problem))
		}
		out = append(out, field("to finish", finishWords(p)), field("or run", orDash(p.Command)), nil)
	}
	return out
}

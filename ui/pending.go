package ui

import (
	"fmt"

	"plimsoll/release/operation"
)

// pendingWords is an operation that an earlier start left open: where prod
// stands, and what to do.
func pendingWords(p operation.Pending) string {
	return fmt.Sprintf("an earlier %s of %s to %s is unfinished: %s", p.Action, p.Service, short(p.Digest), whereWords(p.Prod))
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

// pendingLines is the same in full, for the box.
func pendingLines(list []operation.Pending) []line {
	var out []line
	for _, p := range list {
		out = append(out,
			say(strong, "unfinished %s of %s", p.Action, p.Service),
			say(plain, "  %s", p.Digest),
			field("started", clock(p.Started)),
			field("stopped at", orDash(p.Step)),
			field("prod", whereWords(p.Prod)),
		)
		if p.Run != "" {
			out = append(out, field("run", p.Run))
		}
		for _, o := range p.Owed {
			out = append(out, field("still owed", o))
		}
		if p.Problem != "" {
			out = append(out, field("problem", p.Problem))
		}
		out = append(out, say(strong, "  to finish it, press f on its service, or run"), say(plain, "  %s", p.Command), nil)
	}
	return out
}

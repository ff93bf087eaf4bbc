package ui

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"

	"plimsoll/gates"
	"plimsoll/release"
)

// What the table of candidates shows of verdicts and checks, a cell each.

// stateMark is a candidate's verdict in one cell.
func stateMark(c release.Candidate) (string, tone) {
	if c.Error != "" {
		return "?", warn
	}
	switch c.Verdict {
	case gates.Ready:
		return "✓", good
	case gates.InProd:
		return "●", prod
	case gates.Quarantined:
		return "!", bad
	case gates.Blocked:
		return "✗", bad
	}
	return "?", warn
}

func stateTone(c release.Candidate) tone {
	_, t := stateMark(c)
	return t
}

// statusMark is a check's status in one cell.
func statusMark(s gates.Status) (string, tone) {
	switch s {
	case gates.Pass:
		return "✓", good
	case gates.Fail:
		return "✗", bad
	case gates.Needed, gates.Waiting:
		return "…", warn
	case gates.Waived:
		return "»", warn
	case gates.Stale:
		return "!", warn
	case gates.Missing, gates.NotRequired, gates.Off:
		return "-", plain
	case gates.Error:
		return "?", bad
	}
	return "?", bad
}

// gateCell is one gate's answer for the table: its figures where it has read
// evidence, else its status in a word.
func gateCell(c release.Candidate, gate string) span {
	for _, check := range c.Checks {
		if check.Gate == gate {
			return checkCell(check)
		}
	}
	return span{"-", plain}
}

func checkCell(check gates.Check) span {
	mark, tone := statusMark(check.Status)
	switch check.Status { //nolint:exhaustive // the others are shown by their name
	case gates.Pass, gates.Fail:
		if check.Summary != "" {
			return span{mark + " " + check.Summary, tone}
		}
	case gates.Missing:
		return span{mark + " none", tone}
	case gates.NotRequired:
		return span{mark + " not req", tone}
	case gates.Waived:
		return span{mark + " WAIVED", tone}
	}
	return span{mark + " " + string(check.Status), tone}
}

// otherChecks are the checks of the gates that have no column, without those
// that ask for nothing and without a quarantine, which marks the whole row.
func otherChecks(c release.Candidate) []gates.Check {
	var out []gates.Check
	for _, check := range c.Checks {
		switch check.Gate {
		case gates.E2E, gates.Scan, gates.BaseImage, gates.SignOff:
			continue
		}
		quarantined := check.Gate == gates.QuarantineOut && check.Status == gates.Fail
		if check.Status != gates.NotRequired && !quarantined {
			out = append(out, check)
		}
	}
	return out
}

// otherCell is the gates that have no column: the worst that says no and how
// many more do, else what was waived, else how many pass.
func otherCell(c release.Candidate) span {
	var no, waived []gates.Check
	passed, off := 0, 0
	for _, check := range otherChecks(c) {
		switch {
		case check.Status == gates.Waived:
			waived = append(waived, check)
		case check.Status == gates.Off:
			off++
		case check.Status.Passes():
			passed++
		default:
			no = append(no, check)
		}
	}
	for _, some := range [][]gates.Check{no, waived} {
		if len(some) == 0 {
			continue
		}
		worst := some[0]
		for _, check := range some {
			if _, tone := statusMark(check.Status); tone == bad {
				worst = check
				break
			}
		}
		mark, tone := statusMark(worst.Status)
		more := ""
		if len(some) > 1 {
			more = fmt.Sprintf(" +%d", len(some)-1)
		}
		return span{ansi.Truncate(mark+" "+worst.Gate, otherWidth-len(more), "…") + more, tone}
	}
	switch {
	case passed > 0:
		return span{fmt.Sprintf("+%d ✓", passed), good}
	case off > 0:
		return span{fmt.Sprintf("%d off", off), plain}
	}
	return span{"-", plain}
}

package ui

import (
	"fmt"

	"plimsoll/release/via"
)

// runLines is the run of a pipeline: where it stands, and its steps.
func runLines(run via.Status) []line {
	lines := make([]line, 0, 1+len(run.Steps))
	lines = append(lines, line{{"  " + fit("run", 11) + " ", strong}, {run.State, runTone(run.Result)}})
	for _, step := range run.Steps {
		mark, t := stepMark(step.State)
		words := step.Name
		if step.Exit > 0 {
			words += fmt.Sprintf(" (exit code %d)", step.Exit)
		}
		lines = append(lines, line{{"    " + mark + " ", t}, {words, plain}})
	}
	return lines
}

func runTone(r via.Result) tone {
	switch r {
	case via.Succeeded:
		return good
	case via.Failed, via.Cancelled:
		return bad
	case via.Running:
	}
	return warn
}

func stepMark(s via.StepState) (string, tone) {
	switch s {
	case via.StepDone:
		return "✓", good
	case via.StepFailed:
		return "✗", bad
	case via.StepRunning:
		return "…", warn
	case via.StepWaiting:
	}
	return "-", plain
}

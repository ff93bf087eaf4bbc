package via

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// record is a line of a build's timeline.
type record struct {
	Type   string    `json:"type"`
	Name   string    `json:"name"`
	State  string    `json:"state"`
	Result string    `json:"result"`
	Start  time.Time `json:"startTime"`
	Order  int       `json:"order"`
	Issues []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"issues"`
}

// Look reads the build and its timeline.
func (a *azure) Look(ctx context.Context, run Run) (Status, error) {
	var b azureBuild
	if err := a.get(ctx, "build/builds/"+url.PathEscape(run.ID), nil, &b); err != nil {
		return Status{}, fmt.Errorf("look at the run %s: %w", run.Link, err)
	}
	st := Status{Run: run, Result: b.result()}
	st.Link = cmp.Or(text(b.Links.Web.Href), st.Link)
	st.State = stateWords(st.Result, b.Status)
	var line struct {
		Records []record `json:"records"`
	}
	r, err := a.ask(ctx, http.MethodGet, "build/builds/"+url.PathEscape(run.ID)+"/timeline", nil, nil)
	switch {
	case err != nil:
		return Status{}, fmt.Errorf("look at the steps of the run %s: %w", run.Link, err)
	case r.status == http.StatusNoContent || r.status == http.StatusNotFound: // nothing has begun
		return st, nil
	case r.status != http.StatusOK || r.page():
		return Status{}, a.refusal(r, "tell the steps of")
	}
	if err := r.read("the timeline", &line); err != nil {
		return Status{}, err
	}
	if slices.ContainsFunc(line.Records, record.approval) && st.Result == Running {
		st.State = "waiting for an approval"
	}
	st.Steps = stepsOf(line.Records)
	return st, nil
}

// approval tells whether a person is waited for.
func (r record) approval() bool { return r.Type == "Checkpoint.Approval" && r.State != "completed" }

// stepsOf are the tasks in the order in which they began, then in that of the job.
func stepsOf(records []record) []Step {
	var tasks []record
	for _, r := range records {
		if r.Type == "Task" {
			tasks = append(tasks, r)
		}
	}
	slices.SortStableFunc(tasks, func(a, b record) int {
		if a.Start.IsZero() != b.Start.IsZero() {
			if a.Start.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.Start.Compare(b.Start), a.Order-b.Order)
	})
	out := make([]Step, 0, min(len(tasks), maxSteps))
	for _, r := range tasks[:min(len(tasks), maxSteps)] {
		out = append(out, r.step())
	}
	return out
}

func (r record) step() Step {
	s := Step{Name: text(r.Name), State: StepWaiting}
	switch {
	case r.State == "inProgress":
		s.State = StepRunning
	case r.State != "completed":
	case r.Result == "failed" || r.Result == "canceled" || r.Result == "abandoned":
		s.State = StepFailed
		for _, i := range r.Issues {
			if i.Type == "error" && s.Exit == 0 {
				s.Exit = exitOf(i.Message)
			}
		}
	default:
		s.State = StepDone
	}
	return s
}

package via

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// gitHubVersion is the version of the API (https://docs.github.com/rest/about-the-rest-api/api-versions).
const gitHubVersion = "2022-11-28"

// skewed is how far a server's clock may be off ours when runs are looked for.
const skewed = 10 * time.Minute

// github dispatches a workflow
// (https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event) and
// follows its run (https://docs.github.com/rest/actions/workflow-runs).
type github struct {
	config.GitHubWorkflow
	caller
}

func newGitHub(w config.GitHubWorkflow, c caller) *github { return &github{w, c} }

// Name is the workflow.
func (g *github) Name() string { return Name(&config.Via{GitHub: &g.GitHubWorkflow}) }

// Page lists the workflow's runs. That of an Enterprise server is HOST/api/v3.
func (g *github) Page() string {
	site := strings.TrimSuffix(g.API, "/api/v3")
	if rest, ok := strings.CutPrefix(g.API, "https://api."); ok {
		site = "https://" + rest
	}
	return site + "/" + g.Repository + "/actions/workflows/" + g.Workflow
}

// workflowRun is a run, as far as it is read.
type workflowRun struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Title      string `json:"display_title"` // what run-name made
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Page       string `json:"html_url"`
}

// result reads a conclusion; one that is not known is no success.
func (w workflowRun) result() Result {
	switch {
	case w.Status != "completed":
		return Running
	case w.Conclusion == "success":
		return Succeeded
	case w.Conclusion == "cancelled":
		return Cancelled
	}
	return Failed // failure, timed_out, action_required, startup_failure, stale, skipped, neutral
}

func (w workflowRun) run() Run { return Run{ID: strconv.FormatInt(w.ID, 10), Link: text(w.Page)} }

// Dispatch asks for the run's id, too. Enterprise servers that do not know that
// question refuse it; they are asked without
// (https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids).
func (g *github) Dispatch(ctx context.Context, o Order) (Run, error) {
	body := map[string]any{"ref": g.Ref, "inputs": o.inputs(), "return_run_details": true}
	r, err := g.ask(ctx, http.MethodPost, "actions/workflows/"+url.PathEscape(g.Workflow)+"/dispatches", nil, body)
	if err == nil && (r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity) && bytes.Contains(r.body, []byte("return_run_details")) {
		delete(body, "return_run_details")
		r, err = g.ask(ctx, http.MethodPost, "actions/workflows/"+url.PathEscape(g.Workflow)+"/dispatches", nil, body)
	}
	switch {
	case err != nil:
		return Run{}, fmt.Errorf("dispatch %s: %w", g.Name(), err)
	case r.status == http.StatusNoContent:
		return Run{}, nil
	case r.status != http.StatusOK:
		return Run{}, r.refusedBy(g.refusal(r, "dispatch"))
	}
	var made struct {
		ID   int64  `json:"workflow_run_id"`
		Page string `json:"html_url"`
	}
	if json.Unmarshal(r.body, &made) == nil && made.ID > 0 {
		return workflowRun{ID: made.ID, Page: made.Page}.run(), nil
	}
	return Run{}, nil // it was dispatched; Find finds the run
}

// Find reads the newest dispatched runs. A name that carries the operation is
// what the workflow's run-name is for.
func (g *github) Find(ctx context.Context, o Order, since time.Time) (Run, bool, error) {
	var list struct {
		Runs []workflowRun `json:"workflow_runs"`
	}
	query := url.Values{"event": {"workflow_dispatch"}, "per_page": {"100"}, "created": {">=" + since.Add(-skewed).UTC().Format(time.RFC3339)}}
	if err := g.get(ctx, "actions/workflows/"+url.PathEscape(g.Workflow)+"/runs", query, &list); err != nil {
		return Run{}, false, fmt.Errorf("look for the run of operation %s: %w", o.Operation, err)
	}
	var best *workflowRun
	for i, w := range list.Runs {
		if (strings.Contains(w.Title, o.Operation) || strings.Contains(w.Name, o.Operation)) && (best == nil || worse(best.result(), w.result())) {
			best = &list.Runs[i]
		}
	}
	if best == nil {
		return Run{}, false, nil
	}
	return best.run(), true, nil
}

// workflowJob is a job of a run, with its steps.
type workflowJob struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Steps      []struct {
		Name       string `json:"name"`
		Status     string `json:"status"`
		Conclusion string `json:"conclusion"`
	} `json:"steps"`
}

// Look reads the run, and the jobs of its latest attempt.
func (g *github) Look(ctx context.Context, run Run) (Status, error) {
	var w workflowRun
	if err := g.get(ctx, "actions/runs/"+url.PathEscape(run.ID), nil, &w); err != nil {
		return Status{}, fmt.Errorf("look at the run %s: %w", run.Link, err)
	}
	st := Status{Run: run, Result: w.result()}
	if w.Page != "" {
		st.Link = text(w.Page)
	}
	st.State = stateWords(st.Result, w.Status)
	var list struct {
		Jobs []workflowJob `json:"jobs"`
	}
	if err := g.get(ctx, "actions/runs/"+url.PathEscape(run.ID)+"/jobs", url.Values{"filter": {"latest"}, "per_page": {"100"}}, &list); err != nil {
		return Status{}, fmt.Errorf("look at the jobs of the run %s: %w", run.Link, err)
	}
	for _, j := range list.Jobs {
		st.Steps = append(st.Steps, j.steps(len(list.Jobs) > 1)...)
	}
	st.Steps = st.Steps[:min(len(st.Steps), maxSteps)]
	if st.Result == Failed {
		g.addExit(ctx, list.Jobs, &st)
	}
	return st, nil
}

// steps are the steps of a job, or the job itself before it has any.
func (j workflowJob) steps(several bool) []Step {
	if len(j.Steps) == 0 {
		return []Step{{Name: text(j.Name), State: stepState(j.Status, j.Conclusion)}}
	}
	var out []Step
	for _, s := range j.Steps {
		name := s.Name
		if several {
			name = j.Name + ": " + s.Name
		}
		out = append(out, Step{Name: text(name), State: stepState(s.Status, s.Conclusion)})
	}
	return out
}

func stepState(status, conclusion string) StepState {
	switch {
	case status == "in_progress":
		return StepRunning
	case status != "completed":
		return StepWaiting
	case conclusion == "success" || conclusion == "skipped" || conclusion == "neutral":
		return StepDone
	}
	return StepFailed
}

// addExit adds the exit code of the failed step, which only the annotations of
// its job tell. A token that may not read them costs only that.
func (g *github) addExit(ctx context.Context, jobs []workflowJob, st *Status) {
	for _, j := range jobs {
		if stepState(j.Status, j.Conclusion) != StepFailed {
			continue
		}
		var notes []struct {
			Message string `json:"message"`
		}
		if g.get(ctx, "check-runs/"+strconv.FormatInt(j.ID, 10)+"/annotations", nil, &notes) != nil {
			return
		}
		for _, n := range notes {
			for i := range st.Steps {
				if st.Steps[i].State == StepFailed && st.Steps[i].Exit == 0 && exitOf(n.Message) > 0 {
					st.Steps[i].Exit = exitOf(n.Message)
					return
				}
			}
		}
	}
}

// Cancel asks for the end; 409 is a run that has ended.
func (g *github) Cancel(ctx context.Context, run Run) error {
	r, err := g.ask(ctx, http.MethodPost, "actions/runs/"+url.PathEscape(run.ID)+"/cancel", nil, nil)
	if err != nil {
		return fmt.Errorf("cancel the run %s: %w", run.Link, err)
	}
	if r.status != http.StatusAccepted && r.status != http.StatusConflict {
		return g.refusal(r, "cancel the run of")
	}
	return nil
}

func (g *github) get(ctx context.Context, path string, query url.Values, into any) error {
	r, err := g.ask(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return g.refusal(r, "read")
	}
	return r.read("what GitHub answers", into)
}

// ask sends one request about the repository, with the token.
func (g *github) ask(ctx context.Context, method, path string, query url.Values, body any) (reply, error) {
	var secret string
	var err error
	if g.TokenEnv != "" {
		secret, err = g.tokens.Variable(g.TokenEnv, "a token that may dispatch the workflow")
	} else {
		secret, err = g.tokens.GH(ctx, g.API)
	}
	if err != nil {
		return reply{}, unsent{err}
	}
	owner, name, _ := strings.Cut(g.Repository, "/")
	address := g.API + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	h := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {gitHubVersion}, "Authorization": {"Bearer " + secret}}
	return g.send(ctx, request{method: method, url: address, header: h, body: body})
}

// refusal says why GitHub did not do it.
func (g *github) refusal(r reply, what string) error {
	code, hint := fault.Failed, "look at "+g.Page()
	switch r.status {
	case http.StatusUnauthorized:
		g.tokens.Forget()
		code, hint = fault.Refused, "the token has ended or is wrong: make a new one, or sign in again with gh auth login"
	case http.StatusForbidden, http.StatusNotFound:
		code, hint = fault.Refused, "the token needs Actions (read and write) of "+g.Repository+", and "+g.Workflow+" has to be on its default branch"
	case http.StatusUnprocessableEntity:
		code, hint = fault.Usage, "the workflow on "+g.Ref+" needs workflow_dispatch with the inputs that docs/via.md lists"
	}
	return fault.New(code, hint, r.said(), "GitHub does not %s %s of %s", what, g.Workflow, g.Repository)
}

package viatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// gitHub answers as https://docs.github.com/rest/actions says.
func (s *Server) gitHub() http.Handler {
	m := http.NewServeMux()
	const repo = "/repos/acme/release/"
	m.HandleFunc("POST "+repo+"actions/workflows/promote.yml/dispatches", s.gitHubDispatch)
	m.HandleFunc("GET "+repo+"actions/workflows/promote.yml/runs", s.gitHubRuns)
	m.HandleFunc("GET "+repo+"actions/runs/{id}", s.gitHubRun(func(w http.ResponseWriter, r *Run) { write(w, http.StatusOK, s.gitHubBody(r)) }))
	m.HandleFunc("GET "+repo+"actions/runs/{id}/jobs", s.gitHubRun(s.gitHubJobs))
	m.HandleFunc("POST "+repo+"actions/runs/{id}/cancel", s.gitHubRun(func(w http.ResponseWriter, r *Run) {
		if !r.stop() {
			write(w, http.StatusConflict, message("Cannot cancel a workflow run that is completed."))
			return
		}
		write(w, http.StatusAccepted, map[string]any{})
	}))
	m.HandleFunc("GET "+repo+"check-runs/{id}/annotations", s.gitHubRun(s.gitHubNotes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+Token {
			write(w, http.StatusUnauthorized, message("Bad credentials"))
			return
		}
		m.ServeHTTP(w, r)
	})
}

// gitHubRun finds the run of a path; a job has the number of its run.
func (s *Server) gitHubRun(then func(http.ResponseWriter, *Run)) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if r := s.find(q.PathValue("id")); r != nil {
			then(w, r)
			return
		}
		write(w, http.StatusNotFound, message("Not Found"))
	}
}

func (s *Server) gitHubDispatch(w http.ResponseWriter, q *http.Request) {
	var body struct {
		Ref     string            `json:"ref"`
		Inputs  map[string]string `json:"inputs"`
		Details *bool             `json:"return_run_details"`
	}
	if json.NewDecoder(q.Body).Decode(&body) != nil || body.Ref != "main" {
		write(w, http.StatusUnprocessableEntity, message("No ref found for: "+body.Ref))
		return
	}
	s.mu.Lock()
	old, silent := s.old, s.silent
	s.mu.Unlock()
	if old && body.Details != nil {
		write(w, http.StatusUnprocessableEntity, message("Invalid request.\n\n\"return_run_details\" is not a permitted key."))
		return
	}
	if name := unexpected(body.Inputs); name != "" {
		write(w, http.StatusUnprocessableEntity, message(fmt.Sprintf("Unexpected inputs provided: [%q]", name)))
		return
	}
	r := s.begin(body.Inputs)
	if silent || body.Details == nil {
		s.answer(w, http.StatusNoContent, nil)
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"workflow_run_id": r.ID, "run_url": s.URL + "/repos/acme/release/actions/runs/" + fmt.Sprint(r.ID), "html_url": r.page()})
}

func (r *Run) page() string {
	return fmt.Sprintf("https://github.com/acme/release/actions/runs/%d", r.ID)
}

func (s *Server) gitHubRuns(w http.ResponseWriter, q *http.Request) {
	since, err := time.Parse(time.RFC3339, strings.TrimPrefix(q.URL.Query().Get("created"), ">="))
	if err != nil || q.URL.Query().Get("event") != "workflow_dispatch" {
		write(w, http.StatusUnprocessableEntity, message("Validation Failed"))
		return
	}
	list := []map[string]any{}
	for _, r := range s.visible(since) {
		list = append(list, s.gitHubBody(r))
	}
	write(w, http.StatusOK, map[string]any{"total_count": len(list), "workflow_runs": list})
}

// gitHubState are status and conclusion.
func gitHubState(st state) (status string, conclusion any) {
	switch st {
	case queued:
		return "queued", nil
	case running, stopping:
		return "in_progress", nil
	case succeeded:
		return "completed", "success"
	case failed:
		return "completed", "failure"
	case cancelled:
	}
	return "completed", "cancelled"
}

func (s *Server) gitHubBody(r *Run) map[string]any {
	st, _ := r.now()
	status, conclusion := gitHubState(st)
	return map[string]any{
		"id": r.ID, "name": "promote", "display_title": r.name, "status": status, "conclusion": conclusion, "html_url": r.page(),
		"event": "workflow_dispatch", "run_attempt": 1, "created_at": r.made.UTC().Format(time.RFC3339),
	}
}

// gitHubJobs is one job with three steps, of which the last one promotes.
func (s *Server) gitHubJobs(w http.ResponseWriter, r *Run) {
	st, _ := r.now()
	status, conclusion := gitHubState(st)
	steps := []map[string]any{}
	if st != queued {
		for i, name := range []string{"Set up job", "Sign in to Azure", "Promote"} {
			one := map[string]any{"name": name, "number": i + 1, "status": "completed", "conclusion": "success"}
			if name == "Promote" {
				one["status"], one["conclusion"] = status, conclusion
			}
			steps = append(steps, one)
		}
	}
	job := map[string]any{"id": r.ID, "run_id": r.ID, "name": "promote", "status": status, "conclusion": conclusion, "steps": steps}
	write(w, http.StatusOK, map[string]any{"total_count": 1, "jobs": []any{job}})
}

func (s *Server) gitHubNotes(w http.ResponseWriter, r *Run) {
	notes := []map[string]any{{"annotation_level": "warning", "message": "ubuntu-latest pipelines will use ubuntu-26.04 soon"}}
	if st, exit := r.now(); st == failed {
		notes = append(notes, map[string]any{"annotation_level": "failure", "message": fmt.Sprintf("Process completed with exit code %d.", exit)})
	}
	write(w, http.StatusOK, notes)
}

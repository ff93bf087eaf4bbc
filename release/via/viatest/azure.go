package viatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// azure answers as https://learn.microsoft.com/rest/api/azure/devops says. Who has
// no token gets the sign-in page, with 203, as the service does.
func (s *Server) azure() http.Handler {
	m := http.NewServeMux()
	const project = "/acme/release/_apis/"
	m.HandleFunc("GET "+project+"build/definitions", func(w http.ResponseWriter, q *http.Request) {
		list := []map[string]any{{"id": 7, "name": "promote"}, {"id": 8, "name": "promote-everything"}}
		write(w, http.StatusOK, map[string]any{"count": len(list), "value": list})
	})
	m.HandleFunc("POST "+project+"pipelines/7/runs", s.azureDispatch)
	m.HandleFunc("GET "+project+"build/builds", s.azureBuilds)
	m.HandleFunc("GET "+project+"build/builds/{id}", s.azureRun(func(w http.ResponseWriter, _ *http.Request, r *Run) { write(w, http.StatusOK, s.azureBody(r)) }))
	m.HandleFunc("PATCH "+project+"build/builds/{id}", s.azureRun(s.azureCancel))
	m.HandleFunc("GET "+project+"build/builds/{id}/timeline", s.azureRun(s.azureTimeline))
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+Token))
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.Header.Get("Authorization") != want:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusNonAuthoritativeInfo)
			_, _ = w.Write([]byte("<html><title>Azure DevOps Services | Sign In</title></html>"))
		case q.URL.Query().Get("api-version") != "7.1":
			write(w, http.StatusBadRequest, message("No api-version was supplied"))
		default:
			m.ServeHTTP(w, q)
		}
	})
}

func (s *Server) azureRun(then func(http.ResponseWriter, *http.Request, *Run)) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if r := s.find(q.PathValue("id")); r != nil {
			then(w, q, r)
			return
		}
		write(w, http.StatusNotFound, message("The requested build could not be found."))
	}
}

func (s *Server) azureDispatch(w http.ResponseWriter, q *http.Request) {
	var body struct {
		Resources struct {
			Repositories map[string]struct{ RefName string }
		}
		Parameters map[string]string `json:"templateParameters"`
	}
	if json.NewDecoder(q.Body).Decode(&body) != nil || body.Resources.Repositories["self"].RefName != "refs/heads/main" {
		write(w, http.StatusBadRequest, message("Could not get the latest source version"))
		return
	}
	if name := unexpected(body.Parameters); name != "" {
		write(w, http.StatusBadRequest, message(fmt.Sprintf("Unexpected parameter '%s'", name)))
		return
	}
	r := s.begin(body.Parameters)
	s.answer(w, http.StatusOK, map[string]any{"id": r.ID, "name": r.name, "state": "inProgress", "_links": r.azureLinks()})
}

func (r *Run) azureLinks() map[string]any {
	return map[string]any{"web": map[string]any{"href": fmt.Sprintf("https://dev.azure.com/acme/release/_build/results?buildId=%d", r.ID)}}
}

func (s *Server) azureBuilds(w http.ResponseWriter, q *http.Request) {
	since, err := time.Parse(time.RFC3339, q.URL.Query().Get("minTime"))
	if err != nil || q.URL.Query().Get("definitions") != "7" {
		write(w, http.StatusBadRequest, message("minTime or definitions"))
		return
	}
	list := []map[string]any{}
	for _, r := range s.visible(since) {
		list = append(list, s.azureBody(r))
	}
	write(w, http.StatusOK, map[string]any{"count": len(list), "value": list})
}

// azureState are status and result.
func azureState(st state) (status, result string) {
	switch st {
	case queued:
		return "notStarted", ""
	case running:
		return "inProgress", ""
	case stopping:
		return "cancelling", ""
	case succeeded:
		return "completed", "succeeded"
	case failed:
		return "completed", "failed"
	case cancelled:
	}
	return "completed", "canceled"
}

func (s *Server) azureBody(r *Run) map[string]any {
	st, _ := r.now()
	status, result := azureState(st)
	out := map[string]any{"id": r.ID, "buildNumber": r.name, "status": status, "_links": r.azureLinks(), "templateParameters": r.Inputs}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nameless {
		delete(out, "templateParameters")
	}
	if result != "" {
		out["result"] = result
	}
	return out
}

func (s *Server) azureCancel(w http.ResponseWriter, q *http.Request, r *Run) {
	var body struct{ Status string }
	if json.NewDecoder(q.Body).Decode(&body) != nil || body.Status != "cancelling" {
		write(w, http.StatusBadRequest, message("status"))
		return
	}
	r.stop()
	write(w, http.StatusOK, s.azureBody(r))
}

// azureTimeline is what a job says of its tasks; nothing before it began.
func (s *Server) azureTimeline(w http.ResponseWriter, _ *http.Request, r *Run) {
	st, exit := r.now()
	if st == queued {
		write(w, http.StatusNoContent, nil)
		return
	}
	_, result := azureState(st)
	last := map[string]any{"type": "Task", "name": "Promote", "order": 2, "state": "inProgress", "startTime": r.made.Add(time.Second)}
	if st >= succeeded {
		last["state"], last["result"] = "completed", result
	}
	if st == failed {
		last["issues"] = []any{
			map[string]any{"type": "warning", "message": "Node 20 is old"},
			map[string]any{"type": "error", "message": fmt.Sprintf("Bash exited with code '%d'.", exit)},
		}
	}
	write(w, http.StatusOK, map[string]any{"records": []any{
		last,
		map[string]any{"type": "Job", "name": "promote", "state": "inProgress"},
		map[string]any{"type": "Task", "name": "Sign in to Azure", "order": 1, "state": "completed", "result": "succeeded", "startTime": r.made},
	}})
}

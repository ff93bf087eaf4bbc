package sources

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

// gitHubServer answers as the REST API of GitHub does: two lists, a page at a
// time, rate limits, and the words of its errors.
type gitHubServer struct {
	*server
	runs      []map[string]any
	statuses  []map[string]any
	perPage   int                               // at most what is asked for
	token     string                            // "" for a public repository
	refusals  []func(http.ResponseWriter)       // of the next requests
	elsewhere func(r *http.Request) (to string) // redirects
}

func newGitHub(t *testing.T) *gitHubServer {
	t.Helper()
	g := &gitHubServer{perPage: 100, token: "a-token-of-ours"}
	g.server = serve(t, g.answer)
	return g
}

func (g *gitHubServer) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", today.Format(http.TimeFormat))
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4999")
	if len(g.refusals) > 0 {
		refuse := g.refusals[0]
		g.refusals = g.refusals[1:]
		refuse(w)
		return
	}
	if g.elsewhere != nil {
		if to := g.elsewhere(r); to != "" {
			http.Redirect(w, r, to, http.StatusMovedPermanently)
			return
		}
	}
	switch auth := r.Header.Get("Authorization"); {
	case r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" || r.Header.Get("Accept") != "application/vnd.github+json" || r.UserAgent() == "":
		complain(w, http.StatusBadRequest, "headers")
	case auth != "" && auth != "Bearer "+g.token:
		complain(w, http.StatusUnauthorized, "Bad credentials")
	case g.token != "" && auth == "":
		complain(w, http.StatusNotFound, "Not Found")
	case r.URL.Path == "/repos/acme/chat/commits/"+commit+"/check-runs" && r.URL.Query().Get("filter") == "latest":
		g.list(w, r, "check_runs", g.runs)
	case r.URL.Path == "/repos/acme/chat/commits/"+commit+"/status":
		g.list(w, r, "statuses", g.statuses)
	default:
		complain(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+r.URL.Path)
	}
}

func complain(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest"}`, message)
}

// list answers one page, with a Link header to the next.
func (g *gitHubServer) list(w http.ResponseWriter, r *http.Request, name string, all []map[string]any) {
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	size = min(size, g.perPage)
	n := max(1, func() int { n, _ := strconv.Atoi(q.Get("page")); return n }())
	from, to := min((n-1)*size, len(all)), min(n*size, len(all))
	if to < len(all) {
		q.Set("page", strconv.Itoa(n+1))
		next := g.URL + r.URL.Path + "?" + q.Encode()
		q.Set("page", strconv.Itoa((len(all)+size-1)/size))
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s%s?%s>; rel="last"`, next, g.URL, r.URL.Path, q.Encode()))
	}
	page := all[from:to]
	if page == nil {
		page = []map[string]any{}
	}
	reply200(w, map[string]any{"total_count": len(all), name: page})
}

// run adds a check run; its id counts up.
func (g *gitHubServer) run(name, app string, suite int, status, conclusion string) {
	r := map[string]any{
		"id": len(g.runs) + 1, "name": name, "head_sha": commit, "status": status, "conclusion": nil, "started_at": "2026-11-24T10:00:00Z", "completed_at": nil,
		"html_url": "https://github.com/acme/chat/runs/" + strconv.Itoa(len(g.runs)+1), "app": map[string]any{"slug": app}, "check_suite": map[string]any{"id": suite},
	}
	if status == "completed" {
		r["conclusion"], r["completed_at"] = conclusion, "2026-11-24T11:00:00Z"
	}
	g.runs = append(g.runs, r)
}

func (g *gitHubServer) status(context, state string) {
	g.statuses = append(g.statuses, map[string]any{
		"context": context, "state": state, "updated_at": "2026-11-24T11:30:00Z", "target_url": "https://ci.example.com/1", "description": "text",
	})
}

func (g *gitHubServer) source(checks ...string) config.Source {
	return config.Source{GitHub: &config.GitHubSource{API: g.URL, Repository: "acme/chat", Checks: checks, TokenEnv: "CI_TOKEN"}}
}

func TestGitHubSaysOfEveryCheckHowItEnded(t *testing.T) {
	g := newGitHub(t)
	for i, c := range []string{"success", "failure", "cancelled", "timed_out", "action_required", "stale", "startup_failure", "neutral", "skipped", "something new"} {
		g.run(c, "github-actions", i, "completed", c)
	}
	g.run("queued", "github-actions", 90, "queued", "")
	g.run("waiting", "github-actions", 91, "waiting", "")
	for _, s := range []string{"success", "pending", "failure", "error"} {
		g.status("status/"+s, s)
	}
	checks := []string{"never ran"}
	for _, r := range g.runs {
		checks = append(checks, r["name"].(string))
	}
	w := over(t, g.source(append(checks, "status/success", "status/pending", "status/failure", "status/error")...), g.server)
	all := w.ask()
	for key, want := range map[string]gates.AnswerState{
		"success": gates.Passed, "failure": gates.Failed, "cancelled": gates.Failed, "timed_out": gates.Failed, "action_required": gates.Failed,
		"stale": gates.Failed, "startup_failure": gates.Failed, "something new": gates.Failed, "neutral": gates.Absent, "skipped": gates.Absent,
		"never ran": gates.Absent, "queued": gates.Running, "waiting": gates.Running,
		"status/success": gates.Passed, "status/pending": gates.Running, "status/failure": gates.Failed, "status/error": gates.Failed,
	} {
		a := w.answer(all, key)
		if a.State != want || a.Source != "ci" || a.Kind != GitHub || a.About != commit || !a.Asked.Equal(today) {
			t.Errorf("%s: %+v", key, a)
		}
		if want == gates.Failed && len(a.Failures) != 1 {
			t.Errorf("%s names no failure: %+v", key, a)
		}
	}
	if a := w.answer(all, "success"); a.Link != "https://github.com/acme/chat/runs/1" || !a.Finished.Equal(today.Add(-time.Hour)) {
		t.Errorf("%+v", a)
	}
}

func TestGitHubReadsEveryPage(t *testing.T) {
	g := newGitHub(t)
	g.perPage = 3
	for i := range 10 {
		g.run(fmt.Sprintf("check %d", i), "github-actions", i, "completed", "success")
		g.status(fmt.Sprintf("status %d", i), "success")
	}
	g.run("the last", "github-actions", 99, "completed", "failure")
	w := over(t, g.source(), g.server)
	all := w.ask()
	if len(all) != 21 || w.answer(all, "the last").State != gates.Failed {
		t.Errorf("%d answers: %+v", len(all), all)
	}
	if n := len(g.requests()); n != 8 {
		t.Errorf("%d requests: %q", n, g.requests())
	}
}

func TestAListWithoutEndIsAnError(t *testing.T) {
	g := newGitHub(t)
	g.perPage = 1
	for i := range maxPages + 1 {
		g.run(fmt.Sprintf("check %d", i), "github-actions", i, "completed", "success")
	}
	w := over(t, g.source(), g.server)
	w.refused(w.ask(), "more than 10 pages")
}

func TestRunningACheckAgainReplacesItsFailureInItsSuiteOnly(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "failure")
	g.run("e2e", "github-actions", 1, "completed", "success") // the same workflow run, again
	w := over(t, g.source("e2e"), g.server)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
	g.run("e2e", "somebody-else", 1, "completed", "failure")
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Failed {
		t.Errorf("a failure under the same name by another app is covered up: %+v", a)
	}
	g.runs = g.runs[:2]
	g.run("e2e", "github-actions", 2, "completed", "skipped") // in the suite of a pull request
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
	g.run("e2e", "github-actions", 3, "in_progress", "")
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Running {
		t.Errorf("%+v", a)
	}
}

func TestWithoutNamedChecksASkippedOneIsNotWaitedFor(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	g.run("docs only", "github-actions", 1, "completed", "skipped")
	w := over(t, g.source(), g.server)
	if all := w.ask(); len(all) != 1 || all[0].State != gates.Passed {
		t.Errorf("%+v", all)
	}
	g.runs = g.runs[1:]
	if all := w.ask(); len(all) != 1 || all[0].State != gates.Absent {
		t.Errorf("nothing but skipped checks is no pass: %+v", all)
	}
}

func TestACommitThatGitHubDoesNotHaveIsAbsent(t *testing.T) {
	g := newGitHub(t)
	w := over(t, g.source(), g.server)
	q := question()
	q.Revision = strings.Repeat("f", 40)
	if all := w.Ask(t.Context(), []string{"ci"}, q, true); len(all) != 1 || all[0].State != gates.Absent || all[0].Err != nil {
		t.Errorf("%+v", all)
	}
}

func TestARunOfAnotherCommitIsNoAnswer(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	g.runs[0]["head_sha"] = strings.Repeat("f", 40)
	w := over(t, g.source("e2e"), g.server)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Absent {
		t.Errorf("%+v", a)
	}
}

func TestARevisionThatIsNoFullCommitIDIsAnError(t *testing.T) {
	g := newGitHub(t)
	w := over(t, g.source(), g.server)
	for _, r := range []string{"", "main", "0123456", "../../../user", strings.Repeat("0", 41), commit + "\n", "HEAD"} {
		q := question()
		q.Revision = r
		err := w.refusal(w.Ask(t.Context(), []string{"ci"}, q, true), "commit")
		if !strings.Contains(fault.HintOf(err), "org.opencontainers.image.revision") {
			t.Errorf("%q: %q", r, fault.HintOf(err))
		}
	}
	if n := g.requests(); len(n) != 0 {
		t.Errorf("%q", n)
	}
}

func TestAPrimaryRateLimitThatEndsSoonIsWaitedFor(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	g.refusals = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(today.Add(3*time.Second).Unix(), 10))
		complain(w, http.StatusForbidden, "API rate limit exceeded for user ID 1.")
	}}
	w := over(t, g.source("e2e"), g.server)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed || len(w.waited) != 1 || w.waited[0] != 3*time.Second {
		t.Errorf("%+v after %s", a, w.waited)
	}
}

func TestARateLimitIsSaidWithItsEndAndNobodyAsksBefore(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	g.refusals = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(today.Add(40*time.Minute).Unix(), 10))
		complain(w, http.StatusTooManyRequests, "API rate limit exceeded")
	}}
	w := over(t, g.source("e2e"), g.server)
	w.refused(w.ask(), "rate limit", "2026-11-24T12:40:00Z")
	w.now = today.Add(39 * time.Minute)
	w.refused(w.ask(), "2026-11-24T12:40:00Z") // afresh, too: asking on would only make it longer
	if n := len(g.requests()); n != 1 || len(w.waited) != 0 {
		t.Errorf("%d requests, waited %s", n, w.waited)
	}
	w.now = today.Add(41 * time.Minute)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
}

func TestASecondaryRateLimitIsRespected(t *testing.T) {
	for name, refuse := range map[string]func(http.ResponseWriter){
		"2026-11-24T12:02:00Z": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "120")
			complain(w, http.StatusForbidden, "slow down")
		},
		"2026-11-24T12:01:00Z": func(w http.ResponseWriter) {
			complain(w, http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		},
	} {
		g := newGitHub(t)
		g.refusals = []func(http.ResponseWriter){refuse}
		w := over(t, g.source("e2e"), g.server)
		w.refused(w.ask(), "rate limit", name)
	}
}

func TestARefusalThatIsNoRateLimitSaysWhatIsMissing(t *testing.T) {
	g := newGitHub(t)
	w := over(t, g.source("e2e"), g.server)
	g.token = "another"
	if err := w.refusal(w.ask(), "401", "Bad credentials"); !strings.Contains(fault.HintOf(err), "token") {
		t.Error(fault.HintOf(err))
	}
	c := g.source("e2e")
	c.GitHub.TokenEnv = ""
	w = over(t, c, g.server)
	if err := w.refusal(w.ask(), "404"); !strings.Contains(fault.HintOf(err), "private") {
		t.Error(fault.HintOf(err))
	}
	c.GitHub.TokenEnv = "NOT_SET"
	w = over(t, c, g.server)
	w.refused(w.ask(), "NOT_SET is not set")
}

func TestTheTokenOfGHIsAskedForOnce(t *testing.T) {
	dir := tools(t)
	g := newGitHub(t)
	g.token = "gho_of_the_tool"
	g.run("e2e", "github-actions", 1, "completed", "success")
	t.Setenv("FAKE_HOST", strings.TrimPrefix(g.URL, "https://"))
	c := g.source("e2e")
	c.GitHub.TokenEnv, c.GitHub.CLI = "", true
	w := over(t, c, g.server)
	for range 3 {
		if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
			t.Errorf("%+v", a)
		}
	}
	if n := runsOf(dir, "gh"); n != 1 {
		t.Errorf("gh was started %d times", n)
	}
	c.GitHub.API = "https://api.acme.ghe.com"
	w = over(t, c, g.server)
	w.refused(w.ask(), "no oauth token found for acme.ghe.com")
}

func TestATokenStaysOnItsHost(t *testing.T) {
	thief := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		reply200(w, map[string]any{"check_runs": []any{}})
	})
	g := newGitHub(t)
	g.elsewhere = func(r *http.Request) string { return thief.URL + r.URL.RequestURI() }
	w := over(t, g.source("e2e"), g.server, thief)
	w.refused(w.ask(), "another host")
	g.elsewhere = nil
	g.refusals = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("Link", "<"+thief.URL+`/repositories/1?page=2>; rel="next"`)
		reply200(w, map[string]any{"check_runs": []any{}})
	}}
	w = over(t, g.source("e2e"), g.server, thief)
	w.refused(w.ask(), "next page")
	if n := thief.requests(); len(n) != 0 {
		t.Errorf("%q", n)
	}
}

func TestARenamedRepositoryIsFollowedOnItsHost(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	g.elsewhere = func(r *http.Request) string {
		if rest, ok := strings.CutPrefix(r.URL.RequestURI(), "/repos/acme/old/"); ok {
			return g.URL + "/repos/acme/chat/" + rest
		}
		return ""
	}
	c := g.source("e2e")
	c.GitHub.Repository = "acme/old"
	w := over(t, c, g.server)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
}

func TestAnUntrustedConfigurationSendsNoToken(t *testing.T) {
	dir := tools(t)
	g := newGitHub(t)
	g.token = ""
	g.run("e2e", "github-actions", 1, "completed", "success")
	c := g.source("e2e")
	w := over(t, c, g.server)
	w.trusted = false
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed { // Bearer would be refused
		t.Errorf("%+v", a)
	}
	g.token = "a-token-of-ours"
	if err := w.refusal(w.ask(), "without a token", "not trusted"); !strings.Contains(fault.HintOf(err), "plimsoll trust") {
		t.Error(fault.HintOf(err))
	}
	c.GitHub.TokenEnv, c.GitHub.CLI = "", true
	w = over(t, c, g.server)
	w.trusted = false
	w.refused(w.ask(), "without a token")
	if n := runsOf(dir, "gh"); n != 0 {
		t.Errorf("gh was started %d times", n)
	}
}

func TestOutsideTextIsMadeHarmless(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e\x1b]52;c;ZXZpbA==\x07", "github-actions", 1, "completed", "fail\u202eure")
	g.runs[0]["html_url"] = "javascript:alert(1)"
	w := over(t, g.source(), g.server)
	for _, a := range w.ask() {
		if strings.ContainsAny(a.Key+strings.Join(a.Failures, ""), "\x1b\x07\u202e") || a.Link != "" {
			t.Errorf("%+v", a)
		}
	}
	g.refusals = []func(http.ResponseWriter){func(w http.ResponseWriter) { complain(w, http.StatusForbidden, "no\x1b[2J a-token-of-ours") }}
	if err := w.refusal(w.ask(), "403"); strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "a-token-of-ours") {
		t.Errorf("%q", err)
	}
}

func TestAFailingServerIsAskedOnceMore(t *testing.T) {
	g := newGitHub(t)
	g.run("e2e", "github-actions", 1, "completed", "success")
	down := func(w http.ResponseWriter) { complain(w, http.StatusBadGateway, "Server Error") }
	g.refusals = []func(http.ResponseWriter){down}
	w := over(t, g.source("e2e"), g.server)
	if a := w.answer(w.ask(), "e2e"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
	g.refusals = []func(http.ResponseWriter){down, down}
	w.refused(w.ask(), "502")
}

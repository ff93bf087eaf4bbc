package sources

import (
	"encoding/base64"
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

// azureServer answers as the REST API 7.1 of Azure DevOps does, for the project
// acme/chat: builds page by page with a continuation token, test runs with $top
// and $skip, a sign-in page for a credential that it does not know.
type azureServer struct {
	*server
	auth        string // the Authorization that is accepted
	definitions []map[string]any
	builds      []map[string]any // newest first
	runs        map[int][]map[string]any
	results     map[int][]string // names of failed tests, by run
	page        int
	refusals    []func(http.ResponseWriter)
	stuck       bool // the continuation token leads to the first page again
}

func newAzure(t *testing.T) *azureServer {
	t.Helper()
	a := &azureServer{
		auth: basicAuth("a-personal-access-token"), page: 200, runs: map[int][]map[string]any{}, results: map[int][]string{},
		definitions: []map[string]any{{"id": 7, "name": "E2E", "path": `\`}, {"id": 8, "name": "e2e-nightly", "path": `\`}},
	}
	a.server = serve(t, a.answer)
	return a
}

func basicAuth(pat string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+pat))
}

func (a *azureServer) answer(w http.ResponseWriter, r *http.Request) {
	if len(a.refusals) > 0 {
		refuse := a.refusals[0]
		a.refusals = a.refusals[1:]
		refuse(w)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/acme/chat/_apis/")
	q := r.URL.Query()
	switch {
	case r.Header.Get("Authorization") != a.auth:
		signIn(w)
	case !ok || q.Get("api-version") != "7.1":
		azureError(w, http.StatusNotFound, "TF200016: The following project does not exist: other. Verify that the name of the project is correct.")
	case path == "build/definitions":
		var found []map[string]any
		for _, d := range a.definitions { // the name is a pattern, and capitals do not matter
			if strings.HasPrefix(strings.ToLower(d["name"].(string)), strings.ToLower(q.Get("name"))) {
				found = append(found, d)
			}
		}
		values(w, found)
	case path == "build/builds" && q.Get("definitions") == "7" && q.Get("queryOrder") == "queueTimeDescending":
		a.listBuilds(w, q.Get("continuationToken"), q.Get("$top"))
	case path == "test/runs":
		id, _ := strconv.Atoi(strings.TrimPrefix(q.Get("buildUri"), "vstfs:///Build/Build/"))
		top, _ := strconv.Atoi(q.Get("$top"))
		skip, _ := strconv.Atoi(q.Get("$skip"))
		all := a.runs[id]
		values(w, all[min(skip, len(all)):min(skip+top, len(all))])
	case strings.HasPrefix(path, "test/Runs/") && strings.HasSuffix(path, "/results"):
		id, _ := strconv.Atoi(strings.Split(path, "/")[2])
		var found []map[string]any
		for _, name := range a.results[id] {
			found = append(found, map[string]any{"testCaseTitle": name, "outcome": "Failed"})
		}
		values(w, found)
	default:
		azureError(w, http.StatusBadRequest, "unexpected "+r.URL.RequestURI())
	}
}

// signIn is how an unknown credential is answered.
func signIn(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNonAuthoritativeInfo)
	_, _ = w.Write([]byte("<html><title>Azure DevOps Services | Sign In</title></html>"))
}

func azureError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"$id":"1","innerException":null,"message":%q,"typeKey":"ProjectDoesNotExistWithNameException","errorCode":0}`, message)
}

func values(w http.ResponseWriter, v []map[string]any) {
	if v == nil {
		v = []map[string]any{}
	}
	reply200(w, map[string]any{"count": len(v), "value": v})
}

func (a *azureServer) listBuilds(w http.ResponseWriter, after, top string) {
	n, _ := strconv.Atoi(top)
	n = min(n, a.page)
	from, _ := strconv.Atoi(after)
	to := min(from+n, len(a.builds))
	if to < len(a.builds) {
		next := strconv.Itoa(to)
		if a.stuck {
			next = "0"
		}
		w.Header().Set("X-MS-ContinuationToken", next)
	}
	values(w, a.builds[from:to])
}

// build adds an older build than those before.
func (a *azureServer) build(sha, status, result string) int {
	id := 1000 - len(a.builds)
	a.builds = append(a.builds, map[string]any{
		"id": id, "uri": "vstfs:///Build/Build/" + strconv.Itoa(id), "buildNumber": "20261124." + strconv.Itoa(id), "status": status, "result": result,
		"sourceVersion": sha, "queueTime": "2026-11-24T10:00:00.1234567Z", "finishTime": "2026-11-24T11:00:00.1234567Z",
		"_links": map[string]any{"web": map[string]any{"href": "https://dev.azure.com/acme/chat/_build/results?buildId=" + strconv.Itoa(id)}},
	})
	return id
}

// tests adds a test run to a build.
func (a *azureServer) tests(build int, name string, passed, failed, skipped int) int {
	id := 100*build + len(a.runs[build])
	a.runs[build] = append(a.runs[build], map[string]any{
		"id": id, "name": name, "state": "Completed", "totalTests": passed + failed + skipped, "passedTests": passed, "unanalyzedTests": failed,
		"notApplicableTests": 0, "incompleteTests": 0, "completedDate": "2026-11-24T10:59:00Z", "webAccessUrl": "https://dev.azure.com/acme/chat/_TestManagement/Runs?runId=" + strconv.Itoa(id),
		"runStatistics": []map[string]any{
			{"state": "Completed", "outcome": "Passed", "count": passed},
			{"state": "Completed", "outcome": "Failed", "count": failed},
			{"state": "Completed", "outcome": "NotExecuted", "count": skipped},
		},
	})
	for i := range failed {
		a.results[id] = append(a.results[id], fmt.Sprintf("%s fails %d", name, i))
	}
	return id
}

func (a *azureServer) source() config.Source {
	return config.Source{Pipelines: &config.PipelinesSource{URL: a.URL + "/acme", Project: "chat", Pipeline: "e2e", TokenEnv: "PAT"}}
}

const otherCommit = "ffffffffffffffffffffffffffffffffffffffff"

func TestPipelinesSayHowTheNewestBuildOfTheCommitEnded(t *testing.T) {
	for _, c := range []struct {
		status, result string
		want           gates.AnswerState
	}{
		{"completed", "succeeded", gates.Passed},
		{"completed", "partiallySucceeded", gates.Failed},
		{"completed", "failed", gates.Failed},
		{"completed", "canceled", gates.Failed},
		{"inProgress", "", gates.Running},
		{"notStarted", "", gates.Running},
	} {
		a := newAzure(t)
		a.build(otherCommit, "completed", "failed")
		a.build(strings.ToUpper(commit), c.status, c.result)
		a.build(commit, "completed", "succeeded") // an older one of the same commit
		w := over(t, a.source(), a.server)
		got := w.answer(w.ask(), "")
		if got.State != c.want || got.About != commit || got.Kind != Pipelines || !strings.HasSuffix(got.Link, "buildId=999") {
			t.Errorf("%s %s: %+v", c.status, c.result, got)
		}
		if c.want == gates.Failed && len(got.Failures) != 1 {
			t.Errorf("%+v", got)
		}
	}
}

func TestPipelinesCountTheTestsOfABuildAndOfEachSuite(t *testing.T) {
	a := newAzure(t)
	id := a.build(commit, "completed", "succeeded")
	a.tests(id, "smoke", 48, 0, 2)
	a.tests(id, "api", 10, 2, 0)
	a.tests(id, "api", 5, 0, 0) // published in two parts
	a.tests(id, "nothing ran", 0, 0, 3)
	w := over(t, a.source(), a.server)
	all := w.ask()
	if s := w.answer(all, "smoke"); s.State != gates.Passed || s.Passed != 48 || s.Total != 48 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	if s := w.answer(all, "api"); s.State != gates.Failed || s.Passed != 15 || s.Failed != 2 || s.Total != 17 || strings.Join(s.Failures, ",") != "api fails 0,api fails 1" {
		t.Errorf("%+v", s)
	}
	if s := w.answer(all, "nothing ran"); s.State != gates.Absent {
		t.Errorf("%+v", s)
	}
	if whole := w.answer(all, ""); whole.State != gates.Failed || whole.Passed != 63 || whole.Total != 65 || len(whole.Failures) != 2 {
		t.Errorf("a build that succeeded with failed tests: %+v", whole)
	}
}

func TestPipelinesLookThroughAllPages(t *testing.T) {
	a := newAzure(t)
	a.page = 2
	for range 7 {
		a.build(otherCommit, "completed", "succeeded")
	}
	id := a.build(commit, "completed", "succeeded")
	for i := range runsPerPage + 1 {
		a.tests(id, fmt.Sprintf("suite %03d", i), 1, 0, 0)
	}
	w := over(t, a.source(), a.server)
	all := w.ask()
	if whole := w.answer(all, ""); len(all) != runsPerPage+2 || whole.Passed != runsPerPage+1 {
		t.Errorf("%d answers, %+v", len(all), whole)
	}
	if n := len(a.requests()); n != 1+4+2 { // the name of the pipeline, builds, test runs
		t.Errorf("%d requests: %q", n, a.requests())
	}
}

func TestACommitThatWasNeverBuiltIsAbsentAndBeyondTheBoundAnError(t *testing.T) {
	a := newAzure(t)
	a.page = 1
	a.build(otherCommit, "completed", "succeeded")
	w := over(t, a.source(), a.server)
	if got := w.answer(w.ask(), ""); got.State != gates.Absent {
		t.Errorf("%+v", got)
	}
	for range maxBuildPages {
		a.build(otherCommit, "completed", "succeeded")
	}
	w.refused(w.ask(), "older ones are not looked through")
	a.stuck = true
	w.refused(w.ask(), "the same page")
}

func TestAPipelineIsFoundByItsExactName(t *testing.T) {
	a := newAzure(t)
	a.build(commit, "completed", "succeeded")
	c := a.source()
	w := over(t, c, a.server)
	if got := w.answer(w.ask(), ""); got.State != gates.Passed {
		t.Errorf("%+v", got)
	}
	c.Pipelines.Pipeline = "7"
	if got := over(t, c, a.server); got.answer(got.ask(), "").State != gates.Passed {
		t.Errorf("by number: %+v", got)
	}
	c.Pipelines.Pipeline = "e2"
	w = over(t, c, a.server)
	w.refused(w.ask(), `no pipeline "e2"`)
	a.definitions = append(a.definitions, map[string]any{"id": 9, "name": "e2e", "path": `\old`})
	w = over(t, a.source(), a.server)
	if err := w.refusal(w.ask(), "2 pipelines"); !strings.Contains(fault.HintOf(err), "[7 9]") {
		t.Error(fault.HintOf(err))
	}
}

func TestASignInPageIsARefusalAndNoAnswer(t *testing.T) {
	a := newAzure(t)
	a.auth = "another"
	w := over(t, a.source(), a.server)
	if err := w.refusal(w.ask(), "does not accept", "203"); !strings.Contains(fault.HintOf(err), "Test Management (read)") {
		t.Error(fault.HintOf(err))
	}
	for _, refuse := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://spsprodeus21.vssps.visualstudio.com/_signin?realm=dev.azure.com")
			w.WriteHeader(http.StatusFound)
		},
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) },
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		},
	} {
		a.refusals = []func(http.ResponseWriter){refuse}
		w = over(t, a.source(), a.server)
		w.refused(w.ask(), "does not accept the credential")
	}
	a.refusals = []func(http.ResponseWriter){func(w http.ResponseWriter) { azureError(w, http.StatusForbidden, "VS403403: no permission") }}
	w.refused(w.ask(), "VS403403")
}

func TestTheLimitsOfAzureDevOpsAreRespected(t *testing.T) {
	a := newAzure(t)
	a.build(commit, "completed", "succeeded")
	limit := func(seconds string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", seconds)
			w.Header().Set("X-RateLimit-Resource", "TSTUs")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	a.refusals = []func(http.ResponseWriter){limit("2")}
	w := over(t, a.source(), a.server)
	if got := w.answer(w.ask(), ""); got.State != gates.Passed || len(w.waited) != 1 || w.waited[0] != 2*time.Second {
		t.Errorf("%+v after %s", got, w.waited)
	}
	a.refusals = []func(http.ResponseWriter){limit("300")}
	w = over(t, a.source(), a.server)
	w.refused(w.ask(), "rate limit", "2026-11-24T12:05:00Z")
}

func TestTokensForAzureDevOps(t *testing.T) {
	dir := tools(t)
	a := newAzure(t)
	a.build(commit, "completed", "succeeded")
	c := a.source()
	c.Pipelines.TokenEnv, c.Pipelines.CLI = "", true
	a.auth = "Bearer e30.az.sig"
	w := over(t, c, a.server)
	for range 2 {
		if got := w.answer(w.ask(), ""); got.State != gates.Passed {
			t.Errorf("%+v", got)
		}
	}
	if n := runsOf(dir, "az"); n != 1 {
		t.Errorf("az was started %d times", n)
	}
	w.now = w.now.Add(2 * time.Hour) // the token has ended
	w.ask()
	if n := runsOf(dir, "az"); n != 2 {
		t.Errorf("az was started %d times", n)
	}
	t.Setenv("FAKE_AZ_FAILS", "1")
	w = over(t, c, a.server)
	w.refused(w.ask(), "az", "az login")
	t.Setenv("FAKE_AZ_FAILS", "")
	t.Setenv("SYSTEM_ACCESSTOKEN", "e30.system.sig")
	c.Pipelines.TokenEnv, c.Pipelines.CLI = "SYSTEM_ACCESSTOKEN", false
	a.auth = "Bearer e30.system.sig"
	w = over(t, c, a.server)
	if got := w.answer(w.ask(), ""); got.State != gates.Passed {
		t.Errorf("%+v", got)
	}
	w.trusted = false
	w.refused(w.ask(), "without a token")
}

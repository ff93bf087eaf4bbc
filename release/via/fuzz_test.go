package via

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/release/forge"
)

// says answers every request alike.
type says struct {
	code int
	body string
}

func (s says) RoundTrip(q *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.body)), Request: q}, nil
}

// FuzzWhatAForgeAnswers feeds every question one answer: nothing of it breaks, is
// without bounds, or reaches a terminal as a control character.
func FuzzWhatAForgeAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"workflow_runs":[{"id":1,"display_title":"Promote chat OPERATION","status":"completed","conclusion":"failure","html_url":"https://github.com/x"}]}`,
		`{"id":1,"status":"completed","conclusion":"failure","jobs":[{"id":1,"status":"completed","conclusion":"failure","steps":[{"name":"\u001b[2J","status":"completed","conclusion":"failure"}]}]}`,
		`[{"message":"Process completed with exit code 3."}]`, `[]`, `null`, `{"id":-1}`, `{"id":1e400}`, `<html>`, "",
		`{"id":7,"status":"completed","result":"failed","buildNumber":"OPERATION","value":[{"id":7,"name":"promote"}],"records":[{"type":"Task","state":"completed","result":"failed","issues":[{"type":"error","message":"Bash exited with code '4'."}]}]}`,
		`{"value":[{"id":7,"status":"inProgress","templateParameters":{"operation":{"a":[1]}}}],"_links":{"web":{"href":"javascript:\u202e"}}}`,
		`{"message":"\u202eno secondary rate limit"}`,
	} {
		f.Add(200, seed)
		f.Add(204, seed)
		f.Add(403, seed)
	}
	f.Fuzz(func(t *testing.T, code int, body string) {
		c := caller{now: time.Now, tokens: &forge.Tokens{Now: time.Now, Environ: []string{"TOKEN=secret-of-the-forge"}}, transport: &http.Transport{}}
		c.transport.RegisterProtocol("https", says{200 + max(code%400, -code%400), body})
		for _, p := range []Pipeline{
			newGitHub(config.GitHubWorkflow{API: "https://api.example.com", Repository: "acme/release", Workflow: "promote.yml", TokenEnv: "TOKEN"}, c),
			newAzure(config.AzurePipeline{URL: "https://dev.example.com/acme", Project: "release", Pipeline: "promote", TokenEnv: "TOKEN"}, c),
		} {
			harmless(t, p)
		}
	})
}

func harmless(t *testing.T, p Pipeline) {
	t.Helper()
	o := Order{Action: "promote", Service: "chat", Digest: digest.FromString("image"), Expect: "none", Operation: "OPERATION"}
	st, err := p.Look(t.Context(), Run{ID: "1"})
	if len(st.Steps) > maxSteps {
		t.Errorf("%d steps", len(st.Steps))
	}
	texts := []string{st.State, st.Link}
	for _, step := range st.Steps {
		texts = append(texts, step.Name)
	}
	run, found, finding := p.Find(t.Context(), o, time.Now())
	if found && (finding != nil || run.ID == "") {
		t.Errorf("found %+v, %v", run, finding)
	}
	made, dispatching := p.Dispatch(t.Context(), o)
	for _, err := range []error{err, finding, dispatching, p.Cancel(t.Context(), Run{ID: "1"})} {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	for _, text := range append(texts, run.Link, made.Link) {
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q", text)
		}
	}
}

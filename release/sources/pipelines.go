package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release/forge"
)

const (
	pipelinesVersion = "7.1" // https://learn.microsoft.com/rest/api/azure/devops/build/builds/list
	buildsPerPage    = 200
	maxBuildPages    = 10 // the API cannot be asked for a commit, so the newest 2,000 builds are looked through
)

// pipelines reads the builds of a revision in Azure Pipelines, and their test runs.
type pipelines struct {
	*Sources
	config.PipelinesSource
}

// build is one run of a pipeline, as far as it is read.
type build struct {
	ID            int64     `json:"id"`
	URI           string    `json:"uri"`
	Status        string    `json:"status"`
	Result        string    `json:"result"`
	SourceVersion string    `json:"sourceVersion"`
	QueueTime     time.Time `json:"queueTime"`
	FinishTime    time.Time `json:"finishTime"`
	Number        string    `json:"buildNumber"`
	Links         struct {
		Web struct {
			Href string `json:"href"`
		} `json:"web"`
	} `json:"_links"`
}

func (p pipelines) ask(ctx context.Context, q Question) ([]gates.Answer, error) {
	id, err := q.revision()
	if err != nil {
		return nil, err
	}
	ask, err := p.asking(ctx)
	if err != nil {
		return nil, err
	}
	definition, err := ask.definition(ctx)
	if err != nil {
		return nil, err
	}
	b, err := ask.newest(ctx, definition, id)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return []gates.Answer{{State: gates.Absent, About: id}}, nil
	}
	runs, err := ask.testRuns(ctx, *b)
	if err != nil {
		return nil, err
	}
	return ask.answers(ctx, *b, runs, id)
}

// asking is a pipelines source with its credential.
type asking struct {
	pipelines
	header http.Header
	secret bool
}

// asking finds the credential: an environment variable holds a personal access
// token (Basic) or a bearer token such as System.AccessToken, az gives a bearer token.
func (p pipelines) asking(ctx context.Context) (asking, error) {
	h := http.Header{"Accept": {"application/json"}, "X-Tfs-Fedauthredirect": {"Suppress"}} // 401 in place of a sign-in page
	if p.TokenEnv == "" && !p.CLI || !p.Trusted() {
		return asking{p, h, false}, nil
	}
	if p.TokenEnv == "" {
		bearer, err := p.ofAz(ctx)
		h.Set("Authorization", "Bearer "+bearer)
		return asking{p, h, true}, err
	}
	secret, err := p.variable(p.TokenEnv)
	h.Set("Authorization", forge.DevOps(secret))
	return asking{p, h, true}, err
}

// get reads one answer of the API into v, and gives the token of the next page.
func (p asking) get(ctx context.Context, path string, query url.Values, v any) (string, error) {
	query.Set("api-version", pipelinesVersion)
	address := strings.TrimSuffix(p.URL, "/") + "/" + url.PathEscape(p.Project) + "/_apis/" + path + "?" + query.Encode()
	r, err := p.fetch(ctx, call{url: address, header: p.header, secret: p.secret, strict: true, max: maxPage})
	if err != nil {
		return "", err
	}
	html := strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
	switch {
	case r.status == http.StatusOK && !html:
	case r.status == http.StatusUnauthorized, r.status == http.StatusNonAuthoritativeInfo, r.status/100 == 3, html && r.status < 400:
		return "", p.unauthorized(r) // a sign-in page is how Azure DevOps refuses a credential
	default:
		return "", p.refusal(r)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return "", fmt.Errorf("read what %s answers: %w", path, err)
	}
	return r.header.Get("X-Ms-Continuationtoken"), nil
}

func (p asking) unauthorized(r reply) error {
	err := fmt.Errorf("%d %s", r.status, http.StatusText(r.status))
	if !p.secret && (p.TokenEnv != "" || p.CLI) {
		return ofSource{fault.New(fault.Usage, fault.HintOf(errUntrusted), err, "Azure DevOps was asked for %s without a token, because %s", p.Project, errUntrusted.Error())}
	}
	p.refused()
	hint := "name a variable with a token in token-env, or sign in with az login and set az: true"
	if p.secret {
		hint = "the token has ended or is wrong: it needs Build (read) and Test Management (read)"
	}
	return ofSource{fault.New(fault.Failed, hint, err, "Azure DevOps does not accept the credential for %s", p.Project)}
}

func (p asking) refusal(r reply) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(r.body, &said) // what is no JSON says nothing
	err := fmt.Errorf("%d %s %s", r.status, http.StatusText(r.status), text(said.Message))
	return ofSource{fault.New(fault.Failed, "look at url, project and pipeline of the source, and at who may read them", err, "Azure DevOps does not answer for %s", p.Project)}
}

// definition is the number of the pipeline. A name that several pipelines have,
// in different folders, is an error that lists their numbers.
func (p asking) definition(ctx context.Context) (int64, error) {
	if n, err := strconv.ParseInt(p.Pipeline, 10, 64); err == nil {
		return n, nil
	}
	var list struct {
		Value []struct {
			ID   int64  `json:"id"`
			Name string `json:"name"`
		} `json:"value"`
	}
	if _, err := p.get(ctx, "build/definitions", url.Values{"name": {p.Pipeline}}, &list); err != nil {
		return 0, err
	}
	var ids []int64
	for _, d := range list.Value {
		if strings.EqualFold(d.Name, p.Pipeline) { // the API takes the name as a pattern
			ids = append(ids, d.ID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return 0, ofSource{fault.New(fault.Usage, "correct pipeline, or give its number", nil, "there is no pipeline %q in %s", text(p.Pipeline), text(p.Project))}
	}
	return 0, ofSource{fault.New(fault.Usage, fmt.Sprintf("give one of the numbers %v", ids), nil, "%d pipelines of %s are named %q", len(ids), text(p.Project), text(p.Pipeline))}
}

// newest is the build of the revision that was queued last, nil for none. The
// API cannot be asked for a commit, so its list is read, newest first.
func (p asking) newest(ctx context.Context, definition int64, id string) (*build, error) {
	query := url.Values{
		"definitions": {strconv.FormatInt(definition, 10)}, "queryOrder": {"queueTimeDescending"}, "$top": {strconv.Itoa(buildsPerPage)},
	}
	seen := map[int64]bool{}
	for range maxBuildPages {
		var list struct {
			Value []build `json:"value"`
		}
		next, err := p.get(ctx, "build/builds", query, &list)
		if err != nil {
			return nil, err
		}
		if len(list.Value) > 0 && seen[list.Value[0].ID] {
			// https://github.com/MicrosoftDocs/vsts-rest-api-specs/issues/178
			return nil, ofSource{fmt.Errorf("Azure DevOps gives the same page of builds again")} //nolint:revive,staticcheck // a name
		}
		for _, b := range list.Value {
			seen[b.ID] = true
		}
		if i := slices.IndexFunc(list.Value, func(b build) bool { return strings.EqualFold(b.SourceVersion, id) }); i >= 0 {
			return &list.Value[i], nil
		}
		if next == "" {
			return nil, nil //nolint:nilnil // there is none
		}
		query.Set("continuationToken", next)
	}
	return nil, fault.New(fault.Failed, "run the pipeline for this commit again", nil,
		"none of the newest %d builds is of %s; older ones are not looked through", maxBuildPages*buildsPerPage, short(id))
}

// state is what a build says; partiallySucceeded is a build with failures in it.
func (b build) state() gates.AnswerState {
	switch {
	case b.Status != "completed":
		return gates.Running // inProgress, cancelling, postponed, notStarted
	case b.Result == "succeeded":
		return gates.Passed
	}
	return gates.Failed // partiallySucceeded, failed, canceled, none
}

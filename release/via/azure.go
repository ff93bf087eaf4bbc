package via

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/release/forge"
)

// azureVersion is the version of the API (https://learn.microsoft.com/rest/api/azure/devops).
const azureVersion = "7.1"

// azure runs a pipeline (…/pipelines/runs/run-pipeline), whose run is a build
// of the same number (…/build/builds/get, …/build/timeline/get).
type azure struct {
	config.AzurePipeline
	caller
	mu sync.Mutex
	id int64 // of the pipeline, 0 until it was asked for
}

func newAzure(p config.AzurePipeline, c caller) *azure { return &azure{AzurePipeline: p, caller: c} }

// Name is the pipeline.
func (a *azure) Name() string { return Name(&config.Via{Azure: &a.AzurePipeline}) }

// Page lists the project's pipelines.
func (a *azure) Page() string { return a.URL + "/" + url.PathEscape(a.Project) + "/_build" }

// links are those of a run or a build.
type links struct {
	Web struct {
		Href string `json:"href"`
	} `json:"web"`
}

// azureBuild is a build, as far as it is read.
type azureBuild struct {
	ID         int64          `json:"id"`
	Number     string         `json:"buildNumber"` // what name: made
	Status     string         `json:"status"`
	Result     string         `json:"result"`
	Parameters map[string]any `json:"templateParameters"`
	Links      links          `json:"_links"`
}

func (b azureBuild) result() Result {
	switch {
	case b.Status != "completed":
		return Running
	case b.Result == "succeeded":
		return Succeeded
	case b.Result == "canceled":
		return Cancelled
	}
	return Failed // failed, partiallySucceeded, none
}

func (b azureBuild) run() Run {
	return Run{ID: strconv.FormatInt(b.ID, 10), Link: text(b.Links.Web.Href)}
}

// Dispatch runs the pipeline of the branch. The answer names the run.
func (a *azure) Dispatch(ctx context.Context, o Order) (Run, error) {
	in := o.inputs()
	for name, v := range in {
		if strings.Contains(v, "$(") { // such as $(aSecret), in a reason that is signed and kept
			return Run{}, unsent{fault.New(fault.Usage, "write it without $(", nil, "run %s: the %s contains $(, which Azure Pipelines would expand", a.Name(), name)}
		}
	}
	id, err := a.definition(ctx)
	if err != nil {
		return Run{}, unsent{err}
	}
	ref := a.Branch
	if !strings.HasPrefix(ref, "refs/") {
		ref = "refs/heads/" + ref
	}
	body := map[string]any{
		"resources":          map[string]any{"repositories": map[string]any{"self": map[string]any{"refName": ref}}},
		"templateParameters": in,
	}
	r, err := a.ask(ctx, http.MethodPost, "pipelines/"+strconv.FormatInt(id, 10)+"/runs", nil, body)
	if err != nil {
		return Run{}, fmt.Errorf("run %s: %w", a.Name(), err)
	}
	if r.status != http.StatusOK || r.page() {
		return Run{}, r.refusedBy(a.refusal(r, "run"))
	}
	var made azureBuild
	if json.Unmarshal(r.body, &made) == nil && made.ID > 0 {
		return made.run(), nil
	}
	return Run{}, nil // it runs; Find finds it
}

// Find reads the newest builds of the pipeline: the operation stands in the
// number that the pipeline's name makes, and in its parameters.
func (a *azure) Find(ctx context.Context, o Order, since time.Time) (Run, bool, error) {
	id, err := a.definition(ctx)
	if err != nil {
		return Run{}, false, err
	}
	var list struct {
		Value []azureBuild `json:"value"`
	}
	query := url.Values{
		"definitions": {strconv.FormatInt(id, 10)}, "queryOrder": {"queueTimeDescending"}, "$top": {"200"},
		"minTime": {since.Add(-skewed).UTC().Format(time.RFC3339)},
	}
	if err := a.get(ctx, "build/builds", query, &list); err != nil {
		return Run{}, false, fmt.Errorf("look for the run of operation %s: %w", o.Operation, err)
	}
	var best *azureBuild
	for i, b := range list.Value {
		ours := strings.Contains(b.Number, o.Operation) || b.Parameters["operation"] == any(o.Operation)
		if ours && (best == nil || worse(best.result(), b.result())) {
			best = &list.Value[i]
		}
	}
	if best == nil {
		return Run{}, false, nil
	}
	return best.run(), true, nil
}

// Cancel asks for the end of the build.
func (a *azure) Cancel(ctx context.Context, run Run) error {
	r, err := a.ask(ctx, http.MethodPatch, "build/builds/"+url.PathEscape(run.ID), nil, map[string]string{"status": "cancelling"})
	if err != nil {
		return fmt.Errorf("cancel the run %s: %w", run.Link, err)
	}
	if r.status != http.StatusOK || r.page() {
		return a.refusal(r, "cancel the run of")
	}
	return nil
}

// definition is the number of the pipeline. A name that several have, in
// different folders, is an error that lists their numbers.
func (a *azure) definition(ctx context.Context) (int64, error) {
	if n, err := strconv.ParseInt(a.Pipeline, 10, 64); err == nil {
		return n, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.id != 0 {
		return a.id, nil
	}
	var list struct {
		Value []struct {
			ID   int64  `json:"id"`
			Name string `json:"name"`
		} `json:"value"`
	}
	if err := a.get(ctx, "build/definitions", url.Values{"name": {a.Pipeline}}, &list); err != nil {
		return 0, fmt.Errorf("look for %s: %w", a.Name(), err)
	}
	var ids []int64
	for _, d := range list.Value {
		if strings.EqualFold(d.Name, a.Pipeline) { // the API takes the name as a pattern
			ids = append(ids, d.ID)
		}
	}
	switch len(ids) {
	case 1:
		a.id = ids[0]
		return a.id, nil
	case 0:
		return 0, fault.New(fault.Usage, "correct via.azure.pipeline, or give its number", nil, "there is no pipeline %q in %s", text(a.Pipeline), text(a.Project))
	}
	return 0, fault.New(fault.Usage, fmt.Sprintf("give one of the numbers %v", ids), nil, "%d pipelines of %s are named %q", len(ids), text(a.Project), text(a.Pipeline))
}

func (a *azure) get(ctx context.Context, path string, query url.Values, into any) error {
	r, err := a.ask(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	if r.status != http.StatusOK || r.page() {
		return a.refusal(r, "answer for")
	}
	return r.read("what Azure DevOps answers", into)
}

// ask sends one request about the project, with the token.
func (a *azure) ask(ctx context.Context, method, path string, query url.Values, body any) (reply, error) {
	h := http.Header{"Accept": {"application/json"}, "X-Tfs-Fedauthredirect": {"Suppress"}} // 401 in place of a sign-in page
	if a.TokenEnv != "" {
		secret, err := a.tokens.Variable(a.TokenEnv, "a token that may queue builds")
		if err != nil {
			return reply{}, unsent{err}
		}
		h.Set("Authorization", forge.DevOps(secret))
	} else {
		bearer, err := a.tokens.Az(ctx)
		if err != nil {
			return reply{}, unsent{err}
		}
		h.Set("Authorization", "Bearer "+bearer)
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("api-version", azureVersion)
	return a.send(ctx, request{method: method, url: a.URL + "/" + url.PathEscape(a.Project) + "/_apis/" + path + "?" + query.Encode(), header: h, body: body})
}

// page tells a sign-in page, which is how Azure DevOps refuses a credential.
func (r reply) page() bool {
	return strings.HasPrefix(r.header.Get("Content-Type"), "text/html") || r.status == http.StatusNonAuthoritativeInfo
}

// refusal says why Azure DevOps did not do it.
func (a *azure) refusal(r reply, what string) error {
	code, hint := fault.Failed, "look at "+a.Page()
	switch {
	case r.status == http.StatusUnauthorized, r.page() && r.status < 400, r.status/100 == 3:
		a.tokens.Forget()
		code, hint = fault.Refused, "the token has ended or is wrong: sign in again with az login, or make a token with Build (read and execute)"
	case r.status == http.StatusForbidden, r.status == http.StatusNotFound:
		code, hint = fault.Refused, "it needs Queue builds and View builds on the pipeline, and the right project and pipeline in via.azure"
	case r.status == http.StatusBadRequest:
		code, hint = fault.Usage, "the pipeline on "+a.Branch+" needs the parameters that docs/via.md lists"
	}
	return fault.New(code, hint, r.said(), "Azure DevOps does not %s %s of %s", what, text(a.Pipeline), text(a.Project))
}

package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

const (
	gitHubAPI     = "https://api.github.com"
	gitHubVersion = "2022-11-28" // https://docs.github.com/rest/about-the-rest-api/api-versions
	maxPages      = 10           // of a hundred; GitHub lists a thousand check runs of a commit
)

// github reads the check runs and commit statuses of a revision
// (https://docs.github.com/rest/checks/runs, https://docs.github.com/rest/commits/statuses).
type github struct {
	*Sources
	config.GitHubSource
}

// checkRun is one run of a check, as far as it is read.
type checkRun struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	HeadSHA     string    `json:"head_sha"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	Page        string    `json:"html_url"`
	App         struct {
		Slug string `json:"slug"`
	} `json:"app"`
	Suite struct {
		ID int64 `json:"id"`
	} `json:"check_suite"`
}

// commitStatus is the newest status of one context.
type commitStatus struct {
	Context   string    `json:"context"`
	State     string    `json:"state"`
	UpdatedAt time.Time `json:"updated_at"`
	Page      string    `json:"target_url"`
}

func (g github) ask(ctx context.Context, q Question) ([]gates.Answer, error) {
	id, err := q.revision()
	if err != nil {
		return nil, err
	}
	owner, name, ok := strings.Cut(g.Repository, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, fault.New(fault.Usage, "write it as owner/name", nil, "%q is no repository of GitHub", text(g.Repository))
	}
	header, secret, err := g.credential(ctx)
	if err != nil {
		return nil, err
	}
	base := cmp.Or(strings.TrimSuffix(g.API, "/"), gitHubAPI) + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/commits/" + id
	var runs []checkRun
	err = g.pages(ctx, base+"/check-runs?filter=latest&per_page=100", header, secret, func(raw []byte) error {
		var page struct {
			Runs []checkRun `json:"check_runs"`
		}
		err := json.Unmarshal(raw, &page)
		runs = append(runs, page.Runs...)
		return err //nolint:wrapcheck // pages says what was read
	})
	if err != nil {
		return nil, err
	}
	var statuses []commitStatus
	err = g.pages(ctx, base+"/status?per_page=100", header, secret, func(raw []byte) error {
		var page struct {
			Statuses []commitStatus `json:"statuses"`
		}
		err := json.Unmarshal(raw, &page)
		statuses = append(statuses, page.Statuses...)
		return err //nolint:wrapcheck // as above
	})
	if err != nil {
		return nil, err
	}
	return checksOf(runs, statuses, g.Checks, id), nil
}

// credential is the headers of every request, with a token if one is configured.
func (g github) credential(ctx context.Context) (http.Header, bool, error) {
	h := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {gitHubVersion}}
	if g.TokenEnv == "" && !g.CLI || !g.Trusted() {
		return h, false, nil
	}
	var secret string
	var err error
	if g.TokenEnv != "" {
		secret, err = g.variable(g.TokenEnv)
	} else {
		secret, err = g.ofGH(ctx, cmp.Or(g.API, gitHubAPI))
	}
	if err != nil {
		return nil, false, err
	}
	h.Set("Authorization", "Bearer "+secret)
	return h, true, nil
}

// pages reads a list to its end. A list that has no end within maxPages is an
// error: a failure could stand on the pages that were not read.
func (g github) pages(ctx context.Context, first string, header http.Header, secret bool, read func([]byte) error) error {
	next := first
	for range maxPages {
		r, err := g.fetch(ctx, call{url: next, header: header, secret: secret, max: maxPage})
		if err != nil {
			return err
		}
		if r.status == http.StatusUnprocessableEntity && next == first && bytesSayNoCommit(r.body) {
			return nil // the repository does not have the commit: nothing is known of it
		}
		if r.status != http.StatusOK {
			return g.refusal(r, secret)
		}
		if err := read(r.body); err != nil {
			return fmt.Errorf("read what %s answers: %w", first, err)
		}
		if next, err = nextPage(next, r.header); err != nil || next == "" {
			return err
		}
	}
	return fmt.Errorf("%s lists more than %d pages, which are not read", first, maxPages)
}

// bytesSayNoCommit tells 422 "No commit found for SHA" from other mistakes.
func bytesSayNoCommit(raw []byte) bool { return strings.Contains(string(raw), "No commit found") }

// refusal says why GitHub did not answer.
func (g github) refusal(r reply, secret bool) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(r.body, &said) // what is no JSON says nothing
	err := fmt.Errorf("%d %s %s", r.status, http.StatusText(r.status), text(said.Message))
	hint := "look at the repository in sources, and at who may read its checks"
	switch {
	case r.status == http.StatusUnauthorized:
		g.refused()
		hint = "the token has ended or is wrong: make a new one, or sign in again with gh auth login"
	case !secret && (g.TokenEnv != "" || g.CLI):
		return ofSource{fault.New(fault.Usage, fault.HintOf(errUntrusted), err, "GitHub was asked for %s without a token, because %s", g.Repository, errUntrusted.Error())}
	case !secret:
		hint = "a private repository needs token-env or gh: true"
	case r.status == http.StatusForbidden || r.status == http.StatusNotFound:
		hint = "the token needs to read checks and commit statuses of " + g.Repository
	}
	return ofSource{fault.New(fault.Failed, hint, err, "GitHub does not answer for %s", g.Repository)}
}

// nextPage is the address with rel="next" in a Link header (RFC 8288), "" for
// none. Another host is an error: pages of one list are in one place.
func nextPage(current string, h http.Header) (string, error) {
	for _, link := range strings.Split(strings.Join(h.Values("Link"), ","), ",") {
		target, params, ok := strings.Cut(link, ">")
		target = strings.TrimPrefix(strings.TrimSpace(target), "<")
		if !ok || !strings.Contains(strings.ReplaceAll(params, " ", ""), `rel="next"`) {
			continue
		}
		from, err := url.Parse(current)
		if err != nil {
			return "", fmt.Errorf("read the address of a page: %w", err)
		}
		to, err := from.Parse(target)
		if err != nil {
			return "", fmt.Errorf("read the address of the next page: %w", err)
		}
		if to.Host != from.Host || to.Scheme != from.Scheme {
			return "", fmt.Errorf("the next page is said to be on %s and not on %s", text(to.Host), from.Host)
		}
		return to.String(), nil
	}
	return "", nil
}

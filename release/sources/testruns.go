package sources

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plimsoll/config/fault"
	"plimsoll/gates"
)

const (
	runsPerPage = 100
	maxRunPages = 10
)

// testRun is one published set of test results of a build
// (https://learn.microsoft.com/rest/api/azure/devops/test/runs/list).
type testRun struct {
	ID            int64         `json:"id"`
	Name          string        `json:"name"`
	State         string        `json:"state"`
	Total         int           `json:"totalTests"`
	Passed        int           `json:"passedTests"`
	NotApplicable int           `json:"notApplicableTests"`
	Statistics    []testOutcome `json:"runStatistics"`
	CompletedDate time.Time     `json:"completedDate"`
	Page          string        `json:"webAccessUrl"`
}

// testOutcome counts the tests of a run that ended alike.
type testOutcome struct {
	Outcome string `json:"outcome"`
	Count   int    `json:"count"`
}

// skipped is the tests that did not run.
func (r testRun) skipped() int {
	n := 0
	for _, s := range r.Statistics {
		switch s.Outcome {
		case "NotExecuted", "NotApplicable", "NotImpacted":
			n += s.Count
		}
	}
	return max(n, r.NotApplicable, 0)
}

// failed is the tests that neither passed nor were skipped, whatever the API
// calls their outcome: Failed, Error, Timeout, Aborted, Blocked, Inconclusive.
func (r testRun) failed() int { return max(r.Total-r.Passed-r.skipped(), 0) }

// testRuns lists what a build published, to the end.
func (p asking) testRuns(ctx context.Context, b build) ([]testRun, error) {
	uri := cmp.Or(b.URI, "vstfs:///Build/Build/"+strconv.FormatInt(b.ID, 10))
	var all []testRun
	for range maxRunPages {
		var list struct {
			Value []testRun `json:"value"`
		}
		query := url.Values{
			"buildUri": {uri}, "includeRunDetails": {"true"}, "$top": {strconv.Itoa(runsPerPage)}, "$skip": {strconv.Itoa(len(all))},
		}
		if _, err := p.get(ctx, "test/runs", query, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Value...)
		if len(list.Value) < runsPerPage {
			return all, nil
		}
	}
	return nil, fault.New(fault.Failed, "publish fewer of them", nil, "build %d has more than %d test runs, which are not read", b.ID, maxRunPages*runsPerPage)
}

// answers is one for the build, with all its tests, and one for each name of a
// test run, so that a suite can be asked for by name.
func (p asking) answers(ctx context.Context, b build, runs []testRun, id string) ([]gates.Answer, error) {
	whole := gates.Answer{State: b.state(), Finished: b.FinishTime, Link: page(b.Links.Web.Href), About: id}
	if whole.State == gates.Failed {
		whole.Failures = names([]string{"build " + b.Number + " (" + cmp.Or(b.Result, "no result") + ")"})
	}
	slices.SortStableFunc(runs, func(a, b testRun) int { return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	var suites []gates.Answer
	for _, r := range runs {
		a, err := p.suite(ctx, b, r, id)
		if err != nil {
			return nil, err
		}
		whole = together(whole, a)
		if last := len(suites) - 1; last >= 0 && suites[last].Key == a.Key {
			suites[last] = together(suites[last], a) // published in parts
			continue
		}
		suites = append(suites, a)
	}
	whole.Key = ""
	return append([]gates.Answer{whole}, suites...), nil
}

// suite is what one test run says.
func (p asking) suite(ctx context.Context, b build, r testRun, id string) (gates.Answer, error) {
	a := gates.Answer{
		Key: text(r.Name), State: gates.Passed, Passed: count(r.Passed), Failed: count(r.failed()), Total: count(r.Total - r.skipped()),
		Finished: r.CompletedDate, Link: page(r.Page), About: id,
	}
	switch {
	case r.failed() > 0:
		a.State = gates.Failed
		failures, err := p.failures(ctx, r)
		if err != nil {
			return a, err
		}
		a.Failures = failures
	case strings.EqualFold(r.State, "aborted"):
		a.State, a.Failures = gates.Failed, names([]string{r.Name + " (aborted)"})
	case r.Total-r.skipped() <= 0 && b.state() != gates.Running:
		a.State = gates.Absent // nothing ran
	case b.state() == gates.Running || !strings.EqualFold(r.State, "completed") && !strings.EqualFold(r.State, "needsInvestigation"):
		a.State = gates.Running
	}
	return a, nil
}

// failures are the names of the tests of a run that failed, the first of them.
func (p asking) failures(ctx context.Context, r testRun) ([]string, error) {
	var list struct {
		Value []struct {
			Title string `json:"testCaseTitle"`
			Name  string `json:"automatedTestName"`
		} `json:"value"`
	}
	query := url.Values{"outcomes": {"Failed,Aborted,Error,Timeout"}, "$top": {strconv.Itoa(maxFailures)}}
	if _, err := p.get(ctx, "test/Runs/"+strconv.FormatInt(r.ID, 10)+"/results", query, &list); err != nil {
		return nil, err
	}
	all := make([]string, 0, len(list.Value))
	for _, v := range list.Value {
		all = append(all, cmp.Or(v.Title, v.Name))
	}
	return names(all), nil
}

// together is two results as one: the worse state, all tests, the later end.
func together(a, b gates.Answer) gates.Answer {
	if rank(b.State) > rank(a.State) {
		a.State = b.State
	}
	a.Passed, a.Failed, a.Total = a.Passed+b.Passed, a.Failed+b.Failed, a.Total+b.Total
	a.Failures = names(slices.Concat(a.Failures, b.Failures))
	if b.Finished.After(a.Finished) {
		a.Finished = b.Finished
	}
	return a
}

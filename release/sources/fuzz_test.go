package sources

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plimsoll/gates"
)

// fuzzNow is the time of the fuzz targets.
var fuzzNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// FuzzGitHub turns any list of checks and statuses into answers: what is not
// done never passes, and no text keeps what a terminal would act on.
func FuzzGitHub(f *testing.F) {
	f.Add([]byte(`{"check_runs":[{"id":1,"name":"e2e","status":"completed","conclusion":"success","completed_at":"2026-11-24T11:00:00Z","html_url":"https://github.com/x"},{"id":2,"name":"e2e","status":"queued"}]}`),
		[]byte(`{"statuses":[{"context":"ci/smoke","state":"failure","updated_at":"2026-11-24T11:00:00Z","target_url":"https://ci"}]}`))
	f.Add([]byte(`{"check_runs":[{"name":"\u001b[2Ja","conclusion":"success"}]}`), []byte(`{"statuses":[{"context":"a","state":"success"}]}`))
	f.Fuzz(func(t *testing.T, checks, statuses []byte) {
		var runs struct {
			Runs []checkRun `json:"check_runs"`
		}
		var states struct {
			Statuses []commitStatus `json:"statuses"`
		}
		if json.Unmarshal(checks, &runs) != nil || json.Unmarshal(statuses, &states) != nil {
			return
		}
		answers := checksOf(runs.Runs, states.Statuses, nil, "abc")
		if len(answers) == 0 {
			t.Error("no answer at all")
		}
		for _, a := range answers {
			sound(t, a)
		}
	})
}

// FuzzPipelines turns any build and its test runs into answers.
func FuzzPipelines(f *testing.F) {
	f.Add([]byte(`{"id":7,"status":"completed","result":"succeeded","finishTime":"2026-11-24T11:00:00Z"}`),
		[]byte(`[{"id":1,"name":"smoke","state":"Completed","totalTests":2,"passedTests":2,"runStatistics":[{"outcome":"Passed","count":2}]}]`))
	f.Add([]byte(`{"status":"inProgress"}`), []byte(`[{"totalTests":-1,"passedTests":9223372036854775807,"notApplicableTests":-9223372036854775808}]`))
	f.Fuzz(func(t *testing.T, rawBuild, rawRuns []byte) {
		var b build
		var runs []testRun
		if json.Unmarshal(rawBuild, &b) != nil || json.Unmarshal(rawRuns, &runs) != nil {
			return
		}
		for _, r := range runs {
			if r.failed() > 0 {
				return // the names of failed tests are a request of their own
			}
		}
		answers, err := asking{}.answers(t.Context(), b, runs, "abc")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			sound(t, a)
		}
	})
}

// FuzzScannersReport reads what Harbor, ECR and scanners answer.
func FuzzScannersReport(f *testing.F) {
	f.Add([]byte(`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"name":"CVE-2026-1","severity":"HIGH","attributes":[{"key":"package_name","value":"a"}]}]}}`))
	f.Add([]byte(`{"application/vnd.security.vulnerability.report; version=1.1":{"generated_at":"2026-11-24T11:00:00Z","vulnerabilities":[{"id":"CVE-2026-1","severity":"High"}]}}`))
	f.Add([]byte(`{"version":"2.1.0","runs":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := scanned(raw, candidate)
		if err != nil {
			return
		}
		if a.State != gates.Running && (!a.Scanner || a.Findings == nil) {
			t.Errorf("%+v is no scan", a)
		}
		for _, finding := range a.Findings {
			if strings.ContainsAny(finding.ID+finding.Package+finding.Version+finding.Title+finding.Fixed, "\x1b\u202e\n") {
				t.Errorf("kept a control in %+v", finding)
			}
		}
	})
}

// FuzzHeaders reads what servers say about pages and limits: the next page is on
// the same host, and no limit outlasts its bound.
func FuzzHeaders(f *testing.F) {
	f.Add(`<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last"`, "60", "1795521600", "Tue, 24 Nov 2026 12:00:00 GMT", 429)
	f.Add(`<//evil.example/x>; rel="next"`, "1e308", "-1", "", 503)
	f.Add(`<https://api.github.com:443@evil.example/x>; rel="next"`, "Tue, 24 Nov 9999 12:00:00 GMT", "9223372036854775807", "x", 403)
	f.Fuzz(func(t *testing.T, link, after, reset, date string, status int) {
		const here = "https://api.github.com/repos/acme/chat"
		next, err := nextPage(here, http.Header{"Link": {link}})
		if err == nil && next != "" {
			if u, err := url.Parse(next); err != nil || u.Scheme != "https" || u.Host != "api.github.com" {
				t.Errorf("%q leads to %q", link, next)
			}
		}
		h := http.Header{"Retry-After": {after}, "X-Ratelimit-Reset": {reset}, "Date": {date}, "X-Ratelimit-Remaining": {"0"}}
		limit, limited := limitOf(reply{status: status, header: h}, fuzzNow)
		if limited && (limit.Until.Before(fuzzNow) || limit.Until.After(fuzzNow.Add(longest))) {
			t.Errorf("%q %q: wait until %s", after, reset, limit.Until)
		}
	})
}

// sound checks what holds for every answer.
func sound(t *testing.T, a gates.Answer) {
	t.Helper()
	if a.State == gates.Passed && (a.Failed > 0 || len(a.Failures) > 0) {
		t.Errorf("passed with failures: %+v", a)
	}
	if a.Passed < 0 || a.Failed < 0 || a.Total < 0 || len(a.Failures) > maxFailures {
		t.Errorf("numbers of %+v", a)
	}
	if a.Link != "" && !strings.HasPrefix(a.Link, "http") || strings.ContainsAny(a.Key+a.Link+strings.Join(a.Failures, ""), "\x1b\u202e\n") {
		t.Errorf("kept %+v", a)
	}
}

package sources

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
)

// lab is an endpoint of a test lab of one's own.
func lab(t *testing.T, body func(r *http.Request) (int, string)) *server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		status, text := body(r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})
}

// says is a lab that always answers alike.
func says(t *testing.T, status int, text string) *server {
	t.Helper()
	return lab(t, func(*http.Request) (int, string) { return status, text })
}

func labSource(s *server) config.Source {
	return config.Source{HTTP: &config.HTTPSource{
		URL: s.URL + "/runs/{{.Revision}}?image={{.Digest}}&repo={{.Staging}}&of={{.Service}}", State: "$.run.state", Passed: []string{"ok", "true", "0"}, Running: []string{"busy"},
		Count: "$.run.passed", Total: "$.run.total", Time: "$.run.end", Link: "$.run.page",
	}}
}

func TestAnEndpointsAnswerIsTakenApart(t *testing.T) {
	const rest = `"passed":46,"total":48,"end":"2026-11-24T11:00:00Z","page":"https://lab.example.com/1"`
	for body, want := range map[string]gates.Answer{
		`{"run":{"state":"ok",` + rest + `}}`:     {State: gates.Passed, Passed: 46, Total: 48},
		`{"run":{"state":true,` + rest + `}}`:     {State: gates.Passed, Passed: 46, Total: 48},
		`{"run":{"state":0,` + rest + `}}`:        {State: gates.Passed, Passed: 46, Total: 48},
		`{"run":{"state":"broken",` + rest + `}}`: {State: gates.Failed, Passed: 46, Total: 48, Failed: 2},
		`{"run":{"state":"OK",` + rest + `}}`:     {State: gates.Failed, Passed: 46, Total: 48, Failed: 2}, // words are compared as they are
	} {
		s := says(t, 200, body)
		w := over(t, labSource(s), s)
		a := w.answer(w.ask(), "")
		if a.State != want.State || a.Passed != want.Passed || a.Total != want.Total || a.Failed != want.Failed ||
			!a.Finished.Equal(today.Add(-time.Hour)) || a.Link != "https://lab.example.com/1" || a.About != candidate.String() || a.Kind != HTTP {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for body, want := range map[string]gates.AnswerState{
		`{"run":{"state":"busy"}}`: gates.Running, `{"run":{"state":null}}`: gates.Absent,
	} {
		s := says(t, 200, body)
		if w := over(t, labSource(s), s); w.answer(w.ask(), "").State != want {
			t.Errorf("%s", body)
		}
	}
	for _, status := range []int{404, 204} {
		s := says(t, status, "")
		if w := over(t, labSource(s), s); w.answer(w.ask(), "").State != gates.Absent {
			t.Errorf("%d", status)
		}
	}
}

func TestAnAnswerThatIsNotUnderstoodIsAnErrorAndNoPass(t *testing.T) {
	for body, word := range map[string]string{
		`{"run":{"state":{"a":1}}}`: "no word",
		`{}`:                        "nothing at $.run.state",
		`{"run":{"state":"ok"}}`:    "nothing at $.run.passed",
		`{"run":{"state":"ok","passed":-1,"total":2}}`:                           "no number of tests",
		`{"run":{"state":"ok","passed":1.5,"total":2}}`:                          "no number of tests",
		`{"run":{"state":"ok","passed":3,"total":2}}`:                            "3 passed tests of 2",
		`{"run":{"state":"ok","passed":"many","total":2}}`:                       "no number of tests",
		`{"run":{"state":"ok","passed":1e300,"total":2}}`:                        "no number of tests",
		`{"run":{"state":"ok","passed":1,"total":1,"end":"yesterday"}}`:          "no time",
		`{"run":{"state":"ok","passed":1,"total":1,"end":-5}}`:                   "no time",
		`<html>sign in</html>`:                                                   "no JSON",
		`{"run":{"state":"ok","passed":1,"total":1}} {"run":{"state":"broken"}}`: "behind its JSON",
		``:                          "no JSON",
		strings.Repeat("[", 20_000): "no JSON",
		`{"run":{"state":"ok","passed":1,"total":1,"x":"` + strings.Repeat("x", maxAnswer) + `"}}`: "more than 1 MiB",
	} {
		s := says(t, 200, body)
		w := over(t, labSource(s), s)
		w.refused(w.ask(), word)
	}
	s := says(t, 500, `{"run":{"state":"ok"}}`)
	w := over(t, labSource(s), s)
	w.refused(w.ask(), "500")
}

func TestAPathThatSelectsSeveralValuesIsAnError(t *testing.T) {
	s := says(t, 200, `[{"state":"ok"},{"state":"broken"}]`)
	c := labSource(s)
	c.HTTP.State, c.HTTP.Count, c.HTTP.Total, c.HTTP.Time = "$[*].state", "", "", ""
	w := over(t, c, s)
	w.refused(w.ask(), "2 values")
	c.HTTP.State = "$[?@.state=='ok'].state"
	if w = over(t, c, s); w.answer(w.ask(), "").State != gates.Passed {
		t.Error("a filter that selects one")
	}
}

func TestSecondsAreATimeToo(t *testing.T) {
	s := says(t, 200, `{"run":{"state":"ok","passed":1,"total":1,"end":1795518000}}`)
	w := over(t, labSource(s), s)
	if a := w.answer(w.ask(), ""); !a.Finished.Equal(time.Unix(1795518000, 0)) {
		t.Errorf("%+v", a)
	}
}

func TestEveryValueOfAURLIsEscaped(t *testing.T) {
	s := says(t, 404, "")
	c := labSource(s)
	c.HTTP.URL = s.URL + "/{{.Service}}/x?q={{.Staging}}"
	w := over(t, c, s)
	q := question()
	q.Service, q.Staging = "../a b&c#d?e", "host:5000/päth"
	w.Ask(t.Context(), []string{"ci"}, q, true)
	if got := s.requests()[0]; got != "/..%2Fa%20b%26c%23d%3Fe/x?q=host%3A5000%2Fp%C3%A4th" {
		t.Error(got)
	}
}

func TestAURLThatNamesNoRevisionNeedsNone(t *testing.T) {
	s := says(t, 404, "")
	c := labSource(s)
	c.HTTP.URL = s.URL + "/{{.Digest}}"
	w := over(t, c, s)
	q := question()
	q.Revision, q.RevisionErr = "", fmt.Errorf("several commits")
	if a := w.Ask(t.Context(), []string{"ci"}, q, true); a[0].Err != nil {
		t.Errorf("%v", a[0].Err)
	}
	c.HTTP.URL = s.URL + "/{{.Revision}}"
	w = over(t, c, s)
	w.refused(w.Ask(t.Context(), []string{"ci"}, q, true), "several commits")
}

func TestTheTokenOfAnEndpoint(t *testing.T) {
	var header string
	s := lab(t, func(r *http.Request) (int, string) {
		header = r.Header.Get("Authorization") + "|" + r.Header.Get("X-Api-Key")
		return 404, ""
	})
	c := labSource(s)
	c.HTTP.TokenEnv = "CI_TOKEN"
	w := over(t, c, s)
	if w.ask(); header != "Bearer a-token-of-ours|" {
		t.Error(header)
	}
	c.HTTP.Header = "x-api-key"
	w = over(t, c, s)
	if w.ask(); header != "|a-token-of-ours" {
		t.Error(header)
	}
	w.trusted = false
	if w.ask(); header != "|" {
		t.Errorf("an untrusted configuration sent %q", header)
	}
	c.HTTP.TokenEnv = "UNSET"
	w = over(t, c, s)
	w.refused(w.ask(), "UNSET is not set")
}

func TestATokenInAHeaderOfItsOwnDoesNotTravel(t *testing.T) {
	thief := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, http.StatusFound) })
	c := labSource(s)
	c.HTTP.TokenEnv, c.HTTP.Header = "CI_TOKEN", "X-Api-Key"
	w := over(t, c, s, thief)
	w.refused(w.ask(), "another host")
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }))
	defer plain.Close()
	s = serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	w = over(t, labSource(s), s)
	w.refused(w.ask(), "away from TLS")
}

func TestAnExtraAuthorityCountsForItsSourceOnly(t *testing.T) {
	s := says(t, 404, "")
	c := labSource(s)
	w := over(t, c)
	w.refused(w.ask(), "certificate")
	c.HTTP.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	w = over(t, c)
	if a := w.answer(w.ask(), ""); a.State != gates.Absent {
		t.Errorf("%+v", a)
	}
	c.HTTP.CA = []byte("no certificate")
	w = over(t, c)
	w.refused(w.ask(), "no certificate")
}

func TestAnEndpointWithoutTLSIsOnThisMachineOnly(t *testing.T) {
	c := config.Source{HTTP: &config.HTTPSource{URL: "http://lab.example.com/x", State: "$", PlainHTTP: true}}
	w := over(t, c)
	w.refused(w.ask(), "not on TLS")
	c.HTTP.URL = "https://user:pw@lab.example.com/x"
	w = over(t, c)
	w.refused(w.ask(), "user and a password")
	c.HTTP.URL = "file:///etc/passwd"
	w = over(t, c)
	w.refused(w.ask(), "not on TLS")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	c.HTTP.URL = plain.URL
	w = over(t, c)
	if a := w.answer(w.ask(), ""); a.State != gates.Absent {
		t.Errorf("%+v", a)
	}
}

const trivyReport = `{"SchemaVersion":2,"ArtifactName":"x","ArtifactType":"container_image","CreatedAt":"2026-11-24T11:00:00Z","Metadata":{"RepoDigests":["staging.example.com/team/chat@%s"]},
"Results":[{"Target":"alpine","Class":"os-pkgs","Type":"alpine","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1","PkgName":"openssl","InstalledVersion":"3.0.1","FixedVersion":"3.0.2","Severity":"HIGH"}]}]}`

func TestReportsOfScannersAreAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"trivy": fmt.Sprintf(trivyReport, candidate),
		"harbor": `{"application/vnd.security.vulnerability.report; version=1.1":{"generated_at":"2026-11-24T11:00:00.5Z","scanner":{"name":"Trivy"},"severity":"High",
			"vulnerabilities":[{"id":"CVE-2026-1","package":"openssl","version":"3.0.1","fix_version":"3.0.2","severity":"High","description":"text","links":["https://nvd.example.com/1"]}]}}`,
		"ecr basic": `{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"imageScanCompletedAt":"2026-11-24T12:00:00+01:00",
			"findings":[{"name":"CVE-2026-1","severity":"HIGH","uri":"https://x","attributes":[{"key":"package_name","value":"openssl"},{"key":"package_version","value":"3.0.1"}]}]}}`,
		"ecr enhanced": `{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"imageScanCompletedAt":1795518000.5,"enhancedFindings":[
			{"title":"t","severity":"HIGH","status":"ACTIVE","packageVulnerabilityDetails":{"vulnerabilityId":"CVE-2026-1","vulnerablePackages":[{"name":"openssl","version":"3.0.1","fixedInVersion":"3.0.2"}]}},
			{"title":"gone","severity":"CRITICAL","status":"CLOSED","packageVulnerabilityDetails":{"vulnerabilityId":"CVE-2026-2"}}]}}`,
	} {
		s := says(t, 200, body)
		w := over(t, config.Source{HTTP: &config.HTTPSource{URL: s.URL + "/{{.Digest}}"}}, s)
		a := w.answer(w.ask(), "")
		if a.State != gates.Passed || !a.Scanner || len(a.Findings) != 1 || a.Finished.IsZero() {
			t.Errorf("%s: %+v", name, a)
			continue
		}
		if f := a.Findings[0]; f.ID != "CVE-2026-1" || f.Severity != config.High || f.Package != "openssl" || f.Version != "3.0.1" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestAReportThatIsNoneIsAnError(t *testing.T) {
	for body, word := range map[string]string{
		fmt.Sprintf(trivyReport, "sha256:"+strings.Repeat("0", 64)):                           "is about",
		`{"imageScanStatus":{"status":"FAILED","description":"UnsupportedImageError"}}`:       "UnsupportedImageError",
		`{"imageScanStatus":{"status":"COMPLETE"},"nextToken":"more","imageScanFindings":{}}`: "another page",
		`{"state":"ok"}`: "its report",
	} {
		s := says(t, 200, body)
		w := over(t, config.Source{HTTP: &config.HTTPSource{URL: s.URL}}, s)
		w.refused(w.ask(), word)
	}
	for _, body := range []string{`{"imageScanStatus":{"status":"IN_PROGRESS"}}`, `{"application/vnd.security.vulnerability.report; version=1.1":{"generated_at":null}}`} {
		s := says(t, 200, body)
		w := over(t, config.Source{HTTP: &config.HTTPSource{URL: s.URL}}, s)
		if a := w.answer(w.ask(), ""); a.State != gates.Running || a.Scanner {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestASeverityThatIsNotKnownIsTheWorst(t *testing.T) {
	if severity("apocalyptic") != config.Critical || severity("UNTRIAGED") != config.Unknown || severity("Negligible") != config.Negligible {
		t.Error(severity("apocalyptic"), severity("UNTRIAGED"), severity("Negligible"))
	}
}

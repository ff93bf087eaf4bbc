package sources

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

// runs is a source whose command prints its arguments, or does as it is told.
func runs(args ...string) config.Source {
	return config.Source{Command: append([]string{"state"}, args...), Timeout: 20 * time.Second}
}

func TestACommandSaysWhatItFound(t *testing.T) {
	tools(t)
	w := over(t, runs(`{"state":"passed","key":"{{.Service}}","passed":48,"total":48,"finished":"2026-11-24T11:00:00Z","link":"https://lab/{{.Revision}}"}`))
	if a := w.answer(w.ask(), "chat"); a.State != gates.Passed || a.Passed != 48 || a.Total != 48 || a.Link != "https://lab/"+commit ||
		!a.Finished.Equal(today.Add(-time.Hour)) || a.Kind != Command || a.About != candidate.String() {
		t.Errorf("%+v", a)
	}
	w = over(t, runs(`[{"state":"failed","key":"api","failed":1,"total":2,"failures":["login","login"]},{"state":"running","key":"smoke"}]`))
	all := w.ask()
	if a := w.answer(all, "api"); a.State != gates.Failed || len(a.Failures) != 1 {
		t.Errorf("%+v", a)
	}
	if a := w.answer(all, "smoke"); a.State != gates.Running {
		t.Errorf("%+v", a)
	}
	w = over(t, runs("[]"))
	if a := w.answer(w.ask(), ""); a.State != gates.Absent {
		t.Errorf("%+v", a)
	}
	w = over(t, runs(`{"key":"linux/amd64","report":{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"name":"CVE-1","severity":"LOW"}]}}}`))
	if a := w.answer(w.ask(), "linux/amd64"); !a.Scanner || len(a.Findings) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestWhatACommandSaysMustBeUnderstood(t *testing.T) {
	tools(t)
	for said, word := range map[string]string{
		`ok`:                                  "no JSON",
		`{"state":"ok"}`:                      `"ok" is no state`,
		`{}`:                                  "is no state",
		`{"state":"passed","failed":1}`:       "names failures",
		`{"state":"passed","failures":["a"]}`: "names failures",
		`{"state":"failed","total":-1}`:       "no number of tests",
		`{"state":"failed","passed":2,"total":1}`: "2 passed",
		`{"state":"passed"} {}`:                   "behind its JSON",
		`{"state":"passed","finished":"today"}`:   "no time",
		`[[]]`:                                    "no JSON",
	} {
		w := over(t, runs(said))
		w.refused(w.ask(), word)
	}
}

func TestArgumentsReachACommandWithoutAShell(t *testing.T) {
	tools(t)
	w := over(t, runs(`{"state":"passed","key":"$(id) `+"`id`"+`; {{.Staging}}"}`))
	if a := w.answer(w.ask(), "$(id) `id`; staging.example.com/team/chat"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
}

func TestACommandThatFailsShowsItsLastWordsWithoutSecrets(t *testing.T) {
	tools(t)
	clean.Secret("lab-secret-1")
	t.Setenv("LAB_TOKEN", "lab-secret-1")
	w := over(t, runs("fail"))
	err := w.refusal(w.ask(), "exit status 4", "cannot reach the [31mlab")
	if strings.Contains(err.Error(), "lab-secret-1") || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("%q", err)
	}
}

func TestACommandEndsAtItsTimeLimit(t *testing.T) {
	tools(t)
	c := runs("hang")
	c.Timeout = 100 * time.Millisecond
	w := over(t, c)
	if err := w.refusal(w.ask(), "100ms"); !errors.Is(err, errSlow) || !strings.Contains(fault.HintOf(err), "timeout") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

func TestACommandSeesItsOwnTokenAndNoneOfOtherSources(t *testing.T) {
	tools(t)
	t.Setenv("LAB_TOKEN", "of the command")
	w := over(t, runs("environ"))
	w.Config.Sources["other"] = config.Source{HTTP: &config.HTTPSource{TokenEnv: "CI_TOKEN"}}
	if a := w.answer(w.ask(), "false of the command"); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
}

func TestAnUntrustedConfigurationRunsNothing(t *testing.T) {
	w := over(t, config.Source{Command: []string{filepath.Join(t.TempDir(), "would-be-missed")}})
	w.trusted = false
	if err := w.refusal(w.ask(), "not run", "not trusted"); !strings.Contains(fault.HintOf(err), "plimsoll trust") {
		t.Error(fault.HintOf(err))
	}
}

func TestAProgramNamedByAPathStandsBesideTheConfiguration(t *testing.T) {
	dir := tools(t)
	c := runs(`{"state":"passed"}`)
	c.Command[0] = "./bin/state"
	w := over(t, c)
	if err := os.Symlink(dir, filepath.Join(w.Config.Dir, "bin")); err != nil {
		t.Fatal(err)
	}
	if a := w.answer(w.ask(), ""); a.State != gates.Passed {
		t.Errorf("%+v", a)
	}
}

func FuzzReadSaid(f *testing.F) {
	f.Add([]byte(`{"state":"passed","passed":1,"total":1,"finished":1795518000}`))
	f.Add([]byte(`[{"state":"failed","failures":["\u001b[2J"]}]`))
	f.Add([]byte(`{"report":{"imageScanStatus":{"status":"COMPLETE"}}}`))
	f.Add([]byte(`{"report":{"application/vnd.security.vulnerability.report; version=1.1":{"generated_at":"2026-11-24T11:00:00Z"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := readSaid(raw, candidate)
		if err != nil {
			return
		}
		for _, a := range all {
			if a.State == gates.Passed && (a.Failed > 0 || len(a.Failures) > 0) || len(a.Failures) > maxFailures || a.Passed < 0 || a.Total < 0 {
				t.Errorf("%+v", a)
			}
			if clean.Text(a.Key) != a.Key && len(a.Key) < clean.Limit || a.Link != page(a.Link) {
				t.Errorf("%q %q", a.Key, a.Link)
			}
		}
	})
}

func FuzzReadEndpoint(f *testing.F) {
	f.Add([]byte(`{"run":{"state":"ok","passed":1,"total":1,"end":"2026-11-24T11:00:00Z","page":"https://x"}}`))
	f.Add([]byte(`{"run":{"state":"busy"}}`))
	e := endpoint{nil, config.HTTPSource{State: "$.run.state", Passed: []string{"ok"}, Running: []string{"busy"}, Count: "$.run.passed", Total: "$.run.total", Time: "$.run.end", Link: "$.run.page"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := e.read(raw)
		if err == nil && (a.State == "" || a.Passed > a.Total || a.Passed < 0 || a.Link != page(a.Link)) {
			t.Errorf("%+v", a)
		}
	})
}

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plimsoll/registry/embedded"
	"plimsoll/release"
	"plimsoll/release/via/viatest"
)

// relay is a world whose prod only a pipeline writes: the one of docs/via.md, in a
// forge in process, run by bash with the program as another process.
type relay struct {
	*world
	page  string // whose pipeline it is
	forge *viatest.Server
}

func newRelay(t *testing.T, page string) *relay {
	t.Helper()
	r := &relay{world: newWorld(t, embeddedRegistries), page: page}
	r.keys("pipeline")
	via := "github: {repository: acme/release, workflow: promote.yml, api: '%s', token-env: %s}, people: {octocat: you@example.com}"
	if page == azure {
		r.forge = viatest.NewAzure(t, r.job)
		via = "azure: {organization: '%s/acme', project: release, pipeline: promote, token-env: %s}, people: {octocat@example.com: you@example.com}"
	} else {
		r.forge = viatest.NewGitHub(t, r.job)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "you.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	team := string(text)
	for old, now := range map[string]string{
		"promote: {anonymous: true}":                           "via: {" + fmt.Sprintf(via, r.forge.URL, viatest.Variable) + "}",
		"signing: {key: you.key}\n":                            "",
		"release-owners: {people: {you@example.com: you.pub}}": "release-owners: {people: {you@example.com: you.pub, pipeline@example.com: pipeline.pub}}",
	} {
		if !strings.Contains(team, old) {
			t.Fatalf("%q is not in\n%s", old, team)
		}
		team = strings.Replace(team, old, now, 1)
	}
	r.write("plimsoll.yaml", []byte(team))
	r.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.forge.Certificate}))
	r.personal("you", "")
	r.personal("pipeline", "registries:\n  "+r.Prod+": {promote: {anonymous: true}}\n")
	return r
}

// personal writes the personal.yaml of somebody.
func (r *relay) personal(who, more string) {
	r.t.Helper()
	dir := filepath.Join(r.dir, who, "plimsoll")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	text := fmt.Sprintf("signing: {key: '%s'}\n%s", filepath.Join(r.dir, who+".key"), more)
	if err := os.WriteFile(filepath.Join(dir, "personal.yaml"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// laptop runs plimsoll as a person does who may not write prod.
func (r *relay) laptop(args ...string) answer {
	r.t.Helper()
	return r.interrupted(nil, args...)
}

// interrupted is laptop, and ctrl+c when that says so.
func (r *relay) interrupted(when func(), args ...string) answer {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "plimsoll", args...) //nolint:gosec // the test's own arguments
	cmd.Dir = r.dir
	cmd.Env = append(viatest.Environ(),
		"PATH="+os.Getenv("PATH"), "SSL_CERT_FILE="+filepath.Join(r.dir, "ca.pem"), "PLIMSOLL_CONFIG="+filepath.Join(r.dir, "plimsoll.yaml"),
		"PLIMSOLL_STATE="+filepath.Join(r.dir, "laptop"), "XDG_CONFIG_HOME="+filepath.Join(r.dir, "you"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	if when != nil {
		when()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			r.t.Error(err)
		}
	}
	_ = cmd.Wait() // the exit code says it
	return answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// job runs the step "Promote" of the page, as a runner does, and returns its exit code.
func (r *relay) job(ctx context.Context, in map[string]string) int {
	script, env := promoteStep(r.t, r.page)
	words := map[string]string{
		"github.actor": "octocat", "github.triggering_actor": "octocat", "github.workspace": r.dir,
		"Build.RequestedForEmail": "octocat@example.com", "Build.SourcesDirectory": r.dir, "System.AccessToken": "unused",
	}
	for _, name := range viatest.Inputs() {
		words["inputs."+name], words["parameters."+name] = in[name], in[name]
	}
	j := job{t: r.t, system: r.page, words: words, env: map[string]string{}}
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-e", "-c", script) //nolint:gosec // what the page says
	cmd.Dir = r.dir
	state, err := os.MkdirTemp(r.dir, "runner")
	if err != nil {
		r.t.Error(err)
		return 1
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PLIMSOLL_STATE=" + state, "GITHUB_WORKFLOW_REF=acme/release/.github/workflows/promote.yml@refs/heads/main"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+j.expand(value))
	}
	cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+filepath.Join(r.dir, "pipeline"))
	out, err := cmd.CombinedOutput()
	r.t.Logf("the pipeline says: %s", out)
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) {
		r.t.Error(err)
	}
	return cmd.ProcessState.ExitCode()
}

// TestThePipelinesOfThePagePromote: who may not write prod promotes and rolls back
// by the pipelines of docs/via.md, whose scripts run as they stand there.
func TestThePipelinesOfThePagePromote(t *testing.T) {
	for _, page := range []string{github, azure} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, page)
			first, second := image("1", "amd64", embedded.Gzip), image("2", "amd64", embedded.Gzip)
			one, two := r.candidate("v1", first), r.candidate("v2", second)
			for n, dg := range []string{one.String(), two.String()} {
				expect := []string{"none", one.String()}[n]
				a := r.laptop("promote", "chat", dg, "--yes", "--expect", expect, "--reason", `it's "ready"; touch evil`, "-o", "json")
				var out release.Outcome
				if a.code != 0 || json.Unmarshal([]byte(a.out), &out) != nil || out.Via == nil || out.Via.Link == "" || out.Record == nil {
					t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
				}
			}
			a := r.laptop("rollback", "chat", one.String(), "--yes", "--expect", two.String(), "--no-quarantine", "--reason", "it broke")
			if a.code != 0 || !strings.Contains(a.out, "rolled back to "+one.String()) || !strings.Contains(a.err, "follow its run") || !strings.Contains(a.out, "  run      https://") {
				t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
			}
			r.accountedFor()
			if _, err := os.Stat(filepath.Join(r.dir, "evil")); err == nil {
				t.Error("what people typed was run")
			}
			a = r.laptop("promote", "chat", two.String(), "--yes", "--expect", two.String())
			if a.code != 4 { // it is looked at here first: no run is started for it
				t.Errorf("exit %d\n%s", a.code, a.err)
			}
			if n := len(r.forge.Runs()); n != 3 {
				t.Errorf("%d runs", n)
			}
			a = r.laptop("history", "chat")
			if !strings.Contains(a.out, "pipeline@example.com for you@example.com") {
				t.Errorf("%s", a.out)
			}
			if strings.Contains(a.out+a.err, viatest.Token) {
				t.Error("the token is in it")
			}
		})
	}
}

// accountedFor reads the three records, as the laptop sees them.
func (r *relay) accountedFor() {
	r.t.Helper()
	var entries []release.Entry
	a := r.laptop("history", "chat", "-o", "json")
	if err := json.Unmarshal([]byte(a.out), &entries); err != nil || len(entries) != 3 {
		r.t.Fatalf("%v\n%s%s", err, a.out, a.err)
	}
	for _, e := range entries {
		if e.Actor != "pipeline@example.com" || !slices.Equal(e.RequestedBy, []string{"you@example.com"}) || !e.Verified || e.Problem != "" {
			r.t.Errorf("%+v", e)
		}
	}
	if e := entries[0]; e.Action != "rollback" || e.Reason != "it broke" {
		r.t.Errorf("%+v", e)
	}
}

// TestCtrlCAsksThePipelineToCancel, and tells what is certain.
func TestCtrlCAsksThePipelineToCancel(t *testing.T) {
	t.Parallel()
	r := newRelay(t, github)
	one := r.candidate("v1", image("1", "amd64", embedded.Gzip))
	r.forge.Hold()
	ordered := make(chan struct{})
	r.forge.On(func(_ http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/jobs") { // its run is looked at
			r.forge.On(nil)
			close(ordered)
		}
		return false
	})
	a := r.interrupted(func() { <-ordered }, "promote", "chat", one.String(), "--yes", "--expect", "none")
	if a.code != 1 || !strings.Contains(a.err, "cancelled before the channel moved; prod has not changed") || !strings.Contains(a.err, "run queued") {
		t.Errorf("exit %d\n%s", a.code, a.err)
	}
	r.forge.Runs()[0].Wait()
	if got := r.inProd(); got != "" {
		t.Errorf("prod has %s", got)
	}
}

// TestThePromptSaysThatAPipelineDoesIt, before anybody types the name. The server's
// certificate is not trusted here: nothing is started.
func TestThePromptSaysThatAPipelineDoesIt(t *testing.T) {
	r := newRelay(t, github)
	one := r.candidate("v1", image("1", "amd64", embedded.Gzip))
	r.env["PLIMSOLL_CONFIG"] = filepath.Join(r.dir, "plimsoll.yaml")
	t.Setenv(viatest.Variable, viatest.Token)
	var out, errs bytes.Buffer
	std := r.io("you")
	std.In, std.Out, std.Err, std.Terminal = strings.NewReader("chat\n"), &out, &errs, true
	code := execute(t, std, "promote", "chat", one.String())
	said := errs.String()
	asked, started := strings.Index(said, "A pipeline does it under its own identity: acme/release promote.yml on GitHub"), strings.Index(said, "ask the pipeline")
	if code != 1 || asked < 0 || started < asked || !strings.Contains(said, "nothing was started, prod has not changed") || len(r.forge.Runs()) != 0 {
		t.Errorf("exit %d\n%s", code, said)
	}
}

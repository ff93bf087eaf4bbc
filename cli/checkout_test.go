package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/cli"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// jqPackage is jq in Go, so that the snippets run wherever the tests do.
const jqPackage = "github.com/itchyny/gojq/cmd/gojq@v0.12.17"

// snippetPassword is what the keys of the pipelines are encrypted with.
const snippetPassword = "of-the-pipelines-3"

// checkout is a repository with plimsoll.yaml on the runner of a job, and the candidate that it built.
type checkout struct {
	*world
	job       *job
	candidate digest.Digest
}

func newCheckout(t *testing.T, p page, system string, programs map[string]string) *checkout {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), Repository: "chat"}
	w.env = map[string]string{"PLIMSOLL_CONFIG": filepath.Join(w.dir, "plimsoll.yaml"), "PLIMSOLL_STATE": filepath.Join(w.dir, "state")}
	embeddedRegistries(t, w)
	for _, dir := range []string{"keys", "bin", "files", "home"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, pair := range snippetKeys() {
		w.write("keys/"+name+".pub", pair.public)
	}
	w.write("plimsoll.yaml", []byte(w.snippetConfiguration(p)))
	c := &checkout{world: w, job: &job{t: t, system: system, dir: w.dir, env: w.runner(), words: map[string]string{
		"secrets.CI_KEY": string(snippetKeys()[p.signer].private), "inputs.reason": "it leaks memory", "inputs.expect": "none",
		"parameters.reason": "it leaks memory", "parameters.expect": "none", "env.REPO": w.staging().String(),
		"steps.smoke.outcome == 'success' && 'PASSED' || 'FAILED'": "PASSED",
	}}}
	for _, name := range []string{"CI", "QA", "OWNER"} {
		c.job.words["secrets."+name+"_KEY_PASSWORD"], c.job.words[name+"_KEY_PASSWORD"] = snippetPassword, snippetPassword
	}
	c.job.env["CIKEY_SECUREFILEPATH"] = w.write("ci.key", snippetKeys()[p.signer].private)
	c.equip(programs)
	return c
}

// snippetConfiguration is the configuration of a checkout: nobody signs but who the pipeline's personal.yaml names.
func (w *world) snippetConfiguration(p page) string {
	owners := ""
	if p.policy == "" && p.signer == "owner" {
		owners = "  policy-owners: {people: {owner@example.com: keys/owner.pub}}\n"
	}
	return fmt.Sprintf(`registries:
  %s: {plain-http: true, read: {anonymous: true}}
  %s: {plain-http: true, read: {anonymous: true}, promote: {anonymous: true}}
trust:
  ci: {keys: [keys/ci.pub]}
  qa-leads: {people: {qa.lead@example.com: keys/qa.pub}}
  release-owners: {people: {owner@example.com: keys/owner.pub}}
%s%s
records: {signers: [release-owners]}
services: [{name: chat, staging: %s, prod: %s, candidates: {tags: '^main-'}}]
`, w.Staging, w.Prod, owners, p.policy, w.staging(), w.prod())
}

// runner is what the system tells every step, and where our programs are.
func (w *world) runner() map[string]string {
	home := filepath.Join(w.dir, "home")
	return map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, ".config"), "PATH": filepath.Join(w.dir, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"STANDINS": filepath.Join(w.dir, "files"), "REPO": w.staging().String(), "PLIMSOLL_CONFIG": "plimsoll.yaml",
		"GITHUB_ENV": w.write("github.env", nil), "GITHUB_STEP_SUMMARY": w.write("summary.md", nil), "RUNNER_TEMP": home,
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/chat", "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "77", "GITHUB_RUN_NUMBER": "7",
		"GITHUB_SHA": strings.Repeat("7c9d", 10), "GITHUB_ACTOR": "ann", "GITHUB_WORKFLOW_REF": "acme/chat/.github/workflows/build.yml@refs/heads/main",
		"BUILD_BUILDID": "77", "BUILD_REPOSITORY_URI": "https://github.com/acme/chat", "BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": strings.Repeat("7c9d", 10),
		"SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "chat", "SYSTEM_DEFINITIONID": "12", "SYSTEM_STAGENAME": "promote",
	}
}

// equip puts the stand-ins, jq and more programs into the path, and the files that stand-ins leave beside them.
func (c *checkout) equip(programs map[string]string) {
	c.t.Helper()
	for name, script := range standIns {
		path := filepath.Join(c.dir, "bin", name)
		if err := os.WriteFile(path, []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // it is a program
			c.t.Fatal(err)
		}
	}
	links := map[string]string{"jq": registrytest.Tool(c.t, jqPackage)}
	for name, program := range programs {
		links[name] = program
	}
	for name, program := range links {
		if err := os.Symlink(program, filepath.Join(c.dir, "bin", name)); err != nil {
			c.t.Fatal(err)
		}
	}
	unit, err := os.ReadFile(filepath.Join("..", "testdata", "reports", "go-test.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("files/unit.jsonl", unit)
	c.write("files/smoke.xml", []byte(junit))
	c.write("files/load.xml", []byte(strings.ReplaceAll(junit, "smoke", "load")))
	c.write("files/load.json", []byte(`{"metrics": {"http_req_duration": {"p(99)": 212.5}}}`))
	for _, architecture := range []string{"amd64", "arm64"} {
		report := trivy(c.t, image("v1", architecture, embedded.Gzip))
		c.write("files/json-"+architecture+".json", report)
		c.write("files/cosign-vuln-"+architecture+".json", cosignVuln(c.t, report))
	}
}

// cosignVuln is what trivy image --format cosign-vuln makes of its report.
func cosignVuln(t *testing.T, report []byte) []byte {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	raw, err := json.Marshal(map[string]any{
		"invocation": map[string]any{"parameters": nil, "uri": "", "event_id": "", "builder.id": ""},
		"scanner":    map[string]any{"uri": "pkg:github/aquasecurity/trivy@0.74.0", "version": "0.74.0", "db": map[string]any{"uri": "", "version": ""}, "result": json.RawMessage(report)},
		"metadata":   map[string]any{"scanStartedOn": now, "scanFinishedOn": now},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// build runs the job of docs/gates.md that stands before the snippets: it
// pushes, and sets DIGEST and KEY. Staging follows what it pushed.
func (c *checkout) build() {
	c.t.Helper()
	var images []embedded.Image
	for _, architecture := range []string{"amd64", "arm64"} {
		img := image("v1", architecture, embedded.Gzip)
		img.Attestations = []embedded.Attestation{embedded.Provenance{
			Bases:    []embedded.Base{{Name: "debian", Tag: "12-slim", Digest: digest.FromString("debian"), Pinned: true, Platform: "linux/" + architecture}},
			Finished: time.Now(),
		}.Attestation()}
		images = append(images, img)
	}
	var err error
	if c.candidate, err = embedded.Push(c.t.Context(), c.push, c.staging(), []string{"main-77", "staging"}, images...); err != nil {
		c.t.Fatal(err)
	}
	c.job.env["PUSHED"] = c.candidate.String()
	for _, block := range blocks(c.t, "gates.md", "yaml") {
		steps := stepsOf(stepsIn(block))
		if len(steps) > 0 && steps[len(steps)-1].system() == c.job.system {
			c.job.run(steps)
		}
	}
	if c.job.env["DIGEST"] != c.candidate.String() || c.job.env["KEY"] == "" {
		c.t.Fatalf("the job set DIGEST %q and KEY %q", c.job.env["DIGEST"], c.job.env["KEY"])
	}
}

// stepsIn is the list of steps of a whole pipeline.
func stepsIn(pipeline string) string {
	head, list, ok := strings.Cut(pipeline, "steps:\n")
	if !ok {
		return ""
	}
	indent := head[strings.LastIndex(head, "\n")+1:]
	var b bytes.Buffer
	for line := range strings.Lines(list) {
		b.WriteString(strings.TrimPrefix(line, indent))
	}
	return b.String()
}

// keyPair is a key as plimsoll key generate leaves it in files.
type keyPair struct{ private, public []byte }

// snippetKeys are the keys of all checkouts: making one is slow on purpose.
var snippetKeys = sync.OnceValue(func() map[string]keyPair {
	dir, err := os.MkdirTemp("", "plimsoll-keys")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pairs := map[string]keyPair{}
	for _, name := range []string{"ci", "qa", "owner"} {
		var said bytes.Buffer
		prefix := filepath.Join(dir, name)
		io := cli.IO{In: strings.NewReader(""), Out: &said, Err: &said, Dir: dir, Env: func(name string) (string, bool) {
			return snippetPassword, name == "COSIGN_PASSWORD"
		}}
		if code := cli.Execute(context.Background(), []string{"key", "generate", "--out", prefix}, io); code != 0 {
			panic(said.String())
		}
		private, err1 := os.ReadFile(prefix + ".key")
		public, err2 := os.ReadFile(prefix + ".pub")
		if err := errors.Join(err1, err2); err != nil {
			panic(err)
		}
		pairs[name] = keyPair{private, public}
	}
	return pairs
})

package cli_test

import (
	"cmp"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The two systems that the documentation has snippets for.
const (
	github = "GitHub Actions"
	azure  = "Azure Pipelines"
)

// step is one step of a pipeline, in the words of either system.
type step struct {
	Name, DisplayName string
	Run               string // GitHub Actions
	Script            string // Azure Pipelines
	Uses, Task        string // what the system brings along: not ours to run
	Env               map[string]string
}

// system is whose step it is.
func (s step) system() string {
	if s.Script != "" || s.Task != "" {
		return azure
	}
	return github
}

// stepsOf reads a block of YAML that is a list of steps; none if it is something else.
func stepsOf(block string) []step {
	var raw []map[string]any
	if yaml.Unmarshal([]byte(block), &raw) != nil {
		return nil
	}
	var steps []step
	for _, one := range raw {
		text := func(key string) string { s, _ := one[key].(string); return s }
		s := step{text("name"), text("displayName"), text("run"), text("script"), text("uses"), text("task"), map[string]string{}}
		env, _ := one["env"].(map[string]any)
		for name, value := range env {
			s.Env[name], _ = value.(string)
		}
		if s.Run+s.Script+s.Uses+s.Task == "" {
			return nil
		}
		steps = append(steps, s)
	}
	return steps
}

// job runs steps as a hosted runner does: bash, the variables of the system, its
// expressions, and its ways to hand variables on to later steps.
type job struct {
	t      *testing.T
	system string
	dir    string            // the checkout
	env    map[string]string // what every step sees
	words  map[string]string // secrets and parameters, by what an expression calls them
}

// run runs the steps that are scripts.
func (j *job) run(steps []step) {
	j.t.Helper()
	for _, s := range steps {
		if text := cmp.Or(s.Run, s.Script); text != "" {
			j.script(text, s.Env)
		}
	}
}

func (j *job) script(text string, more map[string]string) {
	j.t.Helper()
	file := filepath.Join(j.dir, "step.sh")
	if err := os.WriteFile(file, []byte(j.expand(text)), 0o600); err != nil {
		j.t.Fatal(err)
	}
	args := []string{"--noprofile", "--norc"}
	if j.system == github {
		args = append(args, "-e")
	}
	cmd := exec.CommandContext(j.t.Context(), "bash", append(args, file)...) //nolint:gosec // what the page says
	cmd.Dir = j.dir
	env := maps.Clone(j.env)
	for name, value := range more {
		env[name] = j.expand(value)
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		j.t.Fatalf("%v\n%s\nin\n%s", err, out, text)
	}
	j.take(string(out))
}

var (
	githubExpression = regexp.MustCompile(`\$\{\{ *(.+?) *\}\}`)
	azureVariable    = regexp.MustCompile(`\$\(([A-Za-z][A-Za-z0-9_.]*)\)`)
	azureSet         = regexp.MustCompile(`##vso\[task\.setvariable variable=(\w+)\](.*)`)
)

// expand fills in what the system fills in before bash sees a text. A variable
// of Azure Pipelines that is not there stays, for bash to stumble over.
func (j *job) expand(text string) string {
	text = githubExpression.ReplaceAllStringFunc(text, func(found string) string {
		name := githubExpression.FindStringSubmatch(found)[1]
		if value, ok := j.words[name]; ok {
			return value
		}
		value, ok := j.env[strings.TrimPrefix(name, "env.")]
		if !ok {
			j.t.Errorf("nothing stands for %s", found)
		}
		return value
	})
	if j.system == github {
		return text
	}
	return azureVariable.ReplaceAllStringFunc(text, func(found string) string {
		name := azureVariable.FindStringSubmatch(found)[1]
		if value, ok := j.words[name]; ok {
			return value
		}
		if value, ok := j.env[strings.ToUpper(strings.ReplaceAll(name, ".", "_"))]; ok {
			return value
		}
		return found
	})
}

// take reads the variables that a step hands on.
func (j *job) take(out string) {
	j.t.Helper()
	for _, m := range azureSet.FindAllStringSubmatch(out, -1) {
		j.env[m[1]] = m[2]
	}
	raw, err := os.ReadFile(j.env["GITHUB_ENV"])
	if err != nil {
		j.t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			j.env[name] = value
		}
	}
}

// standIns are what stands around ours in the snippets: they do nothing but
// leave the files that the real ones would, from the directory $STANDINS.
var standIns = map[string]string{
	"az": `exit 0`, "kubectl": `exit 0`,
	"docker": `if [[ "$*" == *--metadata-file* ]]; then printf '{"containerimage.digest": "%s"}' "$PUSHED" > build.json; fi`,
	"npx":    `cat "$STANDINS/smoke.xml"`,
	"go":     `cat "$STANDINS/unit.jsonl"`,
	"k6":     `cp "$STANDINS/load.json" "$STANDINS/load.xml" .`,
	"trivy": `while [ $# -gt 1 ]; do
  case $1 in --platform) platform=${2#linux/};; --format) format=$2;; -o) out=$2;; esac
  shift
done
cp "$STANDINS/$format-$platform.json" "$out"`,
}

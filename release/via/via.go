package via

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/forge"
)

// Order is what a pipeline is asked to do. Its fields are the inputs of the
// workflow, or the parameters of the pipeline, under the names of inputs.
type Order struct {
	Action       string        // promote or rollback
	Service      string        // as the configuration names it
	Digest       digest.Digest // what the channel shall point at
	Expect       string        // the prod digest that was seen, or "none"
	Operation    string        // the id of the operation: the run's name must carry it
	AskedBy      string        // who asked, for people: the pipeline knows better
	Reason       string
	Overrides    []string // gates to go past
	NoQuarantine bool     // of a rollback
}

// inputs are all values that are not empty. Azure Pipelines refuses empty ones.
func (o Order) inputs() map[string]string {
	in := map[string]string{
		"action": o.Action, "service": o.Service, "digest": o.Digest.String(), "expect": o.Expect, "operation": o.Operation,
		"asker": o.AskedBy, "reason": o.Reason, "overrides": strings.Join(o.Overrides, " "),
	}
	if o.NoQuarantine {
		in["quarantine"] = "no"
	}
	for name, v := range in {
		if strings.TrimSpace(v) == "" {
			delete(in, name)
		}
	}
	return in
}

// Run is one run of a pipeline.
type Run struct {
	ID   string `json:"id,omitempty"`   // "": not known yet
	Link string `json:"link,omitempty"` // for people
}

// Result is how a run ended.
type Result string

// The results; a run that goes on has none.
const (
	Running   Result = ""
	Succeeded Result = "succeeded"
	Failed    Result = "failed" // or timed out, or never started
	Cancelled Result = "cancelled"
)

// Status is what a run says now. All texts are clean.
type Status struct {
	Run
	State  string // in words: queued, waiting for an approval, running, or how it ended
	Result Result
	Steps  []Step
}

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done" // or skipped
	StepFailed  StepState = "failed"
)

// Step is one step of a run.
type Step struct {
	Name  string
	State StepState
	Exit  int // the exit code of a failed step, 0 if it is not known
}

// Failed is the first failed step, and whether there is one.
func (s Status) Failed() (Step, bool) {
	for _, st := range s.Steps {
		if st.State == StepFailed {
			return st, true
		}
	}
	return Step{}, false
}

// Pipeline is one pipeline that can be asked. Safe for concurrent use.
type Pipeline interface {
	// Name is how people call it.
	Name() string
	// Page is where people see its runs.
	Page() string
	// Dispatch asks for a run. The answer may name none: then Find finds it. After
	// an error that Unsent does not know, a run may appear all the same.
	Dispatch(ctx context.Context, o Order) (Run, error)
	// Find looks for the run that carries the order's operation, among those that
	// were made since then.
	Find(ctx context.Context, o Order, since time.Time) (run Run, found bool, err error)
	// Look asks how a run stands.
	Look(ctx context.Context, run Run) (Status, error)
	// Cancel asks for the end of a run; it ends some time later, or not.
	Cancel(ctx context.Context, run Run) error
	// Close drops connections and tokens.
	Close()
}

// Name is how people call the pipeline of a configuration.
func Name(v *config.Via) string {
	if v.GitHub != nil {
		return v.GitHub.Repository + " " + v.GitHub.Workflow + " on GitHub"
	}
	return v.Azure.Project + " " + v.Azure.Pipeline + " in Azure Pipelines"
}

// Options is what pipelines are asked with. Zero values are fine, but for Trusted.
type Options struct {
	// Trusted tells whether the configuration was named or accepted by a person:
	// another dispatches nothing, and nobody gets a token for it.
	Trusted bool
	Now     func() time.Time // nil: time.Now
	Environ []string         // nil: os.Environ(); tokens are read from it
	Dir     string           // where gh and az are started
	Secrets func() []string  // further variables that gh and az must not see
	Roots   *x509.CertPool   // who may sign for servers; nil: whom the system trusts
	Version string           // of this program, for the servers' logs
}

// Open makes the pipeline that a configuration names. It asks nothing.
func Open(v *config.Via, o Options) (Pipeline, error) {
	if !o.Trusted {
		return nil, fault.New(fault.Usage, "read the file, then accept it with: plimsoll trust", nil,
			"the configuration was found, not named, and is not trusted yet: it dispatches no pipeline")
	}
	if v == nil {
		return nil, fault.New(fault.Usage, "name it under registries: {HOST: {via: …}}", nil, "the registry has no pipeline (via) in the configuration")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	c := caller{
		now: o.Now, agent: "plimsoll/" + o.Version,
		tokens: &forge.Tokens{Now: o.Now, Environ: o.Environ, Dir: o.Dir, Secrets: o.Secrets},
		transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 256 << 10,
			TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		},
	}
	if v.GitHub != nil {
		return newGitHub(*v.GitHub, c), nil
	}
	return newAzure(*v.Azure, c), nil
}

// Close drops connections and tokens.
func (c caller) Close() {
	c.transport.CloseIdleConnections()
	c.tokens.Forget()
}

// exited is what runners write of a program that failed: "Process completed with
// exit code 3." at GitHub, "Bash exited with code '3'." in Azure Pipelines.
var exited = regexp.MustCompile(`exit(?:ed with)? code '?(\d{1,3})\b`)

// exitOf is the exit code that a message of a runner tells, 0 if it tells none.
func exitOf(message string) int {
	m := exited.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // three digits
	return n
}

// maxSteps is how many steps of a run are shown.
const maxSteps = 60

// text is text from outside, for people.
func text(s string) string { return clean.Text(clean.Redact(s)) }

// worse prefers the run that goes on or went well, of two of one operation.
func worse(a, b Result) bool { return rank(a) > rank(b) }

func rank(r Result) int {
	switch r {
	case Succeeded:
		return 0
	case Running:
		return 1
	case Failed, Cancelled:
	}
	return 2
}

// stateWords says how a run stands.
func stateWords(r Result, state string) string {
	if r != Running {
		return string(r)
	}
	switch state {
	case "in_progress", "inProgress":
		return "running"
	case "waiting":
		return "waiting for an approval"
	case "cancelling":
		return "being cancelled"
	case "queued", "requested", "pending", "notStarted", "postponed":
		return "queued"
	}
	return fmt.Sprintf("in the state %s", text(state))
}

// Inside tells whether this process is a job of that pipeline itself, by what the
// runner says of its surroundings: it must not ask itself.
func Inside(v *config.Via, environ []string) bool {
	said := func(name string) string {
		for _, entry := range environ {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
	switch {
	case v == nil:
		return false
	case v.GitHub != nil:
		return strings.HasPrefix(strings.ToLower(said("GITHUB_WORKFLOW_REF")), strings.ToLower(v.GitHub.Repository+"/.github/workflows/"+v.GitHub.Workflow+"@"))
	}
	here := said("BUILD_DEFINITIONNAME") == v.Azure.Pipeline || said("SYSTEM_DEFINITIONID") == v.Azure.Pipeline
	return v.Azure.Pipeline != "" && here && said("SYSTEM_TEAMPROJECT") == v.Azure.Project
}

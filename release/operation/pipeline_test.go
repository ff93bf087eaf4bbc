package operation

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release/via/viatest"
	"plimsoll/store"
)

// The users of the registries: everybody's, and the pipeline's, which alone may write prod.
const (
	viewer, robot = "viewer", "release-pipeline"
	runnerAgent   = "the-runner"
)

// doorman stands before the registries: he lets the viewer look, and the robot
// write, and remembers who was there from which machine.
type doorman struct {
	mu   sync.Mutex
	seen map[string]int // "machine user method-kind"
}

func (d *doorman) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		agent := q.Header.Get("User-Agent")
		if agent != machine && agent != runnerAgent || strings.HasPrefix(q.URL.Path, "/v2/team/") {
			next.ServeHTTP(w, q)
			return
		}
		user, password, ok := q.BasicAuth()
		kind := "writes"
		if q.Method == http.MethodGet || q.Method == http.MethodHead {
			kind = "reads"
		}
		if !ok {
			user = "nobody"
		}
		d.mu.Lock()
		d.seen[agent+" "+user+" "+kind]++
		d.mu.Unlock()
		switch {
		case !ok || password != "secret-of-"+user:
			w.Header().Set("WWW-Authenticate", `Basic realm="prod"`)
			w.WriteHeader(http.StatusUnauthorized)
		case kind == "writes" && user != robot:
			w.WriteHeader(http.StatusForbidden)
		default:
			next.ServeHTTP(w, q)
		}
	})
}

// relay is a world whose prod only a pipeline may write.
type relay struct {
	*world
	door    *doorman
	forge   *viatest.Server
	key     evidence.Signer // of the pipeline
	theirs  *verdicts       // its judge
	before  func(ctx context.Context, in map[string]string) (code int, stop bool)
	said    []error // how its operations ended
	reports []Progress
	mu      sync.Mutex
}

// byAzure is Azure Pipelines in place of GitHub.
const byAzure = true

func newRelay(t *testing.T, azure ...bool) *relay {
	t.Helper()
	r := &relay{door: &doorman{seen: map[string]int{}}, key: newSigner(t)}
	for _, name := range []string{viewer, robot} {
		t.Setenv(strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_SECRET", "secret-of-"+name)
	}
	r.world = newWorld(t, func(_ *world, o *embedded.Options) {
		inner := o.Wrap
		o.Wrap = func(h http.Handler) http.Handler { return r.door.wrap(inner(h)) }
	})
	r.theirs = &verdicts{judgement: r.judge.judgement}
	var v *config.Via
	if len(azure) > 0 {
		r.forge = viatest.NewAzure(t, r.job)
		v = r.forge.Azure()
	} else {
		r.forge = viatest.NewGitHub(t, r.job)
		v = r.forge.GitHub()
	}
	v.People = map[string]string{"octocat": "owner@example.com"}
	r.config.Registries = map[string]config.Registry{r.prod.Host: {Host: r.prod.Host, Via: v}}
	owners := r.config.Trust["release-owners"]
	owners.People = append(owners.People, config.Person{ID: robot, Key: config.Key{Public: r.key.Public()}})
	r.config.Trust["release-owners"] = owners
	r.runner = r.laptop()
	return r
}

// laptop is a start of the machine that may not write prod.
func (r *relay) laptop() *Runner {
	return &Runner{
		Config: r.config, Journal: r.journal, Judge: r.judge, Actor: "laptop", Commands: true, Version: "test",
		Client: func(p registry.Purpose) *registry.Client {
			if p != registry.Read {
				r.t.Errorf("a client for %s was made on this machine", p)
			}
			return r.clientOf(machine, p)
		},
		Signer: func(context.Context) (evidence.Signer, string, error) {
			r.t.Error("the key was opened on this machine")
			return nil, "", errors.New("no key")
		},
		Person:  func() string { return "owner@example.com" },
		Environ: viatest.Environ(), Roots: r.forge.Roots, pause: shortly,
	}
}

// shortly is a pause for tests that have somebody else to wait for.
func shortly(ctx context.Context, _ time.Duration) error {
	t := time.NewTimer(2 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func (r *relay) clientOf(agent string, p registry.Purpose) *registry.Client {
	of := func(name string) *config.Identity {
		return &config.Identity{Username: name, PasswordEnv: strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_SECRET"}
	}
	c := registry.New(registry.Options{Purpose: p, UserAgent: agent, Registries: func(host string) config.Registry {
		entry := config.Registry{Host: host, PlainHTTP: true, Listed: true, Read: of(viewer)}
		if agent == runnerAgent {
			entry.Promote = of(robot)
		}
		return entry
	}})
	r.t.Cleanup(c.Close)
	return c
}

// job is plimsoll in the pipeline, under its identity, with an empty state directory.
func (r *relay) job(ctx context.Context, in map[string]string) int {
	if r.before != nil {
		if code, stop := r.before(ctx, in); stop {
			return code
		}
	}
	db, err := store.Open(memoryDir(r.t))
	if err != nil {
		r.t.Error(err)
		return 1
	}
	run := &Runner{
		Config: r.config, Journal: db, Judge: r.theirs, Actor: "runner", Commands: true, Version: "test", pause: shortly,
		Client:  func(p registry.Purpose) *registry.Client { return r.clientOf(runnerAgent, p) },
		Signer:  func(context.Context) (evidence.Signer, string, error) { return r.key, robot, nil },
		Environ: []string{"GITHUB_WORKFLOW_REF=acme/release/.github/workflows/promote.yml@refs/heads/main"},
	}
	asked := Asked{RequestedBy: []string{"octocat"}, Operation: in["operation"]}
	if in["action"] == ActionRollback {
		_, err = run.Rollback(ctx, RollbackRequest{
			Service: in["service"], Digest: digest.Digest(in["digest"]), Expect: in["expect"], Reason: in["reason"], NoQuarantine: in["quarantine"] == "no", Asked: asked,
		}, nil)
	} else {
		_, err = run.Promote(ctx, PromoteRequest{
			Service: in["service"], Digest: digest.Digest(in["digest"]), Expect: in["expect"], Reason: in["reason"], Overrides: strings.Fields(in["overrides"]), Asked: asked,
		}, nil)
	}
	r.mu.Lock()
	r.said = append(r.said, err)
	r.mu.Unlock()
	return int(fault.CodeOf(err))
}

// ask promotes from the laptop.
func (r *relay) ask(ctx context.Context, d digest.Digest) (Outcome, error) {
	return r.runner.Promote(ctx, PromoteRequest{Service: "chat", Digest: d, Reason: "it is ready"}, func(p Progress) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reports = append(r.reports, p)
	})
}

func (r *relay) mustAsk(d digest.Digest) Outcome {
	r.t.Helper()
	o, err := r.ask(r.t.Context(), d)
	if err != nil {
		r.t.Fatalf("%v (%s); in the pipeline: %v", err, fault.HintOf(err), r.said)
	}
	return o
}

// onlyRead sees to it that this machine never showed prod anything but the read identity.
func (r *relay) onlyRead() {
	r.t.Helper()
	r.door.mu.Lock()
	defer r.door.mu.Unlock()
	for who, n := range r.door.seen {
		if strings.HasPrefix(who, machine+" ") && who != machine+" viewer reads" && who != machine+" nobody reads" {
			r.t.Errorf("%s: %d times", who, n)
		}
	}
	if r.door.seen[machine+" viewer reads"] == 0 {
		r.t.Error("the doorman saw nothing of this machine")
	}
}

// refusedWith sees to it that an operation ended with a code and these words, and left nothing open.
func (r *relay) refusedWith(err error, code fault.Code, says ...string) {
	r.t.Helper()
	if fault.CodeOf(err) != code {
		r.t.Errorf("code %d, not %d: %v", fault.CodeOf(err), code, err)
	}
	for _, s := range says {
		if err == nil || !strings.Contains(err.Error(), s) {
			r.t.Errorf("it does not say %q: %v", s, err)
		}
	}
	if open := r.stillOpen(); len(open) != 0 {
		r.t.Errorf("still open: %+v", open)
	}
	r.onlyRead()
}

func TestAPipelinePromotesAndTheRecordNamesWhoAskedAndWhoDidIt(t *testing.T) {
	for name, azure := range map[string][]bool{"GitHub": nil, "Azure Pipelines": {byAzure}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, azure...)
			one := r.image("v1")
			o := r.mustAsk(one)
			if o.Via == nil || o.Via.ID != "4001" || o.Via.Link == "" || o.Record == nil || r.forge.Dispatches() != 1 {
				t.Fatalf("%+v", o)
			}
			r.finished(o, 1)
			rec := r.records()[0]
			p := rec.Predicate
			if p.Actor.ID != robot || len(p.RequestedBy) != 1 || p.RequestedBy[0].ID != "owner@example.com" || p.Reason != "it is ready" {
				t.Errorf("%+v", p)
			}
			ops, err := r.journal.Operations(false)
			if err != nil || len(ops) != 1 || ops[0].ID != p.Operation || rec.Digest != *o.Record {
				t.Errorf("journal %+v, record of %q, %v", ops, p.Operation, err)
			}
			r.onlyRead()
			r.promotedSteps()
			if again := r.mustAsk(one); !again.Unchanged || r.forge.Dispatches() != 1 {
				t.Errorf("%+v", again)
			}
		})
	}
}

// promotedSteps sees to it that people saw the run: its link and its steps.
func (r *relay) promotedSteps() {
	r.t.Helper()
	linked := slices.ContainsFunc(r.reports, func(p Progress) bool { return p.Run != nil && p.Run.Link != "" })
	moved := slices.ContainsFunc(r.reports, func(p Progress) bool { return p.Moved })
	if !linked || !moved {
		r.t.Errorf("linked %v, moved %v: %+v", linked, moved, r.reports)
	}
}

func TestARunWithoutAnIDIsFoundByItsName(t *testing.T) {
	r := newRelay(t)
	r.forge.Silent()
	r.forge.Hide(3)
	r.forge.Hold()
	one := r.image("v1")
	r.forge.On(func(_ http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/jobs") { // it was found, and is looked at
			for _, run := range r.forge.Runs() {
				run.Release()
			}
			r.forge.On(nil)
		}
		return false
	})
	o := r.mustAsk(one)
	if o.Via.ID != "4001" || r.forge.Dispatches() != 1 {
		t.Errorf("%+v", o.Via)
	}
	r.finished(o, 1)
}

func TestARunThatAGateStopsIsExit3AndProdIsAsItWas(t *testing.T) {
	for name, azure := range map[string][]bool{"GitHub": nil, "Azure Pipelines": {byAzure}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, azure...)
			r.theirs.judgement.Verdict = "blocked"
			one := r.image("v1")
			_, err := r.ask(t.Context(), one)
			r.refusedWith(err, fault.Gate, `failed at "Promote" with exit code 3 (a gate says no)`, "prod has not changed", "4001")
			if r.live() != "" {
				t.Error("prod has changed")
			}
		})
	}
}

func TestProdThatMovesBeforeTheRunIsExit4(t *testing.T) {
	r := newRelay(t)
	one, two, three := r.image("v1"), r.image("v2"), r.image("v3")
	r.mustAsk(one)
	r.mustAsk(two)
	r.before = func(context.Context, map[string]string) (int, bool) {
		r.point(one)
		return 0, false
	}
	_, err := r.ask(t.Context(), three)
	r.refusedWith(err, fault.Moved, "exit code 4 (prod moved since it was shown)", "changed by somebody else meanwhile", short(one))
	if r.live() != one {
		t.Error("what somebody else did was undone")
	}
}

func TestARunThatSomebodyCancelsLeavesProdAsItWas(t *testing.T) {
	r := newRelay(t)
	r.before = func(ctx context.Context, _ map[string]string) (int, bool) {
		r.forge.Runs()[0].Cancel()
		<-ctx.Done()
		return 1, true
	}
	_, err := r.ask(t.Context(), r.image("v1"))
	r.refusedWith(err, fault.Failed, "was cancelled in the pipeline", "prod has not changed")
}

func TestCancellingHereCancelsThePipeline(t *testing.T) {
	for name, azure := range map[string][]bool{"GitHub": nil, "Azure Pipelines": {byAzure}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, azure...)
			ctx, cancel := context.WithCancel(t.Context())
			r.before = func(ctx context.Context, _ map[string]string) (int, bool) {
				cancel()
				<-ctx.Done()
				return 1, true
			}
			_, err := r.ask(ctx, r.image("v1"))
			r.refusedWith(err, fault.Failed, "cancelled before the channel moved; prod has not changed")
			if r.live() != "" {
				t.Error("prod has changed")
			}
		})
	}
}

// Who cancels too late is not told that nothing happened.
func TestCancellingAfterTheChannelMovedFinishes(t *testing.T) {
	r := newRelay(t)
	ctx, cancel := context.WithCancel(t.Context())
	one := r.image("v1")
	r.forge.On(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/cancel") {
			return false
		}
		r.forge.Runs()[0].Release()
		r.forge.Runs()[0].Wait()
		w.WriteHeader(http.StatusConflict)
		return true
	})
	r.forge.Hold()
	go func() {
		for len(r.forge.Runs()) == 0 {
			_ = shortly(t.Context(), 0)
		}
		cancel()
	}()
	o, err := r.ask(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	r.finished(o, 1)
	r.onlyRead()
}

func TestALostDispatchIsFound(t *testing.T) {
	for name, azure := range map[string][]bool{"GitHub": nil, "Azure Pipelines": {byAzure}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, azure...)
			r.forge.Lose()
			r.forge.Hide(2)
			o := r.mustAsk(r.image("v1"))
			r.finished(o, 1)
			if r.forge.Dispatches() != 1 || len(r.forge.Runs()) != 1 {
				t.Errorf("%d dispatches", r.forge.Dispatches())
			}
		})
	}
}

// drop lets dispatches not arrive, and be answered as if they might have.
func (r *relay) drop() {
	r.forge.On(func(w http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/dispatches") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
}

// An order whose answer was lost, and that no run carries, stays open: it is
// never sent again, and after long it counts as never taken.
func TestAnOrderThatNobodySawIsKeptOpenAndNeverSentTwice(t *testing.T) {
	r := newRelay(t)
	r.drop()
	one := r.image("v1")
	for range 2 {
		_, err := r.ask(t.Context(), one)
		if fault.CodeOf(err) != fault.Unfinished || !strings.Contains(err.Error(), "not known yet") {
			t.Fatalf("%v", err)
		}
	}
	if open := r.stillOpen(); r.forge.Dispatches() != 1 || len(open) != 1 || open[0].Prod != Unknown {
		t.Errorf("%d dispatches, open %+v", r.forge.Dispatches(), open)
	}
	r.runner.Now = func() time.Time { return time.Now().Add(lostAfter + time.Minute) }
	_, err := r.ask(t.Context(), one)
	r.refusedWith(err, fault.Failed, "the order was lost", "prod has not changed")
	r.forge.On(nil)
	r.runner.Now = nil
	r.finished(r.mustAsk(one), 1)
}

// Nor does another promotion start beside it, as long as it may still be taken.
func TestAnotherPromotionWaitsUntilALostOrderIsCertain(t *testing.T) {
	r := newRelay(t)
	r.drop()
	_, _ = r.ask(t.Context(), r.image("v1"))
	two := r.image("v2")
	if _, err := r.ask(t.Context(), two); fault.CodeOf(err) != fault.Unfinished || !strings.Contains(err.Error(), "could not be ended") || r.forge.Dispatches() != 1 {
		t.Errorf("%v", err)
	}
	r.forge.On(nil)
	r.runner.Now = func() time.Time { return time.Now().Add(lostAfter + time.Minute) }
	o, err := r.ask(t.Context(), two)
	if err != nil {
		t.Fatal(err)
	}
	r.finished(o, 1)
}

func TestAPipelineThatRefusesTheOrderLeavesNothingOpen(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		code   fault.Code
		says   string
	}{
		"inputs":     {http.StatusUnprocessableEntity, `{"message":"Unexpected inputs provided: [\"expect\"]"}`, fault.Usage, "Unexpected inputs"},
		"no right":   {http.StatusForbidden, `{"message":"Resource not accessible by personal access token"}`, fault.Refused, "Resource not accessible"},
		"rate limit": {http.StatusForbidden, `{"message":"You have exceeded a secondary rate limit"}`, fault.Failed, "rate limit is reached"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			r.forge.On(func(w http.ResponseWriter, q *http.Request) bool {
				if !strings.HasSuffix(q.URL.Path, "/dispatches") {
					return false
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			})
			_, err := r.ask(t.Context(), r.image("v1"))
			r.refusedWith(err, c.code, c.says, "prod has not changed")
		})
	}
}

func TestAPipelineDoesNotAskItself(t *testing.T) {
	r := newRelay(t)
	r.runner.Environ = append(r.runner.Environ, "GITHUB_WORKFLOW_REF=Acme/release/.github/workflows/promote.yml@refs/heads/main")
	_, err := r.ask(t.Context(), r.image("v1"))
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "it would ask itself") || r.forge.Dispatches() != 0 {
		t.Errorf("%v", err)
	}
}

func TestAFoundConfigurationAsksNoPipeline(t *testing.T) {
	r := newRelay(t)
	r.runner.Commands = false
	_, err := r.ask(t.Context(), r.image("v1"))
	r.refusedWith(err, fault.Usage, "not trusted yet")
	if len(r.forge.Requests()) != 0 {
		t.Errorf("%v", r.forge.Requests())
	}
}

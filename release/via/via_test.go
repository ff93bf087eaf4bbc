package via_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/release/forge"
	"plimsoll/release/via"
	"plimsoll/release/via/viatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var wanted = via.Order{
	Action: "promote", Service: "chat", Digest: digest.FromString("image"), Expect: "none", Operation: "20261129T184908.000001Z-ABCDEF",
	AskedBy: "owner@example.com", Reason: `"; rm -rf / #`, Overrides: []string{"freeze", "soak"}, NoQuarantine: true,
}

// forges are both, with the same runner.
func forges(t *testing.T, job viatest.Job, story func(t *testing.T, s *viatest.Server, p via.Pipeline)) {
	for name, start := range map[string]func(testing.TB, viatest.Job) *viatest.Server{"GitHub": viatest.NewGitHub, "Azure Pipelines": viatest.NewAzure} {
		t.Run(name, func(t *testing.T) {
			s := start(t, job)
			v := s.GitHub()
			if name != "GitHub" {
				v = s.Azure()
			}
			story(t, s, open(t, s, v))
		})
	}
}

func open(t *testing.T, s *viatest.Server, v *config.Via) via.Pipeline {
	t.Helper()
	p, err := via.Open(v, via.Options{Trusted: true, Environ: viatest.Environ(), Dir: t.TempDir(), Roots: s.Roots, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func exits(code int) viatest.Job {
	return func(context.Context, map[string]string) int { return code }
}

// untilCancelled is a job that goes on until somebody ends it.
func untilCancelled(ctx context.Context, _ map[string]string) int {
	<-ctx.Done()
	return 1
}

func ended(t *testing.T, s *viatest.Server, p via.Pipeline, run via.Run) via.Status {
	t.Helper()
	for _, r := range s.Runs() {
		r.Wait()
	}
	st, err := p.Look(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestARunIsDispatchedWithTheWholeOrderAndFollowed(t *testing.T) {
	forges(t, exits(0), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		s.Hold()
		run, err := p.Dispatch(t.Context(), wanted)
		if err != nil || run.ID != "4001" || !strings.HasPrefix(run.Link, "https://") {
			t.Fatalf("%+v, %v", run, err)
		}
		want := map[string]string{
			"action": "promote", "service": "chat", "digest": wanted.Digest.String(), "expect": "none", "operation": wanted.Operation,
			"asker": "owner@example.com", "reason": wanted.Reason, "overrides": "freeze soak", "quarantine": "no",
		}
		if got := s.Runs()[0].Inputs; !reflect.DeepEqual(got, want) {
			t.Errorf("%v", got)
		}
		st, err := p.Look(t.Context(), run)
		if err != nil || st.State != "queued" || st.Result != via.Running {
			t.Errorf("%+v, %v", st, err)
		}
		s.Runs()[0].Release()
		st = ended(t, s, p, run)
		last := st.Steps[len(st.Steps)-1]
		if st.Result != via.Succeeded || last != (via.Step{Name: "Promote", State: via.StepDone}) || st.Run != run {
			t.Errorf("%+v", st)
		}
	})
}

func TestAFailedStepTellsItsExitCode(t *testing.T) {
	forges(t, exits(3), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		run, err := p.Dispatch(t.Context(), wanted)
		if err != nil {
			t.Fatal(err)
		}
		st := ended(t, s, p, run)
		if step, ok := st.Failed(); !ok || step.Name != "Promote" || step.Exit != 3 || st.Result != via.Failed {
			t.Errorf("%+v", st)
		}
	})
}

func TestARunIsCancelled(t *testing.T) {
	forges(t, untilCancelled, func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		run, err := p.Dispatch(t.Context(), wanted)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Cancel(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if st := ended(t, s, p, run); st.Result != via.Cancelled || st.State != "cancelled" {
			t.Errorf("%+v", st)
		}
		if err := p.Cancel(t.Context(), run); err != nil { // it has ended: nothing to do
			t.Error(err)
		}
	})
}

func TestARunIsFoundByTheOperationInItsName(t *testing.T) {
	forges(t, exits(0), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		since := time.Now()
		s.Silent()
		s.Hide(2)
		other := wanted
		other.Operation = "20261129T184908.000002Z-OTHERS"
		for _, o := range []via.Order{wanted, other} {
			if _, err := p.Dispatch(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 3 {
			run, found, err := p.Find(t.Context(), wanted, since)
			if err != nil || found != (n == 2) || found && run.ID != "4001" {
				t.Errorf("%d: %+v, %v, %v", n, run, found, err)
			}
		}
		if _, found, err := p.Find(t.Context(), wanted, since.Add(time.Hour)); err != nil || found {
			t.Errorf("a run of long before was found: %v", err)
		}
	})
}

func TestARunWhoseNameDoesNotCarryTheOperationIsNotTakenForOurs(t *testing.T) {
	forges(t, exits(0), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		s.Nameless()
		if _, err := p.Dispatch(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		if _, found, err := p.Find(t.Context(), wanted, time.Now()); err != nil || found {
			t.Errorf("%v, %v", found, err)
		}
	})
}

// A reason is signed and kept: no variable of the pipeline may get into it.
func TestAzurePipelinesIsSentNothingThatItWouldExpand(t *testing.T) {
	s := viatest.NewAzure(t, exits(0))
	o := wanted
	o.Reason = "see $(plimsollKeyPassword)"
	if _, err := open(t, s, s.Azure()).Dispatch(t.Context(), o); fault.CodeOf(err) != fault.Usage || !via.Unsent(err) || len(s.Requests()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestAnEnterpriseServerThatDoesNotKnowRunDetailsIsAskedWithout(t *testing.T) {
	s := viatest.NewGitHub(t, exits(0))
	s.Old()
	run, err := open(t, s, s.GitHub()).Dispatch(t.Context(), wanted)
	if err != nil || run.ID != "" || len(s.Runs()) != 1 {
		t.Errorf("%+v, %v, %d runs", run, err, len(s.Runs()))
	}
}

// What a failed dispatch means: certainly nothing, or perhaps a run.
func TestAFailedDispatchSaysWhetherSomethingMayHaveBegun(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter)
		code    fault.Code
		unsent  bool
		limited bool
	}{
		"bad token":     {status(401), fault.Refused, true, false},
		"no right":      {status(403), fault.Refused, true, false},
		"not there":     {status(404), fault.Refused, true, false},
		"redirect":      {status(302), fault.Failed, true, false},
		"too often":     {status(429), fault.Failed, true, true},
		"rate limit":    {status(403, "X-Ratelimit-Remaining", "0"), fault.Failed, true, true},
		"not available": {status(503, "Retry-After", "60"), fault.Failed, false, true},
		"broken":        {status(500), fault.Failed, false, false},
		"gateway":       {status(502), fault.Failed, false, false},
		"timeout":       {status(408), fault.Failed, false, false},
		"cut off":       {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, fault.Failed, false, false},
		"endless":       {endless, fault.Failed, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			forges(t, exits(0), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
				s.On(func(w http.ResponseWriter, q *http.Request) bool {
					if q.Method == http.MethodPost {
						c.answer(w)
						return true
					}
					return false
				})
				_, err := p.Dispatch(t.Context(), wanted)
				if via.Unsent(err) != c.unsent {
					t.Errorf("unsent %v: %v", via.Unsent(err), err)
				}
				if _, limited := find[forge.Limited](err); limited != c.limited {
					t.Errorf("limited %v: %v", limited, err)
				}
				if code := fault.CodeOf(err); code != c.code && (name != "redirect" || code != fault.Refused) {
					t.Errorf("code %d: %v", code, err)
				}
				if len(s.Runs()) != 0 || strings.Contains(err.Error(), viatest.Token) {
					t.Errorf("%d runs: %v", len(s.Runs()), err)
				}
			})
		})
	}
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", "https://evil.example.com/")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"message":"\u001b[31mno"}`))
	}
}

func endless(w http.ResponseWriter) {
	for range 9 {
		if _, err := w.Write([]byte(strings.Repeat(" ", 1<<20))); err != nil {
			return
		}
	}
}

// find is the first error of a type in a chain.
func find[E error](err error) (e E, ok bool) {
	for err != nil {
		if e, ok = err.(E); ok { //nolint:errorlint // this walks the chain itself
			return e, true
		}
		u, wraps := err.(interface{ Unwrap() error }) //nolint:errorlint // as above
		if !wraps {
			break
		}
		err = u.Unwrap()
	}
	return e, false
}

func TestALostAnswerIsARunThatIsFound(t *testing.T) {
	forges(t, exits(0), func(t *testing.T, s *viatest.Server, p via.Pipeline) {
		s.Lose()
		_, err := p.Dispatch(t.Context(), wanted)
		if err == nil || via.Unsent(err) {
			t.Fatalf("%v", err)
		}
		if run, found, err := p.Find(t.Context(), wanted, time.Now()); err != nil || !found || run.ID != "4001" {
			t.Errorf("%+v, %v, %v", run, found, err)
		}
	})
}

func TestAServerThatCannotBeReachedDispatchedNothing(t *testing.T) {
	forges(t, exits(0), func(t *testing.T, s *viatest.Server, _ via.Pipeline) {
		gone := httptest.NewTLSServer(nil)
		gone.Close()
		for name, v := range map[string]*config.Via{
			"GitHub": {GitHub: &config.GitHubWorkflow{API: gone.URL, Repository: "acme/release", Workflow: "promote.yml", Ref: "main", TokenEnv: viatest.Variable}},
			"Azure":  {Azure: &config.AzurePipeline{URL: gone.URL + "/acme", Project: "release", Pipeline: "7", Branch: "main", TokenEnv: viatest.Variable}},
		} {
			if _, err := open(t, s, v).Dispatch(t.Context(), wanted); !via.Unsent(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTheSignInPageOfAzureDevOpsIsARefusal(t *testing.T) {
	s := viatest.NewAzure(t, exits(0))
	p, err := via.Open(s.Azure(), via.Options{Trusted: true, Environ: []string{viatest.Variable + "=old"}, Roots: s.Roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	_, err = p.Dispatch(t.Context(), wanted)
	_, look := p.Look(t.Context(), via.Run{ID: "4001"})
	if fault.CodeOf(err) != fault.Refused || !via.Unsent(err) || fault.CodeOf(look) != fault.Refused {
		t.Errorf("%v; %v", err, look)
	}
}

func TestAPipelineIsNotOpenedForAConfigurationThatNobodyAccepted(t *testing.T) {
	s := viatest.NewGitHub(t, exits(0))
	for name, v := range map[string]*config.Via{"not trusted": s.GitHub(), "none": nil} {
		if _, err := via.Open(v, via.Options{Trusted: v == nil}); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAJobOfThePipelineKnowsThatItIsInside(t *testing.T) {
	s := viatest.NewGitHub(t, exits(0))
	for name, c := range map[string]struct {
		v       *config.Via
		environ []string
		inside  bool
	}{
		"the workflow":         {s.GitHub(), []string{"GITHUB_WORKFLOW_REF=Acme/Release/.github/workflows/promote.yml@refs/heads/main"}, true},
		"another workflow":     {s.GitHub(), []string{"GITHUB_WORKFLOW_REF=acme/release/.github/workflows/e2e.yml@refs/heads/main"}, false},
		"another repository":   {s.GitHub(), []string{"GITHUB_WORKFLOW_REF=acme/chat/.github/workflows/promote.yml@refs/heads/main"}, false},
		"a laptop":             {s.GitHub(), nil, false},
		"the pipeline":         {s.Azure(), []string{"BUILD_DEFINITIONNAME=promote", "SYSTEM_TEAMPROJECT=release"}, true},
		"another pipeline":     {s.Azure(), []string{"BUILD_DEFINITIONNAME=e2e", "SYSTEM_TEAMPROJECT=release"}, false},
		"of another project":   {s.Azure(), []string{"BUILD_DEFINITIONNAME=promote", "SYSTEM_TEAMPROJECT=chat"}, false},
		"no pipeline is known": {nil, []string{"GITHUB_WORKFLOW_REF=acme/release/.github/workflows/promote.yml@refs/heads/main"}, false},
	} {
		if got := via.Inside(c.v, c.environ); got != c.inside {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPeopleAreShownWhereRunsAre(t *testing.T) {
	var pages []string
	for _, api := range []string{"https://api.github.com", "https://api.acme.ghe.com", "https://github.example.com/api/v3"} {
		p, err := via.Open(&config.Via{GitHub: &config.GitHubWorkflow{API: api, Repository: "acme/release", Workflow: "promote.yml"}}, via.Options{Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, strings.TrimSuffix(p.Page(), "/acme/release/actions/workflows/promote.yml"))
	}
	if want := []string{"https://github.com", "https://acme.ghe.com", "https://github.example.com"}; !slices.Equal(pages, want) {
		t.Errorf("%v", pages)
	}
}

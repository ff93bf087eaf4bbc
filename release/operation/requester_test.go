package operation

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

// askedFor promotes as a pipeline does, for whom it names.
func (w *world) askedFor(d digest.Digest, names ...string) (Outcome, error) {
	return w.runner.Promote(w.t.Context(), PromoteRequest{
		Service: "chat", Digest: d, Reason: "it is ready", Asked: Asked{RequestedBy: names, Operation: "20261129T184908.000001Z-ABCDEF"},
	}, nil)
}

// known gives prod's registry the names under which GitHub knows people of trust.
func known(w *world) {
	w.config.Registries = map[string]config.Registry{w.prod.Host: {Host: w.prod.Host, Via: &config.Via{
		GitHub: &config.GitHubWorkflow{Repository: "acme/release", Workflow: "promote.yml"}, People: map[string]string{"octocat": "owner@example.com"},
	}}}
}

func TestARecordOfAPipelineNamesWhoAskedAndTheirOperation(t *testing.T) {
	w := newWorld(t)
	known(w)
	o, err := w.askedFor(w.image("v1"), "OctoCat", "owner@example.com", "hubot")
	if err != nil {
		t.Fatal(err)
	}
	p := w.records()[0].Predicate
	var asked []string
	for _, id := range p.RequestedBy {
		asked = append(asked, id.ID)
	}
	want := []string{"owner@example.com", "hubot"}
	if !slices.Equal(asked, want) || !slices.Equal(o.RequestedBy, want) || p.Operation != "20261129T184908.000001Z-ABCDEF" {
		t.Errorf("record %v %q, outcome %v", asked, p.Operation, o.RequestedBy)
	}
}

func TestWhoAskedForAnOverrideNeedsTheRightThemselves(t *testing.T) {
	w := newWorld(t)
	known(w)
	freezing(w)
	one := w.image("v1")
	ask := func(name string) error {
		_, err := w.runner.Promote(t.Context(), PromoteRequest{
			Service: "chat", Digest: one, Reason: "it burns", Overrides: []string{gates.FreezeGate}, Asked: Asked{RequestedBy: []string{name}},
		}, nil)
		return err
	}
	if err := ask("hubot"); fault.CodeOf(err) != fault.Gate || !strings.Contains(err.Error(), "hubot, who asked") {
		t.Errorf("%v", err)
	}
	if w.live() != "" || w.judge.judged != 0 {
		t.Error("it was judged, or prod has changed")
	}
	if err := ask("octocat"); err != nil {
		t.Error(err)
	}
}

// Who asks may not sign off: so it has to be known who in trust that is.
func TestAnAskerThatTrustDoesNotKnowIsRefusedWherePromotersMayNotSignOff(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Gates.SignOff = &config.SignOffGate{Quorum: 1, When: config.Always, NotPromoter: true}
	one := w.image("v1")
	_, err := w.askedFor(one, "octocat")
	if fault.CodeOf(err) != fault.Gate || !strings.Contains(fault.HintOf(err), "via: {people: {octocat: ID}}") || w.live() != "" {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	known(w)
	if _, err := w.askedFor(one, "octocat"); err != nil {
		t.Error(err)
	}
}

func TestWhatNoPipelinePassesIsRefused(t *testing.T) {
	w := newWorld(t)
	one := w.image("v1")
	for name, a := range map[string]Asked{
		"an operation of nobody": {Operation: "20261129T184908.000001Z-ABCDEF"},
		"no id":                  {Operation: "x; rm -rf /", RequestedBy: []string{"octocat"}},
		"a blank name":           {RequestedBy: []string{" "}},
		"a crowd":                {RequestedBy: []string{"a", "b", "c", "d", "e", "f"}},
	} {
		_, err := w.runner.Promote(t.Context(), PromoteRequest{Service: "chat", Digest: one, Asked: a}, nil)
		_, back := w.runner.Rollback(t.Context(), RollbackRequest{Service: "chat", Asked: a}, nil)
		if fault.CodeOf(err) != fault.Usage || fault.CodeOf(back) != fault.Usage {
			t.Errorf("%s: %v, %v", name, err, back)
		}
	}
}

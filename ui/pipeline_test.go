package ui

import (
	"context"
	"testing"

	"plimsoll/config/fault"
	"plimsoll/release"
	"plimsoll/release/operation"
	"plimsoll/release/via"
)

const (
	pipelineName = "acme/release promote.yml on GitHub"
	runLink      = "https://github.com/acme/release/actions/runs/4001"
)

// following is a report while a pipeline's run is followed.
func following(state string, steps ...via.Step) release.Progress {
	return release.Progress{
		Step: "follow its run until the channel moves", Index: 1, Steps: []string{"ask the pipeline", "follow its run until the channel moves", "wait for its record"},
		Run: &via.Status{Run: via.Run{ID: "4001", Link: runLink}, State: state, Steps: steps},
	}
}

// piped is a desk whose prod only a pipeline may write.
func piped(t *testing.T) *fake {
	desk := newFake(t)
	desk.through = map[string]string{"promote": pipelineName, "rollback": pipelineName}
	return desk
}

func TestBeforeAnybodyConfirmsTheyReadThatAPipelineDoesIt(t *testing.T) {
	d := start(t, piped(t))
	d.press("p").sees("promote to PROD", "a pipeline, under its own identity", pipelineName).press("esc")
	d.press("b").sees("v1.40.0").press("b").sees("roll PROD back", pipelineName).press("esc")
	start(t, newFake(t)).press("p").seesNot("pipeline")
}

func TestTheRunOfAPipelineIsShownWithItsLinkAndSteps(t *testing.T) {
	d, s := promoting(t, piped(t), following("running", via.Step{Name: "Sign in to Azure", State: via.StepDone}, via.Step{Name: "Promote", State: via.StepRunning}))
	d.sees("… follow its run until the channel moves", "run         running", runLink, "✓ Sign in to Azure", "… Promote", "it can still be cancelled")
	d.send(operationNews{id: 1, progress: following("failed", via.Step{Name: "\x1b[31mPromote", State: via.StepFailed, Exit: 3})})
	d.sees("run         failed", "Promote (exit code 3)")
	s.end <- fault.New(fault.Gate, "", nil, "its run failed at \"Promote\" with exit code 3 (a gate says no); prod has not changed")
	over(d)
	d.sees("the promotion failed, prod is unchanged: its run failed", runLink)
}

func TestCancellingAPipelineSaysThatItTakesAMoment(t *testing.T) {
	d, _ := promoting(t, piped(t), following("running"))
	d.press("c").sees("The pipeline is asked to cancel its run").press("y").sees("it takes a moment until prod is certain")
	over(d)
}

func TestWhatIsNotCertainIsNotCalledMoved(t *testing.T) {
	d, s := promoting(t, piped(t), following("not to be seen yet"))
	s.end <- fault.New(fault.Unfinished, "", nil, "the pipeline was asked, and how that ends is not known yet")
	over(d)
	d.sees("whether prod has moved is not known yet: the pipeline was asked")
}

func TestTheEndOfAPipelinesRunKeepsItsLink(t *testing.T) {
	desk := piped(t)
	desk.operate = func(context.Context, func(release.Progress)) (release.Outcome, error) {
		return release.Outcome{Action: "promote", Service: "chat-api", Digest: ready0, Via: &via.Run{ID: "4001", Link: runLink}}, nil
	}
	start(t, desk).press("p", "chat-api", "enter").sees("✓ promoted chat-api", runLink).seesNot("mounted")
}

func TestAnOpenOrderShowsItsRun(t *testing.T) {
	desk := piped(t)
	desk.pending = []operation.Pending{{ID: "op-1", Service: "chat-api", Action: "promote", Digest: ready0, Started: noon, Step: "follow its run", Prod: operation.Unknown, Run: runLink}}
	start(t, desk).press("e").sees("unfinished promote of chat-api", runLink)
}

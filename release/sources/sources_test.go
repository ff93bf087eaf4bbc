package sources

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/store"
)

// passing is a lab with a source whose answers are kept for a minute.
func passing(t *testing.T) (*server, config.Source) {
	t.Helper()
	s := says(t, 200, `{"run":{"state":"ok","passed":1,"total":1,"end":"2026-11-24T11:00:00Z"}}`)
	c := labSource(s)
	c.Keep = time.Minute
	return s, c
}

func (w *world) list() []gates.Answer { return w.Ask(w.t.Context(), []string{"ci"}, question(), false) }

func TestAKeptAnswerIsShownWithItsAgeAndNeverDecides(t *testing.T) {
	s, c := passing(t)
	w := over(t, c, s)
	w.list()
	w.now = today.Add(59 * time.Second)
	if a := w.answer(w.list(), ""); !a.Asked.Equal(today) || len(s.requests()) != 1 {
		t.Errorf("%+v after %d requests", a, len(s.requests()))
	}
	if a := w.answer(w.ask(), ""); !a.Asked.Equal(w.now) || len(s.requests()) != 2 {
		t.Errorf("a verdict took a kept answer: %+v", a)
	}
	w.now = w.now.Add(time.Minute)
	if a := w.answer(w.list(), ""); !a.Asked.Equal(w.now) || len(s.requests()) != 3 {
		t.Errorf("%+v", a)
	}
	w.now = today // the clock went back
	if w.list(); len(s.requests()) != 4 {
		t.Error("an answer from the future was kept")
	}
}

func TestTheLastLookTakesAnAnswerOfTheLastMoments(t *testing.T) {
	s, c := passing(t)
	c.Keep = time.Hour
	w := over(t, c, s)
	w.ask()
	within := func() { w.Within(t.Context(), []string{"ci"}, question(), time.Minute) }
	w.now = today.Add(30 * time.Second)
	if within(); len(s.requests()) != 1 {
		t.Error("asked again after half a minute")
	}
	w.now = today.Add(2 * time.Minute)
	if within(); len(s.requests()) != 2 {
		t.Error("an answer from before the copy was taken again")
	}
}

func TestNothingIsKeptWhereKeepIsZero(t *testing.T) {
	s, c := passing(t)
	c.Keep = 0
	w := over(t, c, s)
	w.list()
	if w.list(); len(s.requests()) != 2 {
		t.Errorf("%d requests", len(s.requests()))
	}
}

func TestAnswersOutliveTheProcessAndNotAChangeOfTheSource(t *testing.T) {
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, c := passing(t)
	dir := t.TempDir()
	run := func(c config.Source, q Question) gates.Answer {
		w := over(t, c, s)
		w.Config.Dir, w.kept = dir, newKept(st)
		all := w.Ask(t.Context(), []string{"ci"}, q, false)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return w.answer(all, "")
	}
	first := run(c, question())
	if again := run(c, question()); len(s.requests()) != 1 || !again.Asked.Equal(first.Asked) || again.State != gates.Passed || !again.Finished.Equal(first.Finished) {
		t.Errorf("%+v, then %+v", first, again)
	}
	other := c
	changed := *c.HTTP
	changed.Passed = []string{"something else"}
	other.HTTP = &changed
	if a := run(other, question()); a.State != gates.Failed {
		t.Errorf("the answer to another question was taken: %+v", a)
	}
	q := question()
	q.Revision = otherCommit
	if run(c, q); len(s.requests()) != 3 {
		t.Error("the answer about another commit was taken")
	}
}

func TestAHangingSourceIsMetOnceByAListAndNotByEveryRow(t *testing.T) {
	var asked atomic.Int32
	gate := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-gate
	})
	defer close(gate)
	c := labSource(s)
	c.Timeout, c.Keep = 100*time.Millisecond, time.Minute
	w := over(t, c, s)
	start := time.Now()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if all := w.list(); len(all) != 1 || !errors.Is(all[0].Err, errSlow) {
				t.Errorf("%+v", all)
			}
		})
	}
	group.Wait()
	if n := asked.Load(); n > atOnce || time.Since(start) > 5*time.Second {
		t.Errorf("asked %d times in %s", n, time.Since(start))
	}
	before := asked.Load()
	if w.ask(); asked.Load() == before {
		t.Error("a verdict did not ask")
	}
}

func TestOneSourceDoesNotWaitForAnother(t *testing.T) {
	gate := make(chan struct{})
	slow := serve(t, func(http.ResponseWriter, *http.Request) { <-gate })
	defer close(gate)
	fast, c := passing(t)
	w := over(t, c, fast, slow)
	hanging := labSource(slow)
	hanging.Timeout = 200 * time.Millisecond
	w.Config.Sources["slow"] = hanging
	all := w.Ask(t.Context(), []string{"slow", "ci", "nobody"}, question(), true)
	if len(all) != 3 || all[0].Err == nil || all[1].State != gates.Passed || all[2].Err == nil || fault.CodeOf(all[2].Err) != fault.Usage {
		t.Errorf("%+v", all)
	}
	if err := all[0].Err.Error(); !strings.Contains(err, "source slow") || !strings.Contains(err, "within 200ms") {
		t.Error(err)
	}
}

func TestAskingEndsWithItsContext(t *testing.T) {
	gate := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-gate })
	defer close(gate)
	w := over(t, labSource(s), s)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if all := w.Ask(ctx, []string{"ci"}, question(), true); len(all) != 1 || !errors.Is(all[0].Err, context.Canceled) {
		t.Errorf("%+v", all)
	}
	if err := w.trouble.known("ci", w.now, time.Hour); err != nil {
		t.Errorf("that we stopped is no trouble of the source: %v", err)
	}
}

package sources

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"plimsoll/gates"
)

// checksOf turns the runs and statuses of one commit into an answer for each
// check: the wanted ones, or all. Of one check in one suite the newest run
// counts, so that running it again replaces a failure; of runs of one name in
// several suites or by several apps the worst counts, because they may be
// different tests.
func checksOf(runs []checkRun, statuses []commitStatus, wanted []string, id string) []gates.Answer {
	found := map[string]gates.Answer{}
	for _, r := range newestRuns(runs) {
		if r.HeadSHA != "" && r.HeadSHA != id {
			continue // of another commit: no answer to this question
		}
		merge(found, gates.Answer{Key: text(r.Name), State: r.state(), Finished: r.CompletedAt, Link: page(r.Page), Failures: r.failure(), About: id})
	}
	for _, s := range statuses {
		merge(found, gates.Answer{Key: text(s.Context), State: s.state(), Finished: s.finished(), Link: page(s.Page), Failures: s.failure(), About: id})
	}
	keys := wanted
	if len(wanted) == 0 { // every one that said something: a check that was skipped is not waited for
		maps.DeleteFunc(found, func(_ string, a gates.Answer) bool { return a.State == gates.Absent })
		keys = slices.Sorted(maps.Keys(found))
	}
	out := make([]gates.Answer, 0, len(keys))
	for _, k := range keys {
		a, ok := found[text(k)]
		if !ok {
			a = gates.Answer{Key: text(k), State: gates.Absent, About: id}
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		out = append(out, gates.Answer{State: gates.Absent, About: id})
	}
	return out
}

// newestRuns keeps the newest run of each check of each app in each suite, by
// their ids, which count up. GitHub's filter=latest does that too; it is not
// relied on.
func newestRuns(runs []checkRun) []checkRun {
	type which struct {
		name, app string
		suite     int64
	}
	newest := map[which]checkRun{}
	for _, r := range runs {
		w := which{r.Name, r.App.Slug, r.Suite.ID}
		if before, ok := newest[w]; !ok || r.ID >= before.ID {
			newest[w] = r
		}
	}
	return slices.Collect(maps.Values(newest))
}

// rank orders states, the worst highest. That a check was skipped in one suite
// takes nothing from its pass in another.
func rank(s gates.AnswerState) int {
	return slices.Index([]gates.AnswerState{gates.Absent, gates.Passed, gates.Running, gates.Failed}, s)
}

// merge keeps the worst of one name; of equal ones the one that finished last.
func merge(found map[string]gates.Answer, a gates.Answer) {
	before, ok := found[a.Key]
	if !ok || cmp.Or(rank(a.State)-rank(before.State), a.Finished.Compare(before.Finished), cmp.Compare(a.Link, before.Link)) > 0 {
		found[a.Key] = a
	}
}

// state is what a run says. One that was skipped or ended neutral did not fail
// and has shown nothing either: a gate that waits for it has no answer.
func (r checkRun) state() gates.AnswerState {
	if r.Status != "completed" {
		return gates.Running // queued, in_progress, waiting, requested, pending
	}
	switch r.Conclusion {
	case "success":
		return gates.Passed
	case "neutral", "skipped":
		return gates.Absent
	}
	return gates.Failed // failure, cancelled, timed_out, action_required, stale, startup_failure, and what is not known yet
}

// failure names what a failed run ended as.
func (r checkRun) failure() []string {
	if r.state() != gates.Failed {
		return nil
	}
	return names([]string{r.Name + " (" + cmp.Or(r.Conclusion, "no conclusion") + ")"})
}

// state is what a status says: error, failure, pending or success.
func (s commitStatus) state() gates.AnswerState {
	switch s.State {
	case "success":
		return gates.Passed
	case "pending":
		return gates.Running
	}
	return gates.Failed
}

func (s commitStatus) finished() time.Time {
	if s.State == "pending" {
		return time.Time{}
	}
	return s.UpdatedAt
}

func (s commitStatus) failure() []string {
	if s.state() != gates.Failed {
		return nil
	}
	return names([]string{s.Context + " (" + s.State + ")"})
}

package gates

import (
	"fmt"
	"time"

	"plimsoll/config/clean"
)

// freeze: no window of the calendar covers this moment. A recurring window
// whose expression cannot be read is an error.
func (e *evaluation) freeze() Check {
	c := Check{Status: Pass, Summary: "open"}
	var last time.Time
	for _, f := range e.policy.Service.Gates.Freeze {
		w, frozen, err := windowAt(f, e.in.Now)
		switch {
		case err != nil:
			return failed(Error, "configuration", fmt.Sprintf("the freeze %q cannot be read: %v", clean.Text(f.Cron), err))
		case !frozen:
			continue
		}
		why := clean.Text(f.Reason)
		if why == "" {
			why = "no reason given"
		}
		if w.to.After(last) {
			last = w.to
		}
		c.Status, c.Summary = Waiting, "until "+last.UTC().Format("2006-01-02")
		if last.Sub(e.in.Now) < 48*time.Hour {
			c.Summary = "until " + last.UTC().Format("2006-01-02 15:04 UTC")
		}
		c.Reasons = append(c.Reasons, fmt.Sprintf("nothing is promoted from %s to %s%s: %s (it ends in %s; a rollback is always possible)",
			moment(w.from), moment(w.to), w.note, why, brief(w.to.Sub(e.in.Now))))
	}
	if c.Status == Pass {
		c.Reasons = []string{"no freeze covers this moment"}
	}
	return c
}

package gates

import "fmt"

// freeze: no window of the calendar covers this moment.
func (e *evaluation) freeze() Check {
	c := Check{Status: Pass, Summary: "open"}
	for _, f := range e.policy.Service.Gates.Freeze {
		if e.in.Now.Before(f.From) || !e.in.Now.Before(f.To) {
			continue
		}
		why := f.Reason
		if why == "" {
			why = "no reason given"
		}
		c.Status, c.Summary = Waiting, "until "+f.To.UTC().Format("2006-01-02")
		c.Reasons = append(c.Reasons, fmt.Sprintf("nothing is promoted from %s to %s: %s (a rollback is always possible)", moment(f.From), moment(f.To), why))
	}
	return c
}

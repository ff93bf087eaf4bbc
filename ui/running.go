package ui

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/release"
)

// running is a promotion or rollback that runs, or that ran in this console.
type running struct {
	id         int
	action     string // promote or rollback
	service    string
	digest     digest.Digest
	previous   *digest.Digest
	overrides  []string // gates that it goes past
	reason     string
	started    time.Time
	ended      time.Time // zero while it runs
	progress   release.Progress
	speed      meter
	cancelling bool
	cancelled  bool
	cancel     func()
	outcome    release.Outcome
	err        *problem
}

func (r *running) done() bool { return !r.ended.IsZero() }

// words is what runs, in words.
func (r *running) words() string {
	return fmt.Sprintf("the %s of %s to %s is running", r.noun(), r.service, short(r.digest))
}

func (r *running) noun() string {
	switch r.action {
	case "promote":
		return "promotion"
	case "adopt":
		return "adoption"
	}
	return r.action
}

func (r *running) verb() string {
	switch r.action {
	case "promote":
		return "promoted"
	case "rollback":
		return "rolled back"
	case "adopt":
		return "adopted"
	}
	return "finished: " + r.action + " of"
}

// past are the gates that it went past, or asked to while it runs.
func (r *running) past() []string {
	if r.done() && r.err == nil {
		return r.outcome.Overrides
	}
	return r.overrides
}

// elapsed is how long it has been running, or ran.
func (r *running) elapsed(now time.Time) time.Duration {
	if r.done() {
		return r.ended.Sub(r.started)
	}
	return max(0, now.Sub(r.started))
}

// stopwatch is a duration for people.
func stopwatch(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d h", int(d.Hours()), int(d.Minutes())%60)
}

// result is the notice that stands for the end of the operation.
func (r *running) result() *notice {
	verb := r.verb()
	past := ""
	if gates := r.past(); len(gates) > 0 {
		past = "  " + overrideWords(gates)
	}
	switch {
	case r.err == nil && r.outcome.Unchanged:
		return &notice{level: levelDone, text: fmt.Sprintf("unchanged: %s has %s in prod already", r.service, short(r.digest))}
	case r.err == nil && len(r.outcome.Warnings) > 0:
		return &notice{level: levelWarn, text: fmt.Sprintf("%s %s to %s in %s%s, with a warning: %s", verb, r.service, short(r.digest), stopwatch(r.elapsed(r.ended)), past, r.outcome.Warnings[0])}
	case r.err == nil:
		return &notice{level: levelDone, text: fmt.Sprintf("%s %s to %s in %s%s", verb, r.service, short(r.digest), stopwatch(r.elapsed(r.ended)), past)}
	case r.err.panic && !r.progress.Moved:
		return &notice{level: levelFailed, text: "the " + r.noun() + " broke off; read the prod line again before you go on: " + r.err.first(), more: r.err}
	case r.err.code == fault.Unfinished && !r.progress.Moved:
		return &notice{level: levelFailed, text: "whether prod has moved is not known yet: " + r.err.first(), more: r.err}
	case r.progress.Moved:
		return &notice{level: levelFailed, text: "prod has moved, but a later step is unfinished: " + r.err.first(), more: r.err}
	case r.cancelled:
		return &notice{level: levelWarn, text: "cancelled, prod is unchanged: " + r.err.first(), more: r.err}
	}
	return &notice{level: levelFailed, text: "the " + r.noun() + " failed, prod is unchanged: " + r.err.first(), more: r.err}
}

// meter tells how fast bytes move, over the last few seconds.
type meter struct {
	at    []time.Time
	bytes []int64
}

const meterWindow = 5 * time.Second

// add notes that so many bytes have moved by now.
func (m meter) add(now time.Time, bytes int64) meter {
	m.at, m.bytes = append(m.at, now), append(m.bytes, bytes)
	for len(m.at) > 2 && now.Sub(m.at[1]) >= meterWindow {
		m.at, m.bytes = m.at[1:], m.bytes[1:]
	}
	return m
}

// rate is bytes per second, 0 if it cannot be told yet.
func (m meter) rate() float64 {
	if len(m.at) < 2 {
		return 0
	}
	last := len(m.at) - 1
	d := m.at[last].Sub(m.at[0]).Seconds()
	if d <= 0 {
		return 0
	}
	return max(0, float64(m.bytes[last]-m.bytes[0])/d)
}

// left is how long the rest takes at this rate, 0 if it cannot be told.
func (m meter) left(rest int64) time.Duration {
	rate := m.rate()
	if rate < 1 || rest <= 0 {
		return 0
	}
	const most = 100 * time.Hour
	seconds := float64(rest) / rate
	if seconds > most.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// What time alone changes: ages, stopwatches, what is read again by itself.

// wake is the clock.
func (m *model) wake(w wake) tea.Cmd {
	if w.id != m.alarmID {
		return nil
	}
	m.alarmAt = time.Time{}
	if q, ok := m.due(); ok {
		return m.load(q)
	}
	return nil
}

// due is the list, or the verdict, that is to be read again by itself now: the
// oldest one that the screen shows, one at a time, and none while a person decides something.
func (m *model) due() (query, bool) {
	q, at, ok := m.nextRefresh()
	return q, ok && !m.data.now.Before(at)
}

// nextRefresh is what is read again next by itself, and when.
func (m *model) nextRefresh() (best query, when time.Time, ok bool) {
	d := &m.data
	if m.dialog != nil || d.busy() != "" {
		return query{}, time.Time{}, false
	}
	for _, q := range m.top().wants(d) {
		s := d.state(q)
		if q.kind != askList && q.kind != askGates {
			continue
		}
		if s.busy {
			return query{}, time.Time{}, false
		}
		last := s.at
		if s.since.After(last) {
			last = s.since
		}
		at := last.Add(refreshEvery << min(s.fails, 3))
		if last.IsZero() {
			at = d.now // it was never asked for
		}
		if !ok || at.Before(when) {
			best, when, ok = q, at, true
		}
	}
	return best, when, ok
}

// setAlarm sets the clock for the next moment at which the screen changes by
// itself. With nothing moving that is when an age reads differently or a
// refresh is due; nothing is drawn in between.
func (m *model) setAlarm() tea.Cmd {
	at := m.nextChange()
	if at.IsZero() || !m.alarmAt.IsZero() && !at.Before(m.alarmAt) {
		return nil
	}
	if m.stop != nil {
		m.stop()
	}
	ctx, stop := context.WithCancel(m.life)
	m.alarmID++
	m.alarmAt, m.stop = at, stop
	return m.timer(ctx, max(10*time.Millisecond, at.Sub(m.data.now)), m.alarmID)
}

func (m *model) nextChange() time.Time {
	d := &m.data
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if d.op != nil && !d.op.done() {
		sooner(d.now.Add(time.Second))
	}
	for i, q := range m.top().wants(d) {
		s := d.state(q)
		if s.busy && !s.have {
			sooner(d.now.Add(time.Second)) // its stopwatch is shown
		}
		if i == 0 && s.have && !s.at.IsZero() {
			sooner(nextAge(d.now, s.at))
		}
	}
	if _, at, ok := m.nextRefresh(); ok {
		sooner(at)
	}
	return next
}

package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// What happens by itself: answers, the progress and the end of what
// is being written.

// refreshEvery is how old the list of the shown service gets, at least, before
// it is read again by itself. Failures make it longer.
const refreshEvery = 30 * time.Second

// load asks the questions again, whether or not they are under way.
func (m *model) load(queries ...query) tea.Cmd {
	cmds := make([]tea.Cmd, 0, len(queries))
	for _, q := range queries {
		cmds = append(cmds, m.question(q))
	}
	return tea.Batch(cmds...)
}

func (m *model) question(q query) tea.Cmd {
	d, r := &m.data, m.reader
	switch q.kind {
	case askList:
		return r.list(slotOf(d.lists, q), d.now, q.service)
	case askGates:
		return r.gates(slotOf(d.gates, q), d.now, q)
	case askDiff:
		return r.diff(slotOf(d.diffs, q), d.now, q)
	case askTargets:
		return r.targets(slotOf(d.targets, q), d.now, q)
	case askHistory:
		return r.history(slotOf(d.history, q), d.now, q)
	case askDoctor:
		return r.doctor(slotOf(d.doctors, q), d.now, q.service)
	case askVerify:
		return r.verify(slotOf(d.verified, q), d.now, q, d.service(q.service).prod+"@"+string(q.digest))
	}
	return nil
}

// stale is the questions whose answer is missing or old enough to ask again
// when a screen opens. What two digests differ in does not age.
func stale(d *data, queries []query) []query {
	var out []query
	for _, q := range queries {
		s := d.state(q)
		old := d.now.Sub(s.at) >= refreshEvery && q.kind != askDiff
		if !s.busy && (!s.live || old || s.err != nil) {
			out = append(out, q)
		}
	}
	return out
}

// settle files an answer.
func (m *model) settle(a answer) tea.Cmd {
	before := m.top().subject(&m.data)
	for i, s := range m.stack {
		if p, ok := s.(pinning); ok {
			m.stack[i] = p.pin(&m.data)
		}
	}
	a.settle(m.data.now)
	if after := m.top().subject(&m.data); m.top().place() == onCandidates && before.digest != "" && after.digest != before.digest {
		m.data.note = short(before.digest) + " is no longer listed; another candidate is selected now"
	}
	return nil
}

// fail keeps a problem for the error box and shows it until it is dismissed.
func (m *model) fail(p *problem) {
	m.data.failed = p
	m.data.result = &notice{level: levelFailed, text: p.what + ": " + p.first() + hintWords(p), more: p}
}

// failed is fail, if there is a problem.
func (m *model) failed(p *problem) {
	if p != nil {
		m.fail(p)
	}
}

// mayNotWrite is the last guard: whatever a screen or a dialog let through.
func mayNotWrite(d *data) string {
	if d.readOnly {
		return readOnlyReason
	}
	return whyNotWrite(d)
}

// start runs an operation and shows its progress. One at a time.
func (m *model) start(r running, run operate) tea.Cmd {
	d := &m.data
	m.shut()
	if why := mayNotWrite(d); why != "" {
		d.note = why
		return nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.life))
	m.asked++
	r.id, r.started, r.cancel = m.asked, d.now, cancel
	d.op, d.result = &r, nil
	if m.top().place() != onOperation {
		m.stack = append(m.stack, operationScreen{of: r.service})
	}
	return startOperation(ctx, cancel, m.workers, r.id, run, m.pace)
}

// write runs a sign-off or a quarantine.
func (m *model) write(doing, what string, run func(ctx context.Context) (string, error)) tea.Cmd {
	m.shut()
	if why := mayNotWrite(&m.data); why != "" {
		m.data.note = why
		return nil
	}
	m.data.writing = doing
	m.data.result = &notice{level: levelBusy, text: doing}
	return write(m.life, m.workers, what, run)
}

// news is a report of the running operation.
func (m *model) news(n operationNews) tea.Cmd {
	r := m.data.op
	if r == nil || r.id != n.id {
		return n.next
	}
	r.progress = n.progress
	if c := n.progress.Copy; c != nil {
		r.speed = r.speed.add(m.data.now, c.Bytes)
	}
	return n.next
}

// ended is the end of an operation: its result stays until it is dismissed,
// and what it changed is read again.
func (m *model) ended(e operationDone) tea.Cmd {
	d := &m.data
	r := d.op
	if r == nil || r.id != e.id {
		return nil
	}
	r.ended, r.outcome, r.err, r.cancelled = d.now, e.outcome, e.err, e.cancelled
	if e.err != nil {
		e.err.what = r.noun() + " of " + r.service
		d.failed = e.err
	}
	d.result = r.result()
	if _, asking := m.dialog.(yesNo); asking {
		m.shut() // it asked about what is over
	}
	if m.leaving(e.err == nil || e.cancelled) {
		return tea.Quit
	}
	return tea.Batch(m.reader.pending, m.load(
		query{kind: askList, service: r.service}, query{kind: askTargets, service: r.service}, query{kind: askHistory, service: r.service},
	))
}

// shut ends the dialog. A secret that was asked for was then not given.
func (m *model) shut() {
	if s, ok := m.dialog.(secretDialog); ok {
		close(s.reply)
	}
	m.dialog = nil
}

// askSecret shows the dialog for a secret. Another dialog that is open gives
// way; what a person was about to confirm has to be confirmed again.
func (m *model) askSecret(w wanted) tea.Cmd {
	m.shut()
	m.dialog = secretDialog{wanted: w, typed: input{secret: true}, opened: m.data.now}
	return nil
}

// written is the end of a sign-off or a quarantine.
func (m *model) written(w written) tea.Cmd {
	d := &m.data
	d.writing = ""
	if w.err != nil {
		m.fail(w.err)
	} else {
		d.result = &notice{level: levelDone, text: w.said}
	}
	if m.leaving(w.err == nil) {
		return tea.Quit
	}
	queries := []query{{kind: askList, service: m.top().service()}}
	for _, q := range m.top().wants(d) {
		if q.kind != askList && q.kind != askDiff {
			queries = append(queries, q)
		}
	}
	return m.load(queries...)
}

// leaving tells whether to quit now that nothing is being written any more. A
// failure that a person has not seen keeps the console open, unless nobody can see it.
func (m *model) leaving(well bool) bool {
	leave := m.lost || m.quitting && well
	m.quitting = leave
	return leave
}

func (m *model) cancelOperation() {
	r := m.data.op
	if r == nil || r.done() || r.progress.Moved {
		return
	}
	r.cancelling = true
	r.cancel()
}

// askQuit quits, or asks while something is being written.
func (m *model) askQuit() tea.Cmd {
	if m.data.busy() == "" {
		return tea.Quit
	}
	m.dialog = newQuit(&m.data)
	return nil
}

// quit ends the console as soon as that is safe: at once, after the running
// operation was cancelled, or after it has finished.
func (m *model) quit() tea.Cmd {
	m.shut()
	if m.data.busy() == "" {
		return tea.Quit
	}
	m.quitting = true
	m.cancelOperation()
	m.data.result = &notice{level: levelBusy, text: "quitting as soon as it is safe: " + m.data.busy()}
	return nil
}

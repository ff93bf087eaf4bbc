package ui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"plimsoll/release"
	"plimsoll/release/diff"
	"plimsoll/release/doctor"
)

// model is the root: it routes messages, owns data, and does what screens ask for.
type model struct {
	data    data
	keys    keymap
	styles  styles
	theme   theme
	stack   []screen // the last one is shown
	dialog  dialog   // nil: none
	cursors map[string]screen
	reader  reader
	workers *workers
	life    context.Context //nolint:containedctx // of the console; an operation outlives it

	quitting bool // quit as soon as nothing is being written any more
	lost     bool // the terminal is gone or a signal came: quit whatever happened
	asked    int  // number of the newest operation
	alarmID  int
	alarmAt  time.Time
	stop     context.CancelFunc // of the alarm that is set

	clock func() time.Time
	// timer makes the command that wakes the model; tests have their own.
	timer func(ctx context.Context, d time.Duration, id int) tea.Cmd
	pace  time.Duration // least time between two reports of an operation
}

// reportPace: often enough for a bar to move, seldom enough for a slow line.
const reportPace = 250 * time.Millisecond

// newModel makes the console over a backend. It asks the backend for its
// services only; preload reads the rest of the first frame.
func newModel(ctx context.Context, o Options, keys keymap, t theme) *model {
	m := &model{
		data: data{
			services: servicesOf(o.Desk), readOnly: o.ReadOnly,
			lists: map[query]*slot[release.ServiceView]{}, gates: map[query]*slot[release.Verdict]{}, diffs: map[query]*slot[diff.Diff]{},
			targets: map[query]*slot[[]release.Target]{}, history: map[query]*slot[[]release.Entry]{},
			doctors: map[query]*slot[doctor.Report]{}, verified: map[query]*slot[release.Verification]{}, allowed: map[string]release.Allowance{},
		},
		keys: keys, theme: t, styles: stylesOf(t, true), cursors: map[string]screen{},
		reader: newReader(ctx, o.Desk), workers: newWorkers(), life: ctx,
		clock: time.Now, timer: alarm, pace: reportPace,
	}
	m.data.now = m.clock()
	if len(o.Notes) > 0 {
		m.data.result = &notice{level: levelWarn, text: text(strings.Join(o.Notes, "; "))}
	}
	switch {
	case o.Service != "":
		m.stack = []screen{services{}, candidates{of: text(o.Service)}}
	case len(m.data.services) == 1:
		m.stack = []screen{services{}, candidates{of: m.data.services[0].name}}
	default:
		m.stack = []screen{services{}}
	}
	return m
}

// preload reads what the first frame shows from the store: no network.
func (m *model) preload(b Backend) {
	for _, s := range m.data.services {
		v, ok := b.Snapshot(s.name)
		if !ok {
			continue
		}
		slot := slotOf(m.data.lists, query{kind: askList, service: s.name})
		slot.value, slot.have, slot.whole, slot.at = cleaned(v), true, v.Error == "", v.At
	}
}

// Init reads the first screen from the registries and asks the terminal for its background.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.load(m.top().wants(&m.data)...), m.reader.pending, m.reader.allowances(m.data.services)}
	if m.theme == themeAuto {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(append(cmds, m.setAlarm())...)
}

// Update routes a message. It never waits: whatever takes time is a command.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.data.now = m.clock()
	cmd := m.handle(msg)
	return m, tea.Batch(cmd, m.setAlarm())
}

func (m *model) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.data.window = extent{msg.Width, msg.Height}
	case tea.BackgroundColorMsg:
		m.styles = stylesOf(m.theme, msg.IsDark())
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		m.paste(msg.Content)
	case answer:
		return m.settle(msg)
	case wake:
		return m.wake(msg)
	case operationNews:
		return m.news(msg)
	case operationDone:
		return m.ended(msg)
	case written:
		return m.written(msg)
	case pendingRead:
		m.data.pending = msg.list
		m.failed(msg.err)
	case allowancesRead:
		m.data.allowed = msg.by
		m.failed(msg.err)
	case wanted:
		return m.askSecret(msg)
	case hangup:
		m.lost = true
		return m.quit()
	}
	return nil
}

func (m *model) top() screen { return m.stack[len(m.stack)-1] }

// frame is where everything is in the window.
func (m *model) frame() frame {
	w := m.data.window
	breaches := len(breachLines(&m.data, m.top(), m.keys, w.w))
	return arrange(w.w, w.h, breaches, len(bannerLines(&m.data, m.top(), m.keys, w.w)))
}

// View draws the console. It is pure and asks nobody.
func (m *model) View() tea.View {
	v := tea.NewView(m.content())
	v.AltScreen = true
	v.WindowTitle = text("plimsoll " + m.top().service())
	v.KeyboardEnhancements.ReportEventTypes = true // a held key must not confirm
	return v
}

func (m *model) content() string {
	at := m.data.window
	if at.w <= 0 || at.h <= 0 {
		return ""
	}
	if tooSmall(at.w, at.h) {
		return tiny(at)
	}
	out := m.screenful()
	if m.dialog != nil {
		top, room := m.below()
		out = overlay(out, m.dialog.view(&m.data, &m.styles, room), room, top)
	}
	return out
}

// below is where dialogs may be: they cover no breach.
func (m *model) below() (top int, room extent) {
	f, w := m.frame(), m.data.window
	if f.breach.h > 0 {
		top = f.breach.y + f.breach.h
	}
	return top, extent{w.w, w.h - top}
}

// screenful is the window without a dialog.
func (m *model) screenful() string {
	d, s, st, f := &m.data, m.top(), &m.styles, m.frame()
	w := f.title.w
	lines := make([]string, 0, d.window.h)
	lines = append(lines, titleLine(d, s, st, w), prodLine(d, s.service(), st, w))
	for _, l := range breachLines(d, s, m.keys, w)[:f.breach.h] {
		lines = append(lines, st.paint(loud, l))
	}
	lines = append(lines, topRule(d, s, st, w))
	lines = append(lines, clipped(s.view(d, st, extent{f.body.w, f.body.h}), f.body.h)...)
	lines = append(lines, rule("", st, w))
	for i, l := range bannerLines(d, s, m.keys, w) {
		if i < f.notice.h {
			lines = append(lines, st.draw(l))
		}
	}
	keys := keyLine(d, s, m.keys, st, w)
	if fs, ok := s.(filtering); ok && fs.filter().editing {
		keys = filterLine(st)
	}
	lines = append(lines, statusLine(d, s, st, w), keys)
	return joined(lines, w)
}

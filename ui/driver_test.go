package ui

import (
	"context"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the screens show local times
	code := m.Run()
	if code == 0 {
		// Bubble Tea leaves its reader behind if the program dies while the terminal answers.
		reader := goleak.IgnoreTopFunction("github.com/charmbracelet/ultraviolet.(*TerminalReader).sendEvents")
		if err := goleak.Find(reader); err != nil {
			_, _ = os.Stderr.WriteString("goroutines are left: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// driver runs the console without a terminal and without waiting: messages go
// to Update, and what the commands return comes back as messages, in order, in
// this goroutine.
type driver struct {
	t      testing.TB
	m      *model
	desk   *fake
	now    time.Time
	cmds   []tea.Cmd
	copied []string
	quit   bool
	inside atomic.Int32
	stop   func() bool // when to leave the rest of the commands for later
	alarm  time.Duration
}

func start(t testing.TB, desk *fake, change ...func(*Options)) *driver {
	t.Helper()
	return startAt(t, desk, 80, 24, change...)
}

func startAt(t testing.TB, desk *fake, w, h int, change ...func(*Options)) *driver {
	t.Helper()
	d := boot(t, desk, w, h, change...)
	d.cmds = append(d.cmds, d.m.Init())
	d.drain()
	return d
}

// boot is a console before its first question to the registries.
func boot(t testing.TB, desk *fake, w, h int, change ...func(*Options)) *driver {
	t.Helper()
	o := Options{Desk: desk, Theme: "dark"}
	for _, c := range change {
		c(&o)
	}
	keys, err := newKeymap(o.Keys)
	if err != nil {
		t.Fatal(err)
	}
	look, err := parseTheme(o.Theme)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	d := &driver{t: t, desk: desk, now: noon}
	d.m = newModel(ctx, o, keys, look)
	d.m.clock = func() time.Time { return d.now }
	d.m.data.now = d.now
	d.m.pace = 0
	d.m.timer = func(_ context.Context, wait time.Duration, _ int) tea.Cmd {
		d.alarm = wait
		return nil
	}
	d.m.preload(desk)
	desk.inside = &d.inside
	t.Cleanup(func() { d.m.workers.close(nil) })
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

// send gives a message to the console and runs what follows from it.
func (d *driver) send(msgs ...tea.Msg) *driver {
	d.t.Helper()
	for _, msg := range msgs {
		d.take(msg)
		d.drain()
	}
	return d
}

func (d *driver) take(msg tea.Msg) {
	switch msg := guard(d.m, msg).(type) {
	case nil:
	case tea.BatchMsg:
		d.cmds = append(d.cmds, msg...)
	case tea.QuitMsg:
		d.quit = true
	default:
		if s, ok := clipboard(msg); ok {
			d.copied = append(d.copied, s)
			return
		}
		_, cmd := d.m.Update(msg)
		d.cmds = append(d.cmds, cmd)
		if a, b := d.m.View().Content, d.m.View().Content; a != b {
			d.t.Errorf("View changes what it shows:\n%s\n%s", a, b)
		}
	}
}

// drain runs commands until none is left, or stop says so.
func (d *driver) drain() {
	for len(d.cmds) > 0 && (d.stop == nil || !d.stop()) {
		cmd := d.cmds[0]
		d.cmds = d.cmds[1:]
		if cmd == nil {
			continue
		}
		d.inside.Add(1)
		msg := cmd()
		d.inside.Add(-1)
		if msg != nil {
			d.take(msg)
		}
	}
}

// clipboard reads the message of tea.SetClipboard, whose type is not exported.
func clipboard(msg tea.Msg) (string, bool) {
	if reflect.TypeOf(msg) != reflect.TypeOf(tea.SetClipboard("")()) {
		return "", false
	}
	return reflect.ValueOf(msg).String(), true
}

// press types keys: names such as enter, or texts.
func (d *driver) press(keys ...string) *driver {
	d.t.Helper()
	for _, k := range keys {
		for _, msg := range keyMsgs(k) {
			d.send(msg)
		}
	}
	return d
}

var named0 = map[string]tea.KeyPressMsg{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "space": {Code: tea.KeySpace, Text: " "},
	"shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "backspace": {Code: tea.KeyBackspace}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+d": {Code: 'd', Mod: tea.ModCtrl},
	"enter-held": {Code: tea.KeyEnter, IsRepeat: true}, "y-held": {Code: 'y', Text: "y", IsRepeat: true}, "left": {Code: tea.KeyLeft}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
}

func keyMsgs(k string) []tea.Msg {
	if msg, ok := named0[k]; ok {
		return []tea.Msg{msg}
	}
	var out []tea.Msg
	for _, r := range k {
		out = append(out, tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	return out
}

// wait lets time pass and wakes the console.
func (d *driver) wait(by time.Duration) *driver {
	d.t.Helper()
	d.now = d.now.Add(by)
	return d.send(wake{d.m.alarmID})
}

// screen is what a person sees, without looks.
func (d *driver) screen() string {
	lines := strings.Split(ansi.Strip(d.m.View().Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func (d *driver) sees(texts ...string) *driver {
	d.t.Helper()
	for _, text := range texts {
		if !strings.Contains(d.screen(), text) && !strings.Contains(flowing(d.screen()), text) {
			d.t.Fatalf("%q is not on the screen:\n%s", text, d.screen())
		}
	}
	return d
}

// flowing is a screen as one line, so that a text is found where it was broken.
func flowing(screen string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '│' || r == '┃' {
			return ' '
		}
		return r
	}, screen)), " ")
}

func (d *driver) seesNot(texts ...string) *driver {
	d.t.Helper()
	for _, text := range texts {
		if strings.Contains(d.screen(), text) {
			d.t.Fatalf("%q is on the screen:\n%s", text, d.screen())
		}
	}
	return d
}

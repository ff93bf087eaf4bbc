package ui

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"plimsoll/release"
)

// hostile is text that tries to leave its cell: escape sequences, a
// clipboard write, a link, hidden text, bidirectional overrides, wide and
// combining characters, line breaks.
const hostile = "\x1b[2J\x1b]52;c;aGk=\x07\x1b]8;;http://evil\x07x\x1b[8m\u202eabc\u2066\r\n\t\x9b31m漢字👩‍👩‍👧⚠️e\u0301\u0301\u0301\u0301\u0301\u0301\u200b\u2028\x00"

// poison puts hostile text into every text of a value.
func poison[T any](v T) T {
	out, _ := poisoned(reflect.ValueOf(&v).Elem()).Interface().(T)
	return out
}

func poisoned(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() { //nolint:exhaustive // the others hold no text
	case reflect.String:
		if v.Type().PkgPath() == "" || v.Type().Name() == "Digest" {
			out.SetString(hostile + v.String() + hostile)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(poisoned(v.Elem()))
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); !ok {
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					out.Field(i).Set(poisoned(v.Field(i)))
				}
			}
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(poisoned(v.Index(i)))
			}
		}
	}
	return out
}

// harmless fails if something in the content could disturb a terminal: after
// our own colours are taken away, nothing may be left that is no plain character.
func harmless(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, content string,
) {
	t.Helper()
	for _, line := range strings.Split(content, "\n") {
		state := byte(0)
		for len(line) > 0 {
			seq, width, n, next := ansi.DecodeSequence(line, state, nil)
			state, line = next, line[n:]
			marks := func(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }
			if width > 0 || strings.TrimFunc(seq, marks) == "" {
				for _, r := range seq {
					if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
						t.Fatalf("%q is on the screen", r)
					}
				}
				continue
			}
			if !strings.HasPrefix(seq, "\x1b[") || !strings.HasSuffix(seq, "m") || strings.Contains(seq, "8m") {
				t.Fatalf("%q reaches the terminal", seq)
			}
		}
	}
}

func hostileFake(t testing.TB) *fake {
	desk := newFake(t)
	v := poison(sampleView())
	v.Service = "chat-api"
	desk.lists["chat-api"] = v
	desk.targets, desk.entries, desk.pending = poison(sampleTargets()), poison(sampleEntries()), poison(samplePending())
	desk.pending[0].Service = "chat-api"
	desk.diffErr, desk.approveErr = fmt.Errorf("%s", hostile), fmt.Errorf("%s", hostile)
	return desk
}

func TestHostileTextDisturbsNoScreen(t *testing.T) {
	for _, at := range []extent{{60, 15}, {80, 24}, {120, 40}, {200, 60}} {
		for _, keys := range [][]string{
			{},
			{"enter"},
			{"enter", "G"},
			{"d"},
			{"p"},
			{"a"},
			{"a", "y"},
			{"a", "y", "e"},
			{"x", "why", "enter"},
			{"b"},
			{"b", "j", "enter"},
			{"h"},
			{"h", "enter"},
			{"y"},
			{"?"},
			{"e"},
			{"s"},
			{"/", "漢"},
			{"f"},
			{"p", "chat-api", "enter"},
		} {
			t.Run(fmt.Sprintf("%dx%d %s", at.w, at.h, strings.Join(keys, " ")), func(t *testing.T) {
				d := startAt(t, hostileFake(t), at.w, at.h).press(keys...)
				fits(t, d, at)
				harmless(t, d.m.View().Content)
				if title := d.m.View().WindowTitle; ansi.Strip(title) != title || strings.ContainsFunc(title, unicode.IsControl) {
					t.Fatalf("title %q", title)
				}
			})
		}
	}
}

func TestEveryTextOfAnAnswerIsCleaned(t *testing.T) {
	dirty := poison(sampleView())
	before := fmt.Sprintf("%+v", dirty)
	for _, v := range []any{
		cleaned(dirty), cleaned(poison(sampleEntries())), cleaned(poison(sampleTargets())), cleaned(poison(samplePending())),
		cleaned(poison(sampleDiff(nil, ready0))), cleaned(poison(copying())), cleaned(release.Verdict{Warnings: []string{hostile}}),
	} {
		if s := fmt.Sprintf("%+v", v); strings.ContainsAny(s, "\x1b\x07\r\u009b\u202e\u2066\u200b") {
			t.Errorf("%T is not clean: %q", v, s)
		}
	}
	if fmt.Sprintf("%+v", dirty) != before {
		t.Error("cleaning changed what the backend keeps")
	}
}

func TestProblemsKeepTheirWholeMessage(t *testing.T) {
	long := strings.Repeat("0123456789", 120)
	p := problemOf("trying", fmt.Errorf("first line\n%s\n\x1b[31mlast", long))
	if got := strings.Join(p.lines, ""); !strings.Contains(got, "first line") || !strings.Contains(got, long) || !strings.HasSuffix(got, "[31mlast") {
		t.Fatalf("lines %q", p.lines)
	}
}

// everyKey is what a person could press.
var everyKey = append(strings.Split("abcdefghijklmnopqrstuvwxyzDGJY?/0123456789-. ", ""),
	"enter", "esc", "tab", "shift+tab", "space", "backspace", "up", "down", "pgup", "pgdown", "ctrl+c", "ctrl+d", "home", "end", "left", "chat-api", "enter-held", "y-held")

// TestNoKeysBreakTheFrame presses random keys in windows of random sizes, with
// hostile and ordinary backends: nothing panics, nothing leaves the window,
// nothing is written without a typed name, and esc never quits.
func TestNoKeysBreakTheFrame(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		desk := newFake(t)
		if rapid.Bool().Draw(r, "hostile") {
			desk = hostileFake(t)
		}
		readOnly := rapid.Bool().Draw(r, "read-only")
		at := extent{80, 24}
		d := startAt(t, desk, at.w, at.h, func(o *Options) { o.ReadOnly = readOnly })
		typed := false
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "what") {
			case 0:
				at = extent{rapid.IntRange(0, 210).Draw(r, "w"), rapid.IntRange(0, 70).Draw(r, "h")}
				d.send(tea.WindowSizeMsg{Width: at.w, Height: at.h})
			case 1:
				d.wait(time.Duration(rapid.IntRange(0, 100).Draw(r, "seconds")) * time.Second)
			case 2:
				d.send(tea.PasteMsg{Content: rapid.String().Draw(r, "paste")})
			default:
				key := rapid.SampledFrom(everyKey).Draw(r, "key")
				typed = typed || key == "chat-api"
				before := d.quit
				d.press(key)
				if key == "esc" && d.quit && !before {
					r.Fatalf("esc quit")
				}
			}
			if at.w > 0 && at.h > 0 {
				fits(r, d, at)
			}
			harmless(r, d.m.View().Content)
		}
		if writes := len(desk.promotions) + len(desk.rollbacks); writes > 0 && (!typed || readOnly) {
			r.Fatalf("%d writes", writes)
		}
		d.m.workers.close(nil)
	})
}

func FuzzText(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		out := text(s)
		if text(out) != out {
			t.Errorf("text is not stable: %q becomes %q", out, text(out))
		}
		if ansi.Strip(out) != out {
			t.Errorf("an escape sequence is left in %q", out)
		}
		for _, l := range folded([]line{{{"name ", strong}, {out, plain}}}, 20) {
			w := 0
			for _, part := range l {
				w += ansi.StringWidth(part.text)
			}
			if w > 20 {
				t.Errorf("a folded line is %d wide: %v", w, l)
			}
		}
	})
}

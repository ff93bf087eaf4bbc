package ui

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"

	"plimsoll/config/fault"
)

func TestKeysDocIsCurrent(t *testing.T) {
	const path = "../docs/keys.md"
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(KeysDoc()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != KeysDoc() {
		t.Fatal("docs/keys.md is not what the table of keys says; run go generate ./ui")
	}
}

func TestTheTableOfKeysIsSound(t *testing.T) {
	keys, err := newKeymap(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range keys {
		if b.help == "" || b.places == 0 || len(b.keys.Keys()) == 0 {
			t.Errorf("%s is incomplete: %+v", b.action, b)
		}
		for _, key := range b.keys.Keys() {
			if !keyName.MatchString(key) {
				t.Errorf("%s is on %q, which is no key", b.action, key)
			}
			if b.danger && (strings.Contains(key, "+") || key == "enter" || key == "y") {
				t.Errorf("%s writes and is on %s", b.action, key)
			}
		}
	}
}

func TestKeysCanBeMoved(t *testing.T) {
	desk := newFake(t)
	d := start(t, desk, func(o *Options) { o.Keys = map[string]string{"promote": "P", "down": "n", "page-down": "space"} })
	d.sees("P promote").press("n").sees("> ✗ c0ffee12ab34").press("down").sees("> ✗ 90ab33e1d7c2").press("g", "p").seesNot("╭")
	d.press("P").sees("promote to PROD").press("esc", "space").sees("> ● 3f9a1c2b44d0")
}

func TestAmbiguousOrDangerousKeysAreRefused(t *testing.T) {
	for _, c := range []struct {
		keys map[string]string
		want string
	}{
		{map[string]string{"lunch": "l"}, `there is no action "lunch"`},
		{map[string]string{"diff": "a"}, "diff and approve are both on a"},
		{map[string]string{"diff": "dd"}, `"dd" (for diff) is no key`},
		{map[string]string{"diff": ""}, `"" (for diff) is no key`},
		{map[string]string{"help": "esc"}, "help cannot be put on esc"},
		{map[string]string{"promote": "enter"}, "promote writes, so it cannot be put on enter, which confirms"},
		{map[string]string{"approve": "y"}, "approve writes, so it cannot be put on y, which confirms"},
		{map[string]string{"service-number": "0"}, "the number keys cannot be moved"},
	} {
		_, err := newKeymap(c.keys)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%v: %v (%s), want %q", c.keys, err, fault.HintOf(err), c.want)
		}
	}
	if _, err := newKeymap(map[string]string{"diff": "a", "approve": "d"}); err != nil {
		t.Errorf("two keys cannot be swapped: %v", err)
	}
}

func TestRunRefusesWhatItCannotShow(t *testing.T) {
	for _, o := range []Options{{Theme: "pink"}, {Keys: map[string]string{"x": "y"}}, {Service: "nobody"}} {
		o.Desk = newFake(t)
		var f *fault.Error
		if err := Run(t.Context(), o); !errors.As(err, &f) || f.Code != fault.Usage {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestHelpCanBeFiltered(t *testing.T) {
	d := start(t, newFake(t)).press("?", "/", "quarant").sees("quarantine the digest").seesNot("a page down")
	d.press("enter", "esc").sees("on this screen").press("G").sees("↑ ↓ pgup pgdown").press("?").seesNot("╭")
}

func TestTyping(t *testing.T) {
	d := start(t, newFake(t)).press("x", "abc def", "left", "left", "X", "end", "Y", "home", "Z").sees("reason: ZabcXdefY"[:8] + "Zabc dXefY")
	d.press("end", "backspace").sees("reason: Zabc dXef")
	i := input{}.insert("one two")
	i = i.key(tea.KeyPressMsg{Code: 'w', Mod: tea.ModCtrl})
	if i.text() != "one " {
		t.Fatalf("%q", i.text())
	}
	if n := len([]rune(input{}.insert(strings.Repeat("x", 1000)).text())); n > inputLimit {
		t.Fatalf("%d runes were taken", n)
	}
}

// An input is a value, as the screens that hold it: typing into a copy
// changes nothing else, and no key of it reads the clipboard.
func TestAnInputIsAValueOfBoundedWidth(t *testing.T) {
	st := stylesOf(themeDark, true)
	rapid.Check(t, func(t *rapid.T) {
		i := input{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			before, words := i, i.text()
			switch code := rapid.SampledFrom([]rune{0, tea.KeyLeft, tea.KeyHome, tea.KeyBackspace, tea.KeyDelete, 'w', 'v', 'k'}).Draw(t, "key"); code {
			case 0:
				i = i.insert(rapid.StringOf(rapid.SampledFrom([]rune("ab 漢é\u0301-"))).Draw(t, "text"))
			case 'w', 'v', 'k':
				i = i.key(tea.KeyPressMsg{Code: code, Mod: tea.ModCtrl})
			default:
				i = i.key(tea.KeyPressMsg{Code: code})
			}
			if before.text() != words {
				t.Fatalf("%q became %q by typing into a copy", words, before.text())
			}
			w := rapid.IntRange(2, 30).Draw(t, "width")
			for _, focused := range []bool{false, true} {
				if out := i.view(&st, focused, w); width(out) > w || focused && !strings.Contains(out, "\x1b[7m") {
					t.Fatalf("%q at %d is %q in %d cells", i.text(), i.at, out, w)
				}
			}
		}
	})
}

package ui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"plimsoll/config/fault"
)

// action is what a key means. Its name is what ui.keys in personal.yaml rebinds.
type action string

const (
	actUp        action = "up"
	actDown      action = "down"
	actTop       action = "top"
	actBottom    action = "bottom"
	actPageUp    action = "page-up"
	actPageDown  action = "page-down"
	actOpen      action = "open"
	actBack      action = "back"
	actFilter    action = "filter"
	actRefresh   action = "refresh"
	actDigest    action = "copy-digest"
	actReference action = "copy-reference"
	actExplain   action = "copy-explanation"
	actDiff      action = "diff"
	actApprove   action = "approve"
	actPromote   action = "promote"
	actRollback  action = "rollback"
	actQuarant   action = "quarantine"
	actHistory   action = "history"
	actDoctor    action = "doctor"
	actOperation action = "operation"
	actCancel    action = "cancel"
	actFinish    action = "finish"
	actServices  action = "services"
	actNext      action = "next-service"
	actPrevious  action = "previous-service"
	actNumber    action = "service-number"
	actError     action = "error"
	actHelp      action = "help"
	actQuit      action = "quit"
)

// place is a screen, as a bit, so that a binding can hold in several.
type place uint

const (
	onServices place = 1 << iota
	onCandidates
	onDetail
	onDiff
	onOperation
	onRollback
	onHistory
	onRecord
	onDoctor
)

const (
	everywhere = onServices | onCandidates | onDetail | onDiff | onOperation | onRollback | onHistory | onRecord | onDoctor
	lists      = onServices | onCandidates | onRollback | onHistory
	ofService  = everywhere &^ onServices
	ofDigest   = onCandidates | onDetail | onDiff | onRollback | onHistory | onRecord
)

// binding is one line of the table that feeds dispatch, the line of keys, the
// help and docs/keys.md.
type binding struct {
	action action
	keys   key.Binding // the first is what ui.keys replaces
	places place
	short  string // in the line of keys; "" is not shown there
	help   string // in the help
	danger bool   // it writes: off with --read-only, and always asks
	// why tells why the action is not possible now; nil: it always is.
	why func(d *data, s subject) string
}

func on(keys ...string) key.Binding { return key.NewBinding(key.WithKeys(keys...)) }

// table makes the bindings, in order of weight: what does not fit into the
// line of keys is dropped from the end. One function, because the table is the documentation.
func table() []binding {
	return []binding{
		{action: actCancel, keys: on("c"), places: onOperation, short: "cancel", help: "cancel the operation, as long as the channel has not moved", why: whyNotCancel},
		{action: actDiff, keys: on("d"), places: ofDigest, short: "diff", help: "what would change in prod", why: whyNotDiff},
		{action: actApprove, keys: on("a"), places: onCandidates | onDetail | onDiff, short: "approve", help: "sign off: approve or reject", danger: true, why: whyNotApprove},
		{action: actPromote, keys: on("p"), places: onCandidates | onDetail | onDiff, short: "promote", help: "promote to prod; past gates that say no where the policy lets you, with a reason", danger: true, why: whyNotPromote},
		{action: actRollback, keys: on("b"), places: ofService, short: "roll back", help: "roll prod back", danger: true, why: whyNotRollback},
		{action: actHistory, keys: on("h"), places: everywhere &^ (onHistory | onRecord), short: "history", help: "what was in prod, and who put it there"},
		{action: actFilter, keys: on("/"), places: lists, short: "filter", help: "filter the list; esc ends it"},
		{action: actOpen, keys: on("enter"), places: lists, short: "open", help: "open what is selected"},
		{action: actRefresh, keys: on("r"), places: everywhere, short: "refresh", help: "read again from the registries"},
		{action: actDigest, keys: on("y"), places: ofDigest | onOperation, short: "copy digest", help: "copy the digest", why: whyNoDigest},
		{action: actExplain, keys: on("c"), places: onCandidates | onDetail | onDoctor, short: "copy text", help: "copy every check with its reasons, or the doctor's report, as plain text", why: whyNothingToCopy},
		{action: actReference, keys: on("Y"), places: ofDigest | onOperation, help: "copy the full reference", why: whyNoDigest},
		{action: actQuarant, keys: on("x"), places: onCandidates | onDetail | onDiff | onRollback, short: "quarantine", help: "quarantine the digest, or lift its quarantine", danger: true, why: whyNotQuarantine},
		{action: actFinish, keys: on("f"), places: ofService, help: "finish what an earlier start left open", danger: true, why: whyNotFinish},
		{action: actDoctor, keys: on("D"), places: everywhere &^ onDoctor, short: "doctor", help: "is the isolation real? who may write prod, what is kept, what can be believed", why: whyNoService},
		{action: actOperation, keys: on("o"), places: everywhere &^ onOperation, help: "the running or latest promotion or rollback", why: whyNoOperation},
		{action: actError, keys: on("e"), places: everywhere, help: "the latest error in full, or what an earlier start left unfinished", why: whyNoError},
		{action: actServices, keys: on("s"), places: ofService, short: "services", help: "all services"},
		{action: actNext, keys: on("tab"), places: everywhere, help: "the next service"},
		{action: actPrevious, keys: on("shift+tab"), places: everywhere, help: "the previous service"},
		{action: actNumber, keys: on(strings.Split("123456789", "")...), places: everywhere, help: "the service with that number"},
		{action: actBack, keys: on("esc"), places: everywhere, help: "one step out: filter, message, screen; never quits"},
		{action: actUp, keys: on("k", "up"), places: everywhere, help: "up"},
		{action: actDown, keys: on("j", "down"), places: everywhere, help: "down"},
		{action: actTop, keys: on("g", "home"), places: everywhere, help: "to the top"},
		{action: actBottom, keys: on("G", "end"), places: everywhere, help: "to the bottom"},
		{action: actPageUp, keys: on("ctrl+u", "pgup"), places: everywhere, help: "a page up"},
		{action: actPageDown, keys: on("ctrl+d", "pgdown"), places: everywhere, help: "a page down"},
		{action: actHelp, keys: on("?"), places: everywhere, help: "all keys"},
		{action: actQuit, keys: on("q", "ctrl+c"), places: everywhere, help: "quit; asks only while something is being written"},
	}
}

// keymap is the table with a person's own keys in it.
type keymap []binding

// keyName is one printable character, or a named key, with modifiers.
var keyName = regexp.MustCompile(`^((ctrl|alt|shift)\+)*(\S|space|tab|enter|esc|backspace|delete|insert|up|down|left|right|home|end|pgup|pgdown|f[1-9]|f1[0-2])$`)

// newKeymap puts the rebound keys (action → key) into the table and refuses
// what would be ambiguous or dangerous.
func newKeymap(rebound map[string]string) (keymap, error) {
	keys := keymap(table())
	for _, name := range sortedKeys(rebound) {
		i := slices.IndexFunc(keys, func(b binding) bool { return string(b.action) == name })
		if i < 0 {
			return nil, fault.New(fault.Usage, "the actions are: "+strings.Join(keys.actions(), ", "), nil, "ui.keys: there is no action %q", name)
		}
		if err := allowed(keys[i], rebound[name]); err != nil {
			return nil, err
		}
		keys[i].keys.SetKeys(append([]string{rebound[name]}, keys[i].keys.Keys()[1:]...)...)
	}
	return keys, keys.conflict()
}

// allowed tells whether a person may put a key on an action.
func allowed(b binding, name string) error {
	refuse := func(hint, format string, args ...any) error {
		return fault.New(fault.Usage, hint, nil, "ui.keys: %s", fmt.Sprintf(format, args...))
	}
	switch {
	case b.action == actNumber:
		return refuse("leave service-number out", "the number keys cannot be moved")
	case !keyName.MatchString(name):
		return refuse("write one character, or a name such as tab, f5, ctrl+r", "%q (for %s) is no key", name, b.action)
	case name == "esc" || name == "ctrl+c":
		return refuse("esc always leads out and ctrl+c always quits; choose another key", "%s cannot be put on %s", b.action, name)
	case b.danger && (name == "enter" || name == "y" || name == "space"):
		return refuse("choose a key that confirms nothing", "%s writes, so it cannot be put on %s, which confirms", b.action, name)
	}
	return nil
}

// conflict finds two actions with one key in one place.
func (k keymap) conflict() error {
	for i, a := range k {
		for _, b := range k[:i] {
			for _, name := range a.keys.Keys() {
				if a.places&b.places != 0 && key.Matches(keystroke(name), b.keys) {
					return fault.New(fault.Usage, "give one of them another key under ui.keys", nil, "ui.keys: %s and %s are both on %s", b.action, a.action, name)
				}
			}
		}
	}
	return nil
}

func (k keymap) actions() []string {
	var out []string
	for _, b := range k {
		if b.action != actNumber {
			out = append(out, string(b.action))
		}
	}
	return out
}

// keystroke is the name of a key as a thing that a binding is matched with.
type keystroke string

// String is the name.
func (k keystroke) String() string { return string(k) }

// find is the binding of a pressed key in a place. A keyboard with another
// layout than Latin reports its Latin key beside the letter.
func (k keymap) find(pressed tea.KeyPressMsg, at place) (binding, bool) {
	for _, name := range []keystroke{keystroke(pressed.String()), keystroke(pressed.Keystroke())} {
		for _, b := range k {
			if b.places&at != 0 && key.Matches(name, b.keys) {
				return b, true
			}
		}
	}
	return binding{}, false
}

// of is the binding of an action.
func (k keymap) of(a action) binding {
	for _, b := range k {
		if b.action == a {
			return b
		}
	}
	return binding{}
}

// disabled tells why a binding is not possible now, "" if it is.
func (b binding) disabled(d *data, s subject) string {
	// Rolling back first opens the screen with the targets, which may be looked at.
	if b.danger && d.readOnly && b.action != actRollback {
		return readOnlyReason
	}
	if b.why == nil {
		return ""
	}
	return b.why(d, s)
}

// label is how a key is written for people.
func label(name string) string {
	switch name {
	case "up":
		return "↑"
	case "down":
		return "↓"
	}
	return name
}

// first is the key in the line of keys.
func (b binding) first() string { return label(b.keys.Keys()[0]) }

func (b binding) labels() string {
	if b.action == actNumber {
		return "1…9"
	}
	var out []string
	for _, name := range b.keys.Keys() {
		out = append(out, label(name))
	}
	return strings.Join(out, " ")
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

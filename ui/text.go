package ui

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// text makes one line of text from outside harmless for a screen: what
// clean.Text does, registered secrets cut out, and nothing whose width terminals
// disagree about (joiners, variation selectors, piles of combining marks).
func text(s string) string {
	s = clean.Redact(clean.Text(s))
	if ascii(s) {
		return s
	}
	var b strings.Builder
	marks := 0
	for _, r := range s {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			if marks++; marks > 2 || (r >= 0xFE00 && r <= 0xFE0F) {
				continue
			}
		} else {
			marks = 0
		}
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ascii tells whether s has no character of those that text looks for.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// cleaned copies an answer of the backend with every text in it cleaned. By
// reflection, so that a field that is added later cannot be forgotten; a copy,
// because the backend may hand out what it keeps.
func cleaned[T any](v T) T {
	out, ok := cleanValue(reflect.ValueOf(&v).Elem()).Interface().(T)
	if !ok {
		return v // only an interface type that holds nil
	}
	return out
}

func cleanValue(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() { //nolint:exhaustive // the other kinds hold no text
	case reflect.String:
		out.SetString(text(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(cleanValue(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(cleanValue(v.Elem()))
		}
	case reflect.Struct:
		out.Set(v)
		if _, isTime := v.Interface().(time.Time); !isTime {
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					out.Field(i).Set(cleanValue(v.Field(i)))
				}
			}
		}
	case reflect.Slice, reflect.Map:
		return cleanMany(v)
	default:
		return v
	}
	return out
}

// cleanMany copies a slice or a map; bytes are no text.
func cleanMany(v reflect.Value) reflect.Value {
	if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
		return v
	}
	if v.Kind() == reflect.Map {
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			out.SetMapIndex(cleanValue(key), cleanValue(value))
		}
		return out
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		out.Index(i).Set(cleanValue(v.Index(i)))
	}
	return out
}

// problem is a failure as the screens show it; every text is cleaned.
type problem struct {
	what  string     // what was tried, in a few words
	lines []string   // the message, whole
	hint  string     // what to do next
	code  fault.Code // the exit code that a script would get
	panic bool       // a defect of Plimsoll, not a failure
}

// first is the message in one line.
func (p *problem) first() string { return strings.Join(p.lines, " ") }

// problemOf makes err presentable. A long message is kept whole, in pieces:
// text limits one line, not a message.
func problemOf(what string, err error) *problem {
	if err == nil {
		return nil
	}
	p := &problem{what: what, code: fault.CodeOf(err), panic: errors.Is(err, errPanic), hint: text(fault.HintOf(err))}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		for runes := []rune(line); len(runes) > 0; {
			n := min(len(runes), clean.Limit)
			if piece := text(string(runes[:n])); strings.TrimSpace(piece) != "" {
				p.lines = append(p.lines, piece)
			}
			runes = runes[n:]
		}
	}
	if len(p.lines) == 0 {
		p.lines = []string{"it failed without saying why"}
	}
	return p
}

// errPanic is in the chain of a failure that was a defect of Plimsoll.
var errPanic = errors.New("internal error")

// short is a digest for people: twelve hex digits.
func short(d digest.Digest) string {
	s := string(d)
	if _, hex, ok := strings.Cut(s, ":"); ok {
		s = hex
	}
	for i := range s {
		if i >= 12 {
			return s[:i]
		}
	}
	return s
}

// orNone is the prod digest as --expect takes it: a digest, or none.
func orNone(d *digest.Digest) string {
	if d == nil {
		return "none"
	}
	return string(*d)
}

// age says how long ago t was, so coarsely that it rarely changes.
func age(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "?"
	case d < 10*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds())/10*10)
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// ago is age as part of a sentence.
func ago(now, t time.Time) string {
	if a := age(now, t); a != "now" {
		return a + " ago"
	}
	return "just now"
}

// nextAge is when age(t) will read differently.
func nextAge(now, t time.Time) time.Time {
	d, step := now.Sub(t), 24*time.Hour
	switch {
	case d < time.Minute:
		step = 10 * time.Second
	case d < time.Hour:
		step = time.Minute
	case d < 48*time.Hour:
		step = time.Hour
	}
	return t.Add(d.Truncate(step) + step)
}

// clock is a time for people: local, with its offset.
func clock(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.Local().Format("2006-01-02 15:04:05 -07:00")
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 0 {
		return "-" + humanize.Bytes(uint64(-n)) //nolint:gosec // it is positive
	}
	return humanize.Bytes(uint64(n)) //nolint:gosec // it is not negative
}

// fit cuts s to w cells and fills it up to w.
func fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	n := width(s)
	if n > w {
		s = ansi.Truncate(s, w, "…")
		n = width(s)
	}
	return s + strings.Repeat(" ", max(0, w-n))
}

// width is how many cells s takes; fast where it is ASCII, as nearly all is.
func width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// wrap breaks s into lines of at most w cells, hard where there is no space.
func wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	// ansi.Wrap breaks after hyphens, which tears names and URLs apart.
	const stand = "\uE000"
	return strings.Split(strings.ReplaceAll(ansi.Wrap(strings.ReplaceAll(s, "-", stand), w, " "), stand, "-"), "\n")
}

// plural is "1 check", "2 checks".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// fitLeft cuts s to its last w cells.
func fitLeft(s string, w int) string {
	if n := width(s); n > w && w > 0 {
		return ansi.TruncateLeft(s, n-w+1, "…")
	}
	return s
}

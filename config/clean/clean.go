// Package clean guards the two borders of the process: text that comes in from
// registries is made harmless before it is kept or drawn, and secrets that
// this process used are cut out of everything that leaves it.
package clean

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Limit is the most characters of one text from outside that are kept.
const Limit = 500

// Masked stands where a secret was.
const Masked = "•••"

// Text makes text from outside harmless for a terminal: no C0 or C1 control
// (line breaks and tabs become spaces), no bidirectional control, no invalid
// UTF-8, at most Limit characters.
func Text(s string) string {
	if len(s) <= Limit && printable(s) {
		return s // nearly all of it, and a screen full of rows is thousands of texts
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case unicode.IsControl(r) || bidi(r) || r == utf8.RuneError || r == '\uFEFF':
			continue
		}
		if n == Limit {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// printable tells whether s is printable ASCII, which holds nothing to drop.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// bidi tells whether r is a bidirectional or line-separating control, which
// can make one text look like another.
func bidi(r rune) bool {
	switch {
	case r == '\u061C', r == '\u200E', r == '\u200F', r == '\u2028', r == '\u2029':
		return true
	case r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// secrets are kept with the longest first: one may begin with another.
var secrets struct {
	sync.RWMutex
	values []string
}

// Secret registers a password, token or key that this process uses: from now
// on Redact cuts it out, also as URLs and JSON write it. Values under four
// bytes are not registered, they would cut ordinary text to pieces.
// Safe for concurrent use.
func Secret(value string) {
	if len(value) < 4 {
		return
	}
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	if quoted, err := json.Marshal(value); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	secrets.Lock()
	defer secrets.Unlock()
	for _, f := range forms {
		if !slices.Contains(secrets.values, f) {
			secrets.values = append(secrets.values, f)
		}
	}
	slices.SortStableFunc(secrets.values, func(a, b string) int { return len(b) - len(a) })
}

// Redact replaces every registered secret in s. Safe for concurrent use.
func Redact(s string) string {
	secrets.RLock()
	defer secrets.RUnlock()
	for _, v := range secrets.values {
		s = strings.ReplaceAll(s, v, Masked)
	}
	return s
}

// SecretName tells whether a variable of that name holds a secret by
// convention: its name contains pass, secret, token, key, credential or auth.
func SecretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "secret", "token", "key", "credential", "auth"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Line drops what could disturb a terminal from one line of our own text, which
// may quote text from outside; its length stays.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) || bidi(r) {
			return -1
		}
		return r
	}, s)
}

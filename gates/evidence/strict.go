package evidence

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Limits of what is read.
const (
	MaxSize  = 10 << 20 // bytes of a bundle, an envelope or a statement
	MaxDepth = 100      // levels of nested objects and arrays
)

// Strict tells whether raw is one JSON value that two readers cannot
// understand differently: valid, nothing after it, at most MaxSize bytes and
// MaxDepth levels, and no key twice in one object (RFC 8259 §4 leaves open
// which one counts). The error has ErrMalformed in its chain.
func Strict(raw []byte) error { return StrictUpTo(raw, MaxSize) }

// StrictUpTo is Strict with another limit of bytes, for what no registry sent.
func StrictUpTo(raw []byte, size int) error {
	if len(raw) > size {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(raw), size)
	}
	if !json.Valid(raw) {
		var v json.RawMessage
		return fmt.Errorf("%w: no valid JSON: %w", ErrMalformed, json.Unmarshal(raw, &v))
	}
	return walk(raw)
}

// level is one open object or array of the walk.
type level struct {
	object bool
	key    bool // in an object: the next string is a key
	few    []string
	many   map[string]struct{}
}

// manyKeys is how many keys of an object are compared one by one; a map is
// made only for larger objects.
const manyKeys = 16

// seen notes a key and tells whether it was there already.
func (l *level) seen(key string) bool {
	if l.many != nil {
		_, ok := l.many[key]
		l.many[key] = struct{}{}
		return ok
	}
	for _, k := range l.few {
		if k == key {
			return true
		}
	}
	l.few = append(l.few, key)
	if len(l.few) > manyKeys {
		l.many = make(map[string]struct{}, 2*manyKeys)
		for _, k := range l.few {
			l.many[k] = struct{}{}
		}
	}
	return false
}

// walk checks depth and duplicate keys of valid JSON in one pass.
func walk(raw []byte) error {
	var stack []level
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			if len(stack) == MaxDepth {
				return fmt.Errorf("%w: nested deeper than %d levels", ErrMalformed, MaxDepth)
			}
			stack = append(stack, level{object: raw[i] == '{', key: raw[i] == '{'})
		case '}', ']':
			stack = stack[:len(stack)-1]
		case ',':
			top := &stack[len(stack)-1]
			top.key = top.object
		case '"':
			end := stringEnd(raw, i)
			if len(stack) > 0 && stack[len(stack)-1].key {
				if err := stack[len(stack)-1].note(raw[i:end]); err != nil {
					return err
				}
			}
			i = end - 1
		}
	}
	return nil
}

// note reads one key of an object.
func (l *level) note(quoted []byte) error {
	l.key = false
	key := string(quoted[1 : len(quoted)-1])
	if strings.ContainsRune(key, '\\') {
		if err := json.Unmarshal(quoted, &key); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	if l.seen(key) {
		return fmt.Errorf("%w: the key %s stands twice in one object", ErrMalformed, strconv.Quote(short(key)))
	}
	return nil
}

// stringEnd is the index after the string that begins at i in valid JSON.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// short cuts text from outside for an error message.
func short(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// fields decodes raw, one object, into its fields by their exact names:
// encoding/json alone would take "PAYLOAD" for "payload".
func fields(raw []byte, what string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, fmt.Errorf("%w: %s is no JSON object", ErrMalformed, what)
	}
	return m, nil
}

// text decodes the field name of m, a string; "" if it is not there.
func text(m map[string]json.RawMessage, name, what string) (string, error) {
	raw, ok := m[name]
	if !ok {
		return "", nil
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return "", fmt.Errorf("%w: %s of %s is no string", ErrMalformed, name, what)
	}
	return *s, nil
}

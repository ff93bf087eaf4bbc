package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"plimsoll/config/clean"
)

// hashDigits is the length of a keyed hash: enough to tell values apart.
const hashDigits = 16

var maskedValue = regexp.MustCompile(`^` + clean.Masked + `[0-9a-f]{16}$`)

// Hash is a keyed hash of a secret, 16 hex digits: it tells whether the secret
// changed and nothing else. The key is made once for the store; where the
// store cannot be written it lives as long as the process. The hash of a
// Masked value is the hash that it shows.
func (s *Store) Hash(secret string) string {
	if maskedValue.MatchString(secret) {
		return strings.TrimPrefix(secret, clean.Masked)
	}
	mac := hmac.New(sha256.New, s.key())
	mac.Write([]byte(secret))
	return hex.EncodeToString(mac.Sum(nil))[:hashDigits]
}

// Masked is what stands for a secret in the store and on screens: dots, and
// its keyed hash. Masking a masked value changes nothing.
func (s *Store) Masked(secret string) string { return clean.Masked + s.Hash(secret) }

// key is the key of Hash, read or made at its first use.
func (s *Store) key() []byte {
	s.hashKeyOnce.Do(func() {
		stored := func(t txn) []byte { return clone(t.b(bMeta).Get([]byte(kHashKey))) }
		err := s.view(func(t txn) error { s.hashKey = stored(t); return nil })
		if err == nil && s.hashKey != nil {
			return
		}
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh) // never fails (crypto/rand)
		err = s.update(func(t txn) error {
			if s.hashKey = stored(t); s.hashKey != nil { // another process was faster
				return nil
			}
			s.hashKey = fresh
			return t.b(bMeta).Put([]byte(kHashKey), fresh) //nolint:wrapcheck // not shown
		})
		if err != nil {
			s.hashKey = fresh
		}
	})
	return s.hashKey
}

// redacted is v as JSON without the registered secrets in its strings.
func redacted(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write it as JSON: %w", err)
	}
	return mapStrings(raw, clean.Redact)
}

// mapStrings applies f to every string and every key of a JSON text. Numbers
// keep their digits; invalid UTF-8 becomes U+FFFD.
func mapStrings(raw []byte, f func(string) string) ([]byte, error) {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(walkStrings(v, f)); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func walkStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		for i := range v {
			v[i] = walkStrings(v[i], f)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[f(key)] = walkStrings(value, f)
		}
		return out
	}
	return v
}

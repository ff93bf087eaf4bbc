package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Negative is a failed result, a rejection or a revocation that was seen. It
// stays after the registry lost it, so that removing it never unblocks.
type Negative struct {
	Gate     string        `json:"gate"`
	Subject  digest.Digest `json:"subject"`  // the candidate
	Evidence digest.Digest `json:"evidence"` // manifest of the statement
	Key      string        `json:"key"`      // suite or reviewer that it belongs to
	At       time.Time     `json:"at"`       // its signed time; zero without one
	Reason   string        `json:"reason"`
}

// Negatives are the remembered negatives of a candidate, in a stable order.
func (s *Store) Negatives(subject digest.Digest) ([]Negative, error) {
	var out []Negative
	err := s.view(func(t txn) error {
		prefix := []byte(string(subject) + "\x00")
		cursor := t.b(bNegatives).Cursor()
		for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			n, err := decode[Negative](v)
			if err != nil {
				return err
			}
			out = append(out, n)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Remember keeps negatives for good. Known ones cost no write.
func (s *Store) Remember(negatives ...Negative) error {
	fresh, err := s.unseen(negatives)
	if err != nil || len(fresh) == 0 {
		return err
	}
	return s.update(func(t txn) error {
		for key, raw := range fresh {
			if t.b(bNegatives).Get([]byte(key)) != nil {
				continue
			}
			if err := t.b(bNegatives).Put([]byte(key), raw); err != nil {
				return err //nolint:wrapcheck // update says what was tried
			}
		}
		return nil
	})
}

func (s *Store) unseen(negatives []Negative) (map[string][]byte, error) {
	fresh := make(map[string][]byte, len(negatives))
	for _, n := range negatives {
		raw, err := redacted(n)
		if err != nil {
			return nil, fmt.Errorf("remember a negative of %s: %w", n.Subject, err)
		}
		fresh[strings.Join([]string{string(n.Subject), n.Gate, string(n.Evidence), n.Key}, "\x00")] = raw
	}
	err := s.view(func(t txn) error {
		for key := range fresh {
			if t.b(bNegatives).Get([]byte(key)) != nil {
				delete(fresh, key)
			}
		}
		return nil
	})
	return fresh, err
}

// decode reads a value of ours; what it cannot read is damage.
func decode[T any](raw []byte) (T, error) {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, damage(fmt.Sprintf("an entry cannot be read: %v", err))
	}
	return v, nil
}

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"plimsoll/config/fault"
)

// acceptance is a configuration file that a person trusted.
type acceptance struct {
	Hash    string    `json:"hash"`
	At      time.Time `json:"at"`
	Content string    `json:"content"`
}

// Accepted tells whether the file at path was accepted with exactly that hash.
// A store that cannot be read accepted nothing.
func (s *Store) Accepted(path, hash string) bool {
	a, err := s.acceptance(path)
	return err == nil && hash != "" && a.Hash == hash
}

// AcceptedContent is the file as it was accepted last, nil if it never was.
func (s *Store) AcceptedContent(path string) []byte {
	a, err := s.acceptance(path)
	if err != nil || a.Hash == "" {
		return nil
	}
	return []byte(a.Content)
}

// Accept notes that a person trusts the file at path as it is now. If its
// SHA-256 is not hash, in hex, it is not the file that the person saw: an error.
func (s *Store) Accept(path, hash string) error {
	raw, err := os.ReadFile(path) //nolint:gosec // the person named it
	if err != nil {
		return fault.New(fault.Usage, "name a configuration file that you can read", err, "trust %s", path)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != hash {
		return fault.New(fault.Usage, "look at it again", nil, "trust %s: it changed while it was shown", path)
	}
	value, err := redacted(acceptance{Hash: hash, At: s.now().UTC(), Content: string(raw)})
	if err != nil {
		return fmt.Errorf("trust %s: %w", path, err)
	}
	return s.update(func(t txn) error {
		return t.b(bAccepted).Put([]byte(path), value) //nolint:wrapcheck // update says what was tried
	})
}

func (s *Store) acceptance(path string) (a acceptance, err error) {
	err = s.view(func(t txn) error {
		raw := t.b(bAccepted).Get([]byte(path))
		if raw == nil {
			return nil
		}
		a, err = decode[acceptance](raw)
		return err
	})
	return a, err
}

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// AcceptedContent is the text that was accepted last, nil if none ever was.
func (s *Store) AcceptedContent(path string) []byte {
	a, err := s.acceptance(path)
	if err != nil || a.Hash == "" {
		return nil
	}
	return []byte(a.Content)
}

// Accept notes that a person trusts the file at path, having seen text: the file
// and the hashes of those that it names. If the SHA-256 of text is not hash, in
// hex, it is not what the person saw: an error.
func (s *Store) Accept(path, hash string, text []byte) error {
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != hash {
		return fault.New(fault.Usage, "look at it again", nil, "trust %s: it is not what was shown", path)
	}
	value, err := redacted(acceptance{Hash: hash, At: s.now().UTC(), Content: string(text)})
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

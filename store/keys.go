package store

import (
	"errors"
	"fmt"
	"time"
)

// pinnedKey is the public key that a key service gave for a reference.
type pinnedKey struct {
	PEM     string    `json:"pem"`
	Fetched time.Time `json:"fetched"`
}

// errNoReference is for a name that could be a path: paths are accepted configurations.
var errNoReference = errors.New("it is no reference of a key service")

// PinnedKey is the public key in PEM that was pinned for a reference of a key
// service (azurekms://…); false without one. It is kept for good.
func (s *Store) PinnedKey(ref string) (pem []byte, found bool, err error) {
	if !isReference(ref) {
		return nil, false, fmt.Errorf("find the key of %s: %w", ref, errNoReference)
	}
	err = s.view(func(t txn) error {
		k, ok, err := pinned(t, ref)
		pem, found = []byte(k.PEM), ok
		return err
	})
	return pem, found, err
}

// PinKey pins a public key in PEM for a reference and gives the one that is
// pinned now: of two processes that pin a first key at once both get one. Only
// with replace is a pinned key changed.
func (s *Store) PinKey(ref string, pem []byte, replace bool) (now []byte, err error) {
	if !isReference(ref) {
		return nil, fmt.Errorf("pin the key of %s: %w", ref, errNoReference)
	}
	value, err := redacted(pinnedKey{PEM: string(pem), Fetched: s.now().UTC()})
	if err != nil {
		return nil, fmt.Errorf("pin the key of %s: %w", ref, err)
	}
	now = pem
	err = s.update(func(t txn) error {
		k, found, err := pinned(t, ref)
		if err != nil && !replace {
			return err
		}
		if found && !replace {
			now = []byte(k.PEM)
			return nil
		}
		return t.b(bAccepted).Put([]byte(ref), value) //nolint:wrapcheck // update says what was tried
	})
	return now, err
}

func pinned(t txn, ref string) (k pinnedKey, found bool, err error) {
	raw := t.b(bAccepted).Get([]byte(ref))
	if raw == nil {
		return k, false, nil
	}
	k, err = decode[pinnedKey](raw)
	return k, err == nil, err
}

// isReference tells references from the absolute paths of configurations, which share a bucket.
func isReference(ref string) bool {
	for i, r := range ref {
		switch {
		case r >= 'a' && r <= 'z':
		case r == ':' && i > 1: // longer than the letter of a drive
			return len(ref) > i+3 && ref[i:i+3] == "://"
		default:
			return false
		}
	}
	return false
}

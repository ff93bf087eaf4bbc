package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// untrusted is the Problem of everything that an untrusted configuration would have to ask for.
const untrusted = "the configuration is not trusted yet, so nobody is asked; accept it with plimsoll trust"

// resolve finds the key of one reference: the pinned one, else it asks and pins.
func resolve(ctx context.Context, ref string, cache Cache, o Options) config.Key {
	raw, found, err := cache.PinnedKey(ref)
	switch {
	case err != nil:
		return unknown(ref, "the store cannot say which key was pinned: "+clean.Text(err.Error()))
	case !found && !o.Trusted:
		return unknown(ref, untrusted)
	case !found:
		fetched, err := fetch(ctx, ref)
		if err != nil {
			return unknown(ref, clean.Text(err.Error()))
		}
		if raw, err = cache.PinKey(ref, fetched, false); err != nil {
			o.note("the public key of %s cannot be kept, it is asked for again next time: %v", clean.Text(ref), err)
			raw = fetched
		}
	}
	key, err := parse(ref, raw)
	if err != nil {
		return unknown(ref, "the pinned key cannot be read: "+clean.Text(err.Error())+"; plimsoll trust asks for it again")
	}
	return key
}

func unknown(ref, problem string) config.Key { return config.Key{Path: ref, Problem: problem} }

// parse reads a public key that encode wrote.
func parse(ref string, raw []byte) (config.Key, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return config.Key{}, fmt.Errorf("it is no PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return config.Key{}, fmt.Errorf("read the public key: %w", err)
	}
	return config.Key{Path: ref, PEM: raw, SPKI: block.Bytes, Public: public}, nil
}

// Pin is what came of asking a key service again for one reference.
type Pin struct {
	Reference string `json:"reference"`
	Before    string `json:"before"` // fingerprint of the pinned key, "" for none
	Now       string `json:"now"`    // of the key that the service gives
	pem       []byte
}

// Changed tells whether another key was pinned before.
func (p Pin) Changed() bool { return p.Before != "" && p.Before != p.Now }

// Ask asks the key services for the keys of all references of cfg and compares
// them with the pinned ones; it pins none. The error says which could not be had.
func Ask(ctx context.Context, cfg *config.Config, cache Cache) ([]Pin, error) {
	var pins []Pin
	var failed []error
	for _, ref := range References(cfg) {
		raw, err := fetch(ctx, ref)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		p := Pin{Reference: ref, Now: Fingerprint(raw), pem: raw}
		before, found, err := cache.PinnedKey(ref)
		if err != nil {
			failed = append(failed, err)
		}
		if found {
			p.Before = Fingerprint(before)
		}
		pins = append(pins, p)
	}
	return pins, fault.Join(failed...)
}

// Accept pins the key in place of the one before.
func (p Pin) Accept(cache Cache) error {
	pinned, err := cache.PinKey(p.Reference, p.pem, true)
	if err == nil && !bytes.Equal(pinned, p.pem) {
		err = fmt.Errorf("another key is pinned")
	}
	if err != nil {
		return fmt.Errorf("pin the key of %s: %w", clean.Text(p.Reference), err)
	}
	return nil
}

// Fingerprint names a public key in PEM: SHA-256 of its SubjectPublicKeyInfo.
func Fingerprint(raw []byte) string {
	block, _ := pem.Decode(raw)
	if block == nil {
		return "unreadable"
	}
	sum := sha256.Sum256(block.Bytes)
	return "sha256:" + hex.EncodeToString(sum[:])
}

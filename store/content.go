package store

import (
	"bytes"
	"crypto/sha256"

	"github.com/opencontainers/go-digest"
)

// How a content is stored.
const (
	verbatim = 'v' // the bytes that the digest names
	masked   = 'm' // an image configuration without its secrets, after its own SHA-256
)

// Content is the content of that digest, nil if the store does not have it.
// Bytes that do not match their digest count as not there. An image
// configuration that held secrets comes back with masked values (see Masked).
func (s *Store) Content(dg digest.Digest) ([]byte, error) {
	found, err := s.Contents([]digest.Digest{dg})
	return found[dg], err
}

// Contents is Content for many digests in one transaction; unknown ones are
// not in the map.
func (s *Store) Contents(dgs []digest.Digest) (map[digest.Digest][]byte, error) {
	found := map[digest.Digest][]byte{}
	err := s.view(func(t txn) error {
		c := s.contents(t)
		for _, dg := range dgs {
			if raw := readContent(dg, c.get([]byte(dg))); raw != nil {
				found[dg] = raw
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PutContent keeps blobs under their SHA-256 digests, for good or until newer
// ones need the room. Blobs that are there already cost no write.
func (s *Store) PutContent(blobs ...[]byte) error {
	fresh, err := s.unknown(blobs)
	if err != nil || len(fresh) == 0 {
		return err
	}
	values := make(map[digest.Digest][]byte, len(fresh))
	for dg, raw := range fresh {
		values[dg] = s.contentValue(raw)
	}
	return s.update(func(t txn) error {
		c := s.contents(t)
		for dg, value := range values {
			if err := c.put([]byte(dg), value); err != nil {
				return err
			}
		}
		return nil
	})
}

// unknown leaves out the blobs that the store has.
func (s *Store) unknown(blobs [][]byte) (map[digest.Digest][]byte, error) {
	fresh := make(map[digest.Digest][]byte, len(blobs))
	for _, raw := range blobs {
		if uint64(len(raw)) < s.limit/cacheShare {
			fresh[digest.FromBytes(raw)] = raw
		}
	}
	err := s.view(func(t txn) error {
		c := s.contents(t)
		for dg := range fresh {
			if readContent(dg, c.get([]byte(dg))) != nil {
				delete(fresh, dg)
			}
		}
		return nil
	})
	return fresh, err
}

func (s *Store) contentValue(raw []byte) []byte {
	if safe, changed := s.maskConfig(raw); changed {
		sum := sha256.Sum256(safe)
		return append(append([]byte{masked}, sum[:]...), safe...)
	}
	return append([]byte{verbatim}, raw...)
}

// readContent is the content in a stored value, nil if it is not what was stored.
func readContent(dg digest.Digest, value []byte) []byte {
	if len(value) == 0 {
		return nil
	}
	form, raw := value[0], value[1:]
	switch {
	case form == verbatim:
		if dg.Algorithm() != digest.SHA256 || digest.FromBytes(raw) != dg {
			return nil
		}
	case form == masked && len(raw) > sha256.Size:
		sum := sha256.Sum256(raw[sha256.Size:])
		if !bytes.Equal(sum[:], raw[:sha256.Size]) {
			return nil
		}
		raw = raw[sha256.Size:]
	default:
		return nil
	}
	return append([]byte{}, raw...)
}

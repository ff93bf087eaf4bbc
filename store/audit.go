package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/gowebpki/jcs"

	"plimsoll/config/fault"
)

// AuditEntry is one link of the local audit chain.
type AuditEntry struct {
	Number   uint64          `json:"number"`
	At       time.Time       `json:"at"`
	Action   string          `json:"action"` // promote, rollback, adopt, quarantine, sign-off, attest, trust, ...
	Service  string          `json:"service"`
	Actor    string          `json:"actor"`
	Data     json.RawMessage `json:"data"`
	Previous string          `json:"previous"` // hash of the entry before, hex; "" for the first
	Hash     string          `json:"hash"`     // SHA-256 of the canonical JSON of the entry without this field, hex
}

// ErrChain is in the chain of an error about a broken link.
var ErrChain = fmt.Errorf("the audit chain is broken")

// auditPage is how many entries are read in one transaction.
const auditPage = 500

// Audit appends an entry to the chain and returns it. Data is any JSON value
// or nil; secrets of this process are cut out of it.
func (s *Store) Audit(action, service, actor string, data any) (AuditEntry, error) {
	entry := AuditEntry{At: s.now().UTC().Truncate(time.Millisecond), Action: action, Service: service, Actor: actor}
	var err error
	if entry.Data, err = redacted(data); err != nil {
		return AuditEntry{}, fmt.Errorf("audit %s of %s: %w", action, service, err)
	}
	err = s.update(func(t txn) error {
		if entry.Previous, err = t.auditHead(); err != nil {
			return err
		}
		if entry.Number, err = t.b(bAudit).NextSequence(); err != nil {
			return err //nolint:wrapcheck // update says what was tried
		}
		raw, err := seal(&entry)
		if err != nil {
			return err
		}
		return t.b(bAudit).Put(number(entry.Number), raw) //nolint:wrapcheck // as above
	})
	if err != nil {
		return AuditEntry{}, fmt.Errorf("audit %s of %s: %w", action, service, err)
	}
	return entry, nil
}

// auditHead is the hash of the newest entry, "" without one.
func (t txn) auditHead() (string, error) {
	_, raw := t.b(bAudit).Cursor().Last()
	if raw == nil {
		return "", nil
	}
	entry, err := decode[AuditEntry](raw)
	return entry.Hash, err
}

// seal fills in the hash and gives the bytes to store.
func seal(entry *AuditEntry) ([]byte, error) {
	raw, err := redacted(entry)
	if err != nil {
		return nil, err
	}
	if entry.Hash, err = chainHash(raw); err != nil {
		return nil, err
	}
	sealed := *entry
	return redacted(sealed)
}

// chainHash is the SHA-256 of the RFC 8785 form of the entry without its hash,
// of every field that is stored, known or not.
func chainHash(raw []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", fmt.Errorf("read the entry: %w", err)
	}
	delete(fields, "hash")
	plain, err := json.Marshal(fields)
	if err != nil {
		return "", fmt.Errorf("write the entry: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return "", fmt.Errorf("make the entry canonical: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// link is an entry as stored.
type link struct {
	key uint64
	raw []byte
}

// links reads the chain page by page, so that no lock is held while the caller
// works. The last value of a broken read is its error.
func (s *Store) links() iter.Seq2[link, error] {
	return func(yield func(link, error) bool) {
		for next := uint64(1); ; {
			page, err := s.auditPage(next)
			if err != nil {
				yield(link{}, err)
				return
			}
			for _, l := range page {
				if !yield(l, nil) {
					return
				}
				next = l.key + 1
			}
			if len(page) < auditPage {
				return
			}
		}
	}
}

func (s *Store) auditPage(from uint64) ([]link, error) {
	var page []link
	err := s.view(func(t txn) error {
		cursor := t.b(bAudit).Cursor()
		for k, v := cursor.Seek(number(from)); k != nil && len(page) < auditPage; k, v = cursor.Next() {
			page = append(page, link{numberIn(k), clone(v)})
		}
		return nil
	})
	return page, err
}

// AuditEntries are the entries of the chain, oldest first, as they are stored:
// only VerifyAudit tells whether they are what was written. An error ends them.
func (s *Store) AuditEntries() iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		for l, err := range s.links() {
			var entry AuditEntry
			if err == nil {
				entry, err = decode[AuditEntry](l.raw)
				err = s.explain(false, err)
			}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// AuditHead is the number and the hash of the newest entry; 0 and "" without one.
func (s *Store) AuditHead() (n uint64, hash string, err error) {
	err = s.view(func(t txn) error {
		n = t.b(bAudit).Sequence()
		hash, err = t.auditHead()
		return err
	})
	return n, hash, err
}

// VerifyAudit checks every link and that none is missing at the end. The error
// names the first broken one and has ErrChain in its chain. Who can write the
// file can also write a new chain: compare its head with those in the ledger.
func (s *Store) VerifyAudit() error {
	var head uint64
	err := s.view(func(t txn) error {
		head = t.b(bAudit).Sequence()
		return nil
	})
	if err != nil {
		return err
	}
	last, previous := uint64(0), ""
	for l, err := range s.links() {
		if err != nil {
			return err
		}
		if previous, err = checkLink(l, last, previous); err != nil {
			return s.broken(last+1, err)
		}
		last = l.key
	}
	if last < head { // entries may have been added meanwhile
		return s.broken(last+1, fmt.Errorf("it is missing, the newest was %d", head))
	}
	return nil
}

// checkLink checks one link against the one before and gives its hash.
func checkLink(l link, last uint64, previous string) (string, error) {
	if l.key != last+1 {
		return "", fmt.Errorf("it is missing, the next is %d", l.key)
	}
	var entry AuditEntry
	if err := json.Unmarshal(l.raw, &entry); err != nil {
		return "", fmt.Errorf("it cannot be read: %w", err)
	}
	hash, err := chainHash(l.raw)
	switch {
	case err != nil:
		return "", err
	case hash != entry.Hash:
		return "", fmt.Errorf("its content was changed: it has hash %s and says %s", hash, entry.Hash)
	case entry.Number != l.key:
		return "", fmt.Errorf("it says that it is number %d", entry.Number)
	case entry.Previous != previous:
		return "", fmt.Errorf("it follows %q, the one before is %q", entry.Previous, previous)
	}
	return hash, nil
}

func (s *Store) broken(n uint64, why error) error {
	return fault.New(fault.Failed, "keep a copy of "+s.Path()+" and compare with the records in the ledger: entries from this number on prove nothing",
		fmt.Errorf("%w: %w", ErrChain, why), "verify the audit chain of %s: link %d", s.Path(), n)
}

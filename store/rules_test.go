package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A lease is held by at most one owner at any time, whatever the order of
// takes, renewals, releases and pauses.
func TestLeaseIsHeldByAtMostOne(t *testing.T) {
	s := open(t)
	clock := time.Unix(1_800_000_000, 0)
	s.now = func() time.Time { return clock }
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		identity := "prod/chat:" + strconv.Itoa(round)
		type holding struct {
			release, renew func() error
			until          time.Time
		}
		var holder *holding // the model
		var all []*holding
		for range rapid.IntRange(1, 8).Draw(r, "steps") {
			ttl := time.Duration(rapid.IntRange(1, 5).Draw(r, "ttl")) * time.Second
			switch rapid.IntRange(0, 3).Draw(r, "action") {
			case 0:
				clock = clock.Add(time.Duration(rapid.IntRange(0, 6).Draw(r, "pause")) * time.Second)
			case 1:
				release, renew, err := s.Lease(identity, "someone", ttl)
				free := holder == nil || !clock.Before(holder.until)
				if (err == nil) != free {
					r.Fatalf("free %v, Lease: %v", free, err)
				}
				var held *LeaseHeld
				if err != nil && !errors.As(err, &held) {
					r.Fatalf("not a LeaseHeld: %v", err)
				}
				if err == nil {
					holder = &holding{release, func() error { return renew() }, clock.Add(ttl)}
					all = append(all, holder)
				}
			case 2:
				if len(all) == 0 {
					continue
				}
				h := rapid.SampledFrom(all).Draw(r, "holder")
				if err := h.renew(); (err == nil) != (h == holder) || err != nil && !errors.Is(err, ErrLeaseLost) {
					r.Fatalf("renew: %v, holder %v", err, h == holder)
				}
				if h == holder { // renewed by its own ttl
					h.until = untilOf(r, s, identity)
				}
			case 3:
				if len(all) == 0 {
					continue
				}
				h := rapid.SampledFrom(all).Draw(r, "holder")
				if err := h.release(); err != nil {
					r.Fatalf("release: %v", err)
				}
				if h == holder {
					holder = nil
				}
			}
		}
	})
}

func untilOf(r *rapid.T, s *Store, identity string) (until time.Time) {
	err := s.view(func(x txn) error {
		held, _, err := x.lease(identity)
		until = held.Until
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return until
}

func TestAuditChainVerifiesAndNamesTheFirstBrokenLink(t *testing.T) {
	s := open(t)
	for i := range 12 {
		e, err := s.Audit("promote", "chat", "me", map[string]any{"i": i, "text": "a<b>&\u2028", "big": 1e21, "none": nil})
		must(t, err)
		if e.Number != uint64(i+1) || e.Hash == "" {
			t.Fatalf("%+v", e)
		}
	}
	must(t, s.VerifyAudit())
	whole, err := os.ReadFile(s.Path())
	must(t, err)
	damage := map[string]func(txn, uint64) error{
		"change a field": func(x txn, n uint64) error {
			raw := x.b(bAudit).Get(number(n))
			return x.b(bAudit).Put(number(n), []byte(strings.Replace(string(raw), `"me"`, `"you"`, 1)))
		},
		"add a field": func(x txn, n uint64) error {
			raw := x.b(bAudit).Get(number(n))
			return x.b(bAudit).Put(number(n), append([]byte(`{"Actor":"you",`), raw[1:]...))
		},
		"change and seal again": func(x txn, n uint64) error {
			var e AuditEntry
			_ = json.Unmarshal(x.b(bAudit).Get(number(n)), &e)
			e.Actor = "you"
			raw, err := seal(&e)
			return errors.Join(err, x.b(bAudit).Put(number(n), raw))
		},
		"remove":  func(x txn, n uint64) error { return x.b(bAudit).Delete(number(n)) },
		"garbage": func(x txn, n uint64) error { return x.b(bAudit).Put(number(n), []byte("{")) },
	}
	for name, tamper := range damage {
		for _, n := range []uint64{1, 7, 12} {
			must(t, os.WriteFile(s.Path(), whole, 0o600))
			must(t, s.update(func(x txn) error { return tamper(x, n) }))
			first := n
			if name == "change and seal again" {
				first = n + 1 // its follower shows it
			}
			err := s.VerifyAudit()
			if first > 12 {
				must(t, err) // only the heads in the ledger tell; the documentation says so
				continue
			}
			if !errors.Is(err, ErrChain) || !strings.Contains(err.Error(), "link "+strconv.FormatUint(first, 10)+":") {
				t.Errorf("%s %d: %v", name, n, err)
			}
		}
	}
}

func TestAuditChainHoldsForAnyData(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(r *rapid.T) {
		data := map[string]any{
			rapid.String().Draw(r, "key"): rapid.String().Draw(r, "text"),
			"n":                           rapid.Float64().Draw(r, "n"),
			"i":                           rapid.Int64().Draw(r, "i"),
		}
		if _, err := s.Audit(rapid.String().Draw(r, "action"), string(rapid.SliceOf(rapid.Byte()).Draw(r, "service")), "me", data); err != nil {
			r.Fatal(err)
		}
	})
	must(t, s.VerifyAudit())
	seen := uint64(0)
	for e, err := range s.AuditEntries() {
		must(t, err)
		seen++
		if e.Number != seen {
			t.Fatalf("entry %d came as number %d", e.Number, seen)
		}
	}
	if n, hash, err := s.AuditHead(); n != seen || hash == "" || err != nil {
		t.Errorf("head %d %q %v of %d", n, hash, err, seen)
	}
}

// The chain is longer than a page of the reader.
func TestLongAuditChainIsReadWhole(t *testing.T) {
	s := open(t)
	const n = 2*auditPage + 3
	must(t, s.update(func(x txn) error {
		for range n {
			e := AuditEntry{Action: "promote"}
			var err error
			if e.Previous, err = x.auditHead(); err != nil {
				return err
			}
			e.Number, _ = x.b(bAudit).NextSequence()
			raw, err := seal(&e)
			if err = errors.Join(err, x.b(bAudit).Put(number(e.Number), raw)); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.VerifyAudit())
	for _, err := range s.AuditEntries() {
		must(t, err)
		_, err = s.Audit("in the middle", "", "", nil) // the reader holds no lock
		must(t, err)
		break
	}
}

func FuzzDecoding(f *testing.F) {
	f.Add([]byte(`{"id":"1","state":"open","steps":[{}],"data":{}}`))
	f.Add([]byte(`{"number":1,"hash":"","data":null}`))
	f.Add([]byte(`{"rootfs":{},"config":{"Env":["TOKEN=x"]}}`))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 'v'})
	s, err := Open(filepath.Join(f.TempDir(), "state"))
	must(f, err)
	s.Hash("make the key")
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, decodes := range []func([]byte) error{
			func(b []byte) error { _, err := decode[Operation](b); return err },
			func(b []byte) error { _, err := decode[Negative](b); return err },
			func(b []byte) error { _, err := decode[lease](b); return err },
			func(b []byte) error { _, err := decode[acceptance](b); return err },
		} {
			if err := decodes(raw); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v is not damage", err)
			}
		}
		_, _ = checkLink(link{1, raw}, 0, "")
		readContent("sha256:aa", raw)
		if safe, changed := s.maskConfig(raw); changed {
			if again, more := s.maskConfig(safe); more {
				t.Errorf("masking twice changes %s to %s", safe, again)
			}
		}
	})
}

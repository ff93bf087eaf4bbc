package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEverySupportedKindOfKeyIsRead(t *testing.T) {
	// Go makes no key this short any more; the number alone is what is checked.
	small := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		public crypto.PublicKey
		ok     bool
	}{
		"P-256": {curve(t, elliptic.P256()), true}, "P-384": {curve(t, elliptic.P384()), true},
		"P-224": {curve(t, elliptic.P224()), false}, "Ed25519": {edwards, true},
		"RSA 2048": {large.Public(), true}, "RSA 1024": {small, false},
	} {
		der, err := x509.MarshalPKIXPublicKey(c.public)
		if err != nil {
			t.Fatal(err)
		}
		public, spki, err := parseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if (err == nil) != c.ok || c.ok && (string(spki) != string(der) || public == nil) {
			t.Errorf("%s: %v", name, err)
		}
		var ke *keyError
		if !c.ok && !errors.As(err, &ke) {
			t.Errorf("%s: no remedy: %v", name, err)
		}
	}
}

func curve(t *testing.T, c elliptic.Curve) crypto.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func TestTwoKeysInOneFileAreRefused(t *testing.T) {
	der, err := x509.MarshalPKIXPublicKey(curve(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	one := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if _, _, err := parseKey(append(one, one...)); err == nil {
		t.Error("the second key would be ignored silently")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		public, spki, err := parseKey(raw)
		if err != nil {
			return
		}
		again, err := x509.ParsePKIXPublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		if k, ok := public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(again) {
			t.Fatal("the SPKI is another key")
		}
	})
}

func TestDevicesAreNotRead(t *testing.T) {
	if _, err := readFile(os.DevNull, 10); err == nil {
		t.Error("a device gives bytes for ever, or none")
	}
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(path, 10); err == nil {
		t.Error("11 bytes, 10 allowed")
	}
}

func TestDurationsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(longest/time.Second)).Draw(t, "seconds")) * time.Second
		got, err := parseDuration(written(d))
		if err != nil || got != d {
			t.Fatalf("%s: %v %v", written(d), got, err)
		}
	})
	for s, want := range map[string]time.Duration{"30m": 30 * time.Minute, "72h": 72 * time.Hour, "90d": 2160 * time.Hour, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "d", "1", "-1h", "1.5h", "1h ", "1y", "99999d", "9223372036854775808s", "36525d1s", "1é"} {
		if d, err := parseDuration(s); err == nil {
			t.Errorf("%q: %v", s, d)
		}
	}
}

// written is a duration as people write it: days, then seconds.
func written(d time.Duration) string {
	days := d / (24 * time.Hour)
	return strconv.FormatInt(int64(days), 10) + "d" + strconv.FormatInt(int64((d-days*24*time.Hour)/time.Second), 10) + "s"
}

func TestLoopbackIsOnlyThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1": true, "127.9.9.9:80": true, "[::1]": true, "[::1]:5000": true,
		"localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1:5000": false, "0.0.0.0": false, "": false,
	} {
		if loopback(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

// TestEveryExampleOfTheTableIsRight: the examples go into errors and into the documentation.
func TestEveryExampleOfTheTableIsRight(t *testing.T) {
	var walk func(s *shape, path string)
	walk = func(s *shape, path string) {
		for _, f := range s.forms {
			walk(f, path)
		}
		if s.of != nil {
			walk(s.of, path+"[]")
		}
		for _, k := range s.keys {
			at := join(path, k.name)
			if k.doc == "" || k.example == "" {
				t.Errorf("%s has no meaning or no example", at)
			}
			src := newSource("example", []byte(k.example))
			if root := parseTree(src, []byte("example: "+k.example)); root != nil {
				c := checker{source: src}
				c.check(root.get("example"), k.value, at)
			}
			if err := src.err(); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			walk(k.value, at)
		}
	}
	walk(teamShape(), "")
	walk(personalShape(), "")
}

func TestNearestWord(t *testing.T) {
	known := []string{"signers", "max-age", "suites", "e2e", "scan"}
	for word, want := range map[string]string{"signer": "signers", "sginers": "signers", "maxage": "max-age", "MAX-AGE": "max-age", "e2": "e2e", "volume": "", "x": "", "": ""} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}

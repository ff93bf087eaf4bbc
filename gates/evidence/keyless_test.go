package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/sigstoretest"
)

const (
	github   = "https://token.actions.githubusercontent.com"
	workflow = "https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main"
)

var ours = sigstoretest.Signing{Issuer: github, Identity: workflow}

func certified(raw []byte) evidence.Item {
	return evidence.Item{Subject: image, Form: evidence.Bundle, Raw: raw}
}

func TestAWorkflowsSignatureVerifies(t *testing.T) {
	sigstore := sigstoretest.New(t)
	group := sigstore.Group(t, "github-e2e", github, workflow)
	logged := time.Now().Add(-20 * time.Second).Truncate(time.Second)
	for name, how := range map[string]sigstoretest.Signing{
		"GitHub and cosign v3":  {At: logged},
		"log and timestamp":     {At: logged, Timestamp: true},
		"bundle v0.2":           {At: logged, Version: "0.2"},
		"bundle v0.1":           {At: logged, Version: "0.1"},
		"timestamp, not logged": {NoLog: true, Timestamp: true},
	} {
		t.Run(name, func(t *testing.T) {
			how.Issuer, how.Identity = github, workflow
			v, err := evidence.Verify(certified(sigstore.Bundle(t, how, testStatement(t, image))), group, now)
			if err != nil {
				t.Fatal(err)
			}
			if v.Identity != workflow || v.Person != "" || v.Group != "github-e2e" || v.Key.Public != nil || !v.About(image) {
				t.Errorf("got %+v", v)
			}
			at, err := v.SignedTime()
			if err != nil || !how.NoLog && !at.Equal(logged) || time.Since(at) > time.Minute {
				t.Errorf("signed at %s (%v), not when it was logged, %s", at, err, logged)
			}
		})
	}
}

func TestWhoIsNotTheWorkflowIsAWrongSigner(t *testing.T) {
	sigstore := sigstoretest.New(t)
	bundle := sigstore.Bundle(t, ours, testStatement(t, image))
	pattern := func(p string) config.Workflow {
		return config.Workflow{Issuer: github, Pattern: regexp.MustCompile(`\A(?:` + p + `)\z`)}
	}
	cases := map[string]struct {
		member config.Workflow
		want   error
	}{
		"exact":                    {config.Workflow{Issuer: github, Identity: workflow}, nil},
		"pattern":                  {pattern(`https://github\.com/acme/chat/.*@refs/heads/(main|release/.*)`), nil},
		"another issuer":           {config.Workflow{Issuer: "https://gitlab.com", Identity: workflow}, evidence.ErrWrongSigner},
		"issuer with more":         {config.Workflow{Issuer: github + "/", Identity: workflow}, evidence.ErrWrongSigner},
		"no issuer":                {config.Workflow{Identity: workflow}, evidence.ErrWrongSigner},
		"another branch":           {config.Workflow{Issuer: github, Identity: strings.Replace(workflow, "main", "dev", 1)}, evidence.ErrWrongSigner},
		"a prefix":                 {config.Workflow{Issuer: github, Identity: workflow[:len(workflow)-1]}, evidence.ErrWrongSigner},
		"pattern of another":       {pattern(`https://github\.com/evil/.*`), evidence.ErrWrongSigner},
		"pattern of a part":        {config.Workflow{Issuer: github, Pattern: regexp.MustCompile(`acme/chat`)}, evidence.ErrWrongSigner},
		"neither name nor pattern": {config.Workflow{Issuer: github}, evidence.ErrWrongSigner},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			group := config.Group{Name: "ci", Workflow: []config.Workflow{c.member}, Root: sigstore.Root(t)}
			if _, err := evidence.Verify(certified(bundle), group, now); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	_, keys := newKey(t, "keys")
	if _, err := evidence.Verify(certified(bundle), keys, now); !errors.Is(err, evidence.ErrWrongSigner) || !strings.Contains(err.Error(), "keyless") {
		t.Errorf("a group of keys gave %v", err)
	}
}

func TestACertificateThatDoesNotHoldProvesNothing(t *testing.T) {
	sigstore, others := sigstoretest.New(t), sigstoretest.New(t)
	group := sigstore.Group(t, "ci", github, workflow)
	statement := testStatement(t, image)
	good := sigstore.Bundle(t, ours, statement)
	with := func(change func(*sigstoretest.Signing)) []byte {
		how := ours
		change(&how)
		return sigstore.Bundle(t, how, statement)
	}
	forged := sigstore.Bundle(t, ours, testStatement(t, other))
	withCTLog := group
	withCTLog.Root = sigstore.RootWithCTLog(t)
	cases := []struct {
		name  string
		raw   []byte
		group config.Group
		want  error
		says  string
	}{
		{"of another Sigstore", others.Bundle(t, ours, statement), group, evidence.ErrWrongSigner, "does not hold"},
		{"neither log nor timestamp", with(func(s *sigstoretest.Signing) { s.NoLog = true }), group, evidence.ErrExpiredKey, "neither a log entry nor a timestamp"},
		{"logged after it expired", with(func(s *sigstoretest.Signing) { s.At = time.Now().Add(time.Hour / 2) }), group, evidence.ErrWrongSigner, "validity"},
		{"logged before it was made", with(func(s *sigstoretest.Signing) { s.At = time.Now().Add(-time.Hour / 2) }), group, evidence.ErrWrongSigner, "validity"},
		{"another payload", spliced(t, good, forged, "dsseEnvelope", "payload"), group, evidence.ErrWrongSigner, "did not make its signature"},
		{"another certificate", spliced(t, good, others.Bundle(t, ours, statement), "verificationMaterial", "certificate"), group, evidence.ErrWrongSigner, "did not make its signature"},
		{"the log entry of another", spliced(t, good, forged, "verificationMaterial", "tlogEntries"), group, evidence.ErrWrongSigner, "does not match"},
		{"no SCT where the root has a log of certificates", good, withCTLog, evidence.ErrWrongSigner, "certificate timestamp"},
		{"two ways to name the envelope", bytes.Replace(good, []byte(`"dsseEnvelope"`), []byte(`"dsse_envelope":{},"dsseEnvelope"`), 1), group, evidence.ErrUnsupported, ""},
		{"a field that nobody knows", bytes.Replace(good, []byte(`"mediaType"`), []byte(`"more":1,"mediaType"`), 1), group, evidence.ErrUnsupported, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // afresh, and from memory
				_, err := evidence.Verify(certified(c.raw), c.group, now)
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %v: %s", err, c.want, c.says)
				}
			}
		})
	}
}

// spliced puts the field of one bundle in the place of another's.
func spliced(t *testing.T, into, from []byte, part, field string) []byte {
	t.Helper()
	var a, b map[string]any
	if json.Unmarshal(into, &a) != nil || json.Unmarshal(from, &b) != nil {
		t.Fatal("no JSON")
	}
	a[part].(map[string]any)[field] = b[part].(map[string]any)[field]
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnUnknownKeyOrRootIsUnreadableNeverAWrongSigner(t *testing.T) {
	sigstore := sigstoretest.New(t)
	keyless := certified(sigstore.Bundle(t, ours, testStatement(t, image)))
	signer, known := newKey(t, "ci")
	keyed := signed(t, signer, testStatement(t, image))
	unknown := config.Key{Path: "awskms:///alias/ci", Problem: "the network is down"}

	noRoot := sigstore.Group(t, "gh", github, workflow)
	noRoot.Root, noRoot.RootProblem = nil, "the network is down"
	noKey := config.Group{Name: "ci", Keys: []config.Key{unknown}}
	for name, c := range map[string]struct {
		item  evidence.Item
		group config.Group
	}{"root": {keyless, noRoot}, "key": {keyed, noKey}} {
		if _, err := evidence.Verify(c.item, c.group, now); !errors.Is(err, evidence.ErrUnreadable) || !strings.Contains(err.Error(), "the network is down") {
			t.Errorf("an unknown %s gave %v", name, err)
		}
	}
	badRoot := noRoot
	badRoot.Root = []byte(`{"mediaType":"x"}`)
	if _, err := evidence.Verify(keyless, badRoot, now); !errors.Is(err, evidence.ErrUnreadable) {
		t.Errorf("a root that is none gave %v", err)
	}
	// Where somebody fits, or the unknown member cannot have signed it, the answer is known.
	known.Keys = append(known.Keys, unknown)
	if _, err := evidence.Verify(keyed, known, now); err != nil {
		t.Errorf("a known key beside an unknown one gave %v", err)
	}
	if _, err := evidence.Verify(keyless, noKey, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("a certificate, for an unknown key, gave %v", err)
	}
	if _, err := evidence.Verify(keyed, noRoot, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("a key, for an unknown root, gave %v", err)
	}
	noRoot.Workflow[0].Identity = "https://github.com/acme/other"
	if _, err := evidence.Verify(keyless, noRoot, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("another workflow's certificate, without a root, gave %v", err)
	}
}

// What npm published for sigstore 2.0.0: a real workflow, certificate with SCT, and log.
func TestARealWorkflowsProvenanceVerifiesOffline(t *testing.T) {
	item := certified(fixtureIn(t, "sigstore", "npm-provenance.bundle.json"))
	group := config.Group{Name: "npm", Root: fixtureIn(t, "sigstore", "trusted_root.json"), Workflow: []config.Workflow{{
		Issuer: github, Identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
	}}}
	v, err := evidence.Verify(item, group, now)
	if err != nil {
		t.Fatal(err)
	}
	if v.Statement.PredicateType != evidence.SLSA1 && v.Statement.PredicateType != evidence.SLSA02 || v.Logged.Year() != 2023 {
		t.Errorf("got %s, logged %s", v.Statement.PredicateType, v.Logged)
	}
	group.Root = sigstoretest.New(t).Root(t)
	if _, err := evidence.Verify(item, group, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("another root gave %v", err)
	}
	two := certified(fixtureIn(t, "sigstore", "two-signatures.bundle.json"))
	if _, err := evidence.Verify(two, group, now); !errors.Is(err, evidence.ErrUnsupported) || !strings.Contains(err.Error(), "2 signatures") {
		t.Errorf("two signatures gave %v", err)
	}
}

// cosign with a key and a log writes both into one bundle; the key vouches.
func TestABundleWithAKeyAndALogEntryIsVerifiedByTheKey(t *testing.T) {
	signer, group := newKey(t, "ci")
	item := signed(t, signer, testStatement(t, image))
	entries := `"tlogEntries":[{"logIndex":"1","integratedTime":"1"}],"publicKey"`
	item.Raw = bytes.Replace(item.Raw, []byte(`"publicKey"`), []byte(entries), 1)
	v, err := evidence.Verify(item, group, now)
	if err != nil || !v.Logged.IsZero() {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestAnAttTagSaysWhyNoWorkflowIsFound(t *testing.T) {
	signer, _ := newKey(t, "ci")
	item := signed(t, signer, testStatement(t, image))
	item.Form, item.Raw = evidence.DSSE, envelopeOf(t, item.Raw)
	group := config.Group{Name: "gh", Workflow: []config.Workflow{{Issuer: github, Identity: workflow}}}
	if _, err := evidence.Verify(item, group, now); !errors.Is(err, evidence.ErrUnsupported) || !strings.Contains(err.Error(), "bundle format") {
		t.Errorf("got %v", err)
	}
}

func envelopeOf(t *testing.T, bundle []byte) []byte {
	t.Helper()
	var b struct {
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	return b.Envelope
}

func TestARevokedPersonIsAWrongSigner(t *testing.T) {
	lead, _ := newKey(t, "qa")
	_, rest := newKey(t, "qa")
	item := signed(t, lead, testStatement(t, image))
	if _, err := evidence.Verify(item, rest, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("a key that was taken out of its group gave %v", err)
	}
}

func BenchmarkVerifyCertificate(b *testing.B) {
	sigstore := sigstoretest.New(b)
	group := sigstore.Group(b, "ci", github, workflow)
	item := certified(sigstore.Bundle(b, ours, testStatement(b, image)))
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := evidence.Verify(item, group, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		items := make([]evidence.Item, b.N)
		for i := range items {
			items[i] = item
			items[i].Raw = append(bytes.Clone(item.Raw), bytes.Repeat([]byte(" "), i+1)...)
		}
		b.ResetTimer()
		for _, item := range items {
			if _, err := evidence.Verify(item, group, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

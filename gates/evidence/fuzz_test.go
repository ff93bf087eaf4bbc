package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/sigstoretest"
)

func FuzzVerify(f *testing.F) {
	for _, kind := range kinds {
		f.Add(fixture(f, kind+".bundle.json"), true)
		f.Add(fixture(f, kind+".att.json"), false)
	}
	_, stranger := newKey(f, "stranger")
	f.Fuzz(func(t *testing.T, raw []byte, bundle bool) {
		item := evidence.Item{Form: evidence.DSSE, Raw: raw}
		if bundle {
			item.Form = evidence.Bundle
		}
		if _, err := evidence.Verify(item, stranger, now); err == nil {
			t.Error("verified with a key that signed nothing")
		}
	})
}

// FuzzVerifyCertificate never takes an envelope that the workflow did not sign,
// whatever stands around it, and no bytes of a bundle break it.
func FuzzVerifyCertificate(f *testing.F) {
	sigstore := sigstoretest.New(f)
	statement := testStatement(f, image)
	for _, how := range []sigstoretest.Signing{ours, {Issuer: github, Identity: workflow, Version: "0.1"}, {Issuer: github, Identity: workflow, NoLog: true, Timestamp: true}} {
		f.Add(sigstore.Bundle(f, how, statement))
	}
	f.Add(fixtureIn(f, "sigstore", "npm-provenance.bundle.json"))
	f.Add(fixtureIn(f, "sigstore", "two-signatures.bundle.json"))
	group := sigstore.Group(f, "ci", github, workflow)
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := evidence.Verify(evidence.Item{Form: evidence.Bundle, Raw: raw}, group, now)
		switch {
		case err == nil && (!v.About(image) || v.Identity != workflow || v.Logged.IsZero()):
			t.Errorf("took %+v", v)
		case err != nil && !hasReason(err):
			t.Errorf("the error %v has no reason", err)
		}
	})
}

func hasReason(err error) bool {
	for _, reason := range []error{
		evidence.ErrUnsigned, evidence.ErrWrongSigner, evidence.ErrExpiredKey, evidence.ErrMalformed, evidence.ErrUnsupported, evidence.ErrUnreadable,
	} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// FuzzRoot reads any trusted root: one that is taken names a certificate authority,
// and proves nothing that it did not sign.
func FuzzRoot(f *testing.F) {
	f.Add(fixtureIn(f, "sigstore", "trusted_root.json"))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`))
	item := certified(sigstoretest.New(f).Bundle(f, ours, testStatement(f, image)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if evidence.CheckRoot(raw) != nil {
			return
		}
		group := config.Group{Name: "ci", Workflow: []config.Workflow{{Issuer: github, Identity: workflow}}, Root: raw}
		if _, err := evidence.Verify(item, group, now); err == nil {
			t.Errorf("a root of nobody vouches: %s", raw)
		}
	})
}

// FuzzVerifySimple never takes bytes that the key did not sign.
func FuzzVerifySimple(f *testing.F) {
	signer, group := newKey(f, "ci")
	good := bareSignature(f, signer, image)
	f.Add(good.Raw, good.Signature)
	f.Add([]byte("{}"), good.Signature)
	f.Add(good.Raw, "")
	f.Fuzz(func(t *testing.T, raw []byte, signature string) {
		item := good
		item.Raw, item.Signature = raw, signature
		if evidence.VerifySimple(item, []config.Group{group}, now) == nil && !bytes.Equal(raw, good.Raw) {
			t.Fatalf("took %q", raw)
		}
	})
}

func FuzzStatement(f *testing.F) {
	f.Add(testStatement(f, image))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := evidence.ParseStatement(raw)
		if err != nil {
			if !errors.Is(err, evidence.ErrMalformed) {
				t.Errorf("the error %v has no reason", err)
			}
			return
		}
		if !json.Valid(s.Predicate) || s.PredicateType == "" {
			t.Errorf("took %+v", s)
		}
		v := evidence.Verified{Statement: s}
		v.About(image)
		if _, err := v.SignedTime(); err != nil && !errors.Is(err, evidence.ErrMalformed) {
			t.Error(err)
		}
	})
}

func FuzzStrict(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"\"}"},{"b":null}],"c\u0041":1e9}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if evidence.Strict(raw) == nil && !json.Valid(raw) {
			t.Error("took what is no JSON")
		}
	})
}

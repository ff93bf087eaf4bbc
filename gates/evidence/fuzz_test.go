package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"plimsoll/config"
	"plimsoll/gates/evidence"
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

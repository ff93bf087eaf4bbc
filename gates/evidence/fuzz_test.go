package evidence_test

import (
	"encoding/json"
	"errors"
	"testing"

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
		evidence.PredicateOf(item)
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

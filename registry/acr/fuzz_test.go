package acr

import (
	"strings"
	"testing"
)

// FuzzItems reads any page of a list of manifests.
func FuzzItems(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","tags":["v1"],"mediaType":"x\u001b[2J","imageSize":-7,"createdTime":"2026-11-24T12:00:00.1Z","changeableAttributes":{"deleteEnabled":false}}]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../x"}]}`))
	f.Add([]byte(`{"manifests":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		items, err := readItems(raw)
		if err != nil && len(items) > 0 {
			t.Errorf("%d items and %v", len(items), err)
		}
		for _, i := range items {
			if i.Digest.Validate() != nil || i.Size < 0 || strings.ContainsAny(i.MediaType+i.ConfigType+i.ArtifactType, "\x1b\u202e\n") {
				t.Errorf("%+v", i)
			}
		}
	})
}

// FuzzClaims reads what any token says of itself: who it is about is shown, and nothing else.
func FuzzClaims(f *testing.F) {
	f.Add("a.eyJ1cG4iOiJhbm5AZXhhbXBsZS5jb20iLCJvaWQiOiIxIiwiZXhwIjoxNzk1NTIxNjAwfQ.c")
	f.Add("a.e30.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if who := claimsOf(token).subject(); strings.ContainsAny(who, "\x1b\u202e\n") {
			t.Errorf("%q", who)
		}
	})
}

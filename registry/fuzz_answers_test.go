package registry

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzReferrers reads any list of referrers: what it gives is usable and harmless.
func FuzzReferrers(f *testing.F) {
	f.Add([]byte(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":7,"artifactType":"x\u001b[2J"}]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../../x","size":-1}]}`))
	f.Add([]byte(`{"manifests":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := descriptors(raw)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\u202e") {
				t.Errorf("%q", err)
			}
			return
		}
		for _, d := range list {
			if d.Digest.Validate() != nil || d.Size < 0 || d.Data != nil || d.URLs != nil || strings.ContainsAny(d.MediaType+d.ArtifactType, "\x1b\u202e\n") {
				t.Errorf("%+v", d)
			}
		}
	})
}

// FuzzTokenAnswer reads any answer of a token service: a token ends, and soon
// enough, and no error quotes it.
func FuzzTokenAnswer(f *testing.F) {
	f.Add([]byte(`{"token":"a.eyJleHAiOjE3OTU1MjE2MDB9.c","expires_in":300}`), 200)
	f.Add([]byte(`{"access_token":"x","expires_in":-9223372036854775808}`), 200)
	f.Add([]byte(`{"token":"a.eyJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9.c"}`), 200)
	f.Add([]byte(`{"errors":[{"code":"DENIED","message":"no\u001b[2J"}]}`), 403)
	c := New(Options{})
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, raw []byte, status int) {
		h := c.host("reg.example.com")
		b, err := c.readToken(h, &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(raw)), Request: httptest.NewRequest(http.MethodGet, "https://reg.example.com/token", nil)})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\u202e") {
				t.Errorf("%q", err)
			}
			return
		}
		if b.token == "" || b.expires.After(time.Now().Add(maxTokenLife)) || b.expires.Before(time.Now().Add(-time.Hour)) {
			t.Errorf("%d bytes of token until %s", len(b.token), b.expires)
		}
	})
}

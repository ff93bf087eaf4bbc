package registry

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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

// FuzzTags reads any page of a list of tags: what it gives can stand in a request.
func FuzzTags(f *testing.F) {
	f.Add([]byte(`{"name":"x","tags":["v1","v2\u001b[2J","../x","",".v3"]}`))
	f.Add([]byte(`{"tags":null}`))
	f.Add([]byte(`{"tags":[1]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tags, err := tagsIn(raw)
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\u202e") {
			t.Errorf("%q", err)
		}
		for _, tag := range tags {
			if tag == "" || len(tag) > 128 || strings.ContainsAny(tag, "/?#%: \x1b\u202e\n") {
				t.Errorf("%q", tag)
			}
		}
	})
}

// FuzzManifest reads any manifest: one that readers would read differently is refused.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`), "application/vnd.oci.image.manifest.v1+json")
	f.Add([]byte(`{"manifests":[],"layers":[]}`), "application/vnd.oci.image.index.v1+json")
	f.Add([]byte(`{"mediaType":7}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		m := Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: mediaType}}
		if err := m.complete(); err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\u202e") {
				t.Errorf("%q", err)
			}
			return
		}
		if p, err := m.parts(); err == nil && len(p.manifests) > 0 && len(p.blobs) > 0 {
			t.Errorf("an index with layers: %s", raw)
		}
	})
}

// FuzzErrorAnswer reads any refusal: what people see of it is harmless and short.
func FuzzErrorAnswer(f *testing.F) {
	f.Add([]byte(`{"errors":[{"code":"DENIED","message":"no\u001b[2J"}]}`), "application/json")
	f.Add([]byte("502 Bad \x1b[2J Gateway"), "text/plain")
	f.Add([]byte(`{"errors":[]}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, contentType string) {
		err := statusError(&http.Response{
			StatusCode: 403, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(raw)),
			Request: httptest.NewRequest(http.MethodGet, "https://reg.example.com/v2/x/tags/list", nil),
		})
		if text := err.Error(); strings.ContainsAny(text, "\x1b\u202e\n") || len([]rune(text)) > 1500 {
			t.Errorf("%q", text)
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

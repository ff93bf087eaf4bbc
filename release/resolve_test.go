package release_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

func TestACandidateIsADigestATagOrTheBeginningOfAListedDigest(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1.0 main-1", image("one", w.now))
	w.push(w.staging, "v1.1", image("two", w.now))
	for _, name := range []string{dg.String(), "v1.0", "main-1", dg.String()[:7+6], dg.String()[:7+12], dg.String()[:7+63]} {
		got, err := w.desk.Resolve(t.Context(), "chat", name)
		if err != nil || got != dg {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestWhatNamesNoCandidateSaysWhyAndWhatToDo(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1.0", image("one", w.now))
	gone := digest.FromString("gone")
	for name, want := range map[string]struct {
		code fault.Code
		hint string
	}{
		"v9.9":                              {fault.Failed, "plimsoll list chat"},
		"main":                              {fault.Failed, "plimsoll list chat"},
		gone.String():                       {fault.Failed, "plimsoll list chat"},
		gone.String()[:7+10]:                {fault.Failed, "plimsoll list chat"},
		dg.String()[:7+5]:                   {fault.Usage, "6 to 64"},
		"sha256:":                           {fault.Usage, "6 to 64"},
		"sha256:XYZXYZ":                     {fault.Usage, "6 to 64"},
		dg.String() + "00":                  {fault.Usage, "6 to 64"},
		dg.Encoded()[:12]:                   {fault.Failed, "write sha256:" + dg.Encoded()[:12]},
		"not a tag":                         {fault.Usage, "a full digest"},
		"":                                  {fault.Usage, "a full digest"},
		"\x1b[31m":                          {fault.Usage, "a full digest"},
		"sha256-" + dg.Encoded() + ".att":   {fault.Failed, "plimsoll list chat"},
		"sha256-" + strings.Repeat("0", 64): {fault.Failed, "plimsoll list chat"},
	} {
		_, err := w.desk.Resolve(t.Context(), "chat", name)
		if fault.CodeOf(err) != want.code || !strings.Contains(fault.HintOf(err), want.hint) {
			t.Errorf("%q: code %d, hint %q: %v", name, fault.CodeOf(err), fault.HintOf(err), err)
		}
		if err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: an escape sequence in the error", name)
		}
	}
	if _, err := w.desk.Resolve(t.Context(), "nobody", "v1.0"); fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "chat") {
		t.Errorf("%v", err)
	}
}

func TestABeginningThatFitsTwoCandidatesNamesBoth(t *testing.T) {
	w := newWorld(t)
	base := w.push(w.staging, "", image("base", w.now))
	raw, err := w.writer.Manifest(t.Context(), w.staging, base.String())
	if err != nil {
		t.Fatal(err)
	}
	a, b := twins(t, raw.Raw)
	w.put("v1", a)
	w.put("v2", b)
	prefix := digest.FromBytes(a).String()[:7+6]
	_, err = w.desk.Resolve(t.Context(), "chat", prefix)
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), digest.FromBytes(a).String()) || !strings.Contains(fault.HintOf(err), digest.FromBytes(b).String()) {
		t.Errorf("code %d, hint %q: %v", fault.CodeOf(err), fault.HintOf(err), err)
	}
}

// twins are two manifests of one image whose digests begin with the same six
// digits: of some thousand, two meet.
func twins(t *testing.T, manifest []byte) (a, b []byte) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	seen := map[string][]byte{}
	for i := range 1 << 20 {
		m.Annotations = map[string]string{"n": strconv.Itoa(i)}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		prefix := digest.FromBytes(raw).Encoded()[:6]
		if other, ok := seen[prefix]; ok {
			return other, raw
		}
		seen[prefix] = raw
	}
	t.Fatal("no two met")
	return nil, nil
}

// put writes a manifest under a tag in staging.
func (w *world) put(tag string, raw []byte) {
	w.t.Helper()
	m := registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}}
	if err := w.writer.PutManifest(w.t.Context(), w.staging, tag, m); err != nil {
		w.t.Fatal(err)
	}
}

package evidence_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
)

var (
	image = digest.FromString("image")
	other = digest.FromString("another image")
)

// newKey is a fresh P-256 key and a group that trusts it.
func newKey(t testing.TB, name string) (evidence.Signer, config.Group) {
	t.Helper()
	signer, key := evidencetest.Signer(t)
	return signer, config.Group{Name: name, Keys: []config.Key{key}}
}

// testStatement is a passed test result about d.
func testStatement(t testing.TB, d digest.Digest) []byte {
	t.Helper()
	raw, err := evidence.NewStatement(evidence.TestResult, "staging/app", d, map[string]any{
		"result": "PASSED", evidence.FinishedOn: "2026-11-20T10:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signed is a bundle of the statement.
func signed(t testing.TB, s evidence.Signer, statement []byte) evidence.Item {
	t.Helper()
	raw, err := evidence.Sign(t.Context(), s, statement)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Item{Subject: image, Form: evidence.Bundle, Raw: raw}
}

func TestSignedStatementVerifiesWithItsKeyOnly(t *testing.T) {
	signer, group := newKey(t, "ci")
	_, strangers := newKey(t, "strangers")
	item := signed(t, signer, testStatement(t, image))

	v, err := evidence.Verify(item, group, now)
	if err != nil {
		t.Fatal(err)
	}
	if !v.About(image) || v.About(other) || v.About("") || v.About("sha256:") {
		t.Error("it must be about its image and nothing else")
	}
	if _, err := evidence.Verify(item, strangers, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("a stranger's group gave %v", err)
	}
	keyless := config.Group{Name: "gh", Workflow: []config.Workflow{{Issuer: "x"}}}
	if _, err := evidence.Verify(item, keyless, now); !errors.Is(err, evidence.ErrWrongSigner) || !strings.Contains(err.Error(), "keyless") {
		t.Errorf("a keyless group gave %v", err)
	}
}

func TestBundleIsByteForByteWhatCosignWrites(t *testing.T) {
	type parts struct {
		Envelope struct {
			Payload    []byte `json:"payload"`
			Signatures []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	var cosign, mine parts
	theirs := fixture(t, "p256.bundle.json")
	if err := json.Unmarshal(theirs, &cosign); err != nil {
		t.Fatal(err)
	}
	signer, err := evidence.OpenKey(fixture(t, "p256.key"), []byte("fixture-password"))
	if err != nil {
		t.Fatal(err)
	}
	ours := signed(t, signer, cosign.Envelope.Payload).Raw
	if err := json.Unmarshal(ours, &mine); err != nil {
		t.Fatal(err)
	}
	// ECDSA signatures are random; everything else must be equal.
	ours = bytes.Replace(ours, []byte(mine.Envelope.Signatures[0].Sig), []byte(cosign.Envelope.Signatures[0].Sig), 1)
	if !bytes.Equal(bytes.TrimSpace(theirs), ours) {
		t.Errorf("cosign\n%s\nours\n%s", theirs, ours)
	}
}

func TestChangedBytesNeverVerify(t *testing.T) {
	signer, group := newKey(t, "ci")
	item := signed(t, signer, testStatement(t, image))
	for i := range item.Raw {
		changed := item
		changed.Raw = bytes.Clone(item.Raw)
		changed.Raw[i] ^= 1
		v, err := evidence.Verify(changed, group, now)
		if err == nil && !v.About(image) {
			t.Fatalf("byte %d changed: verified %+v", i, v.Statement)
		}
	}
}

func TestKeyWindowsCompareTheSignedTime(t *testing.T) {
	signer, group := newKey(t, "ci")
	signedOn := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	timed := signed(t, signer, testStatement(t, image))
	bare, err := evidence.NewStatement(evidence.TestResult, "", image, map[string]any{"result": "PASSED"})
	if err != nil {
		t.Fatal(err)
	}
	untimed := signed(t, signer, bare)
	for _, c := range []struct {
		name              string
		item              evidence.Item
		notBefore, notAft time.Time
		expired           bool
	}{
		{"signed inside, key ended since", timed, time.Time{}, signedOn.Add(time.Hour), false},
		{"signed after the end", timed, time.Time{}, signedOn.Add(-time.Hour), true},
		{"signed before the start", timed, signedOn.Add(time.Hour), time.Time{}, true},
		{"no signed time, key ended", untimed, time.Time{}, now.Add(-time.Hour), true},
		{"no signed time, key counts", untimed, now.Add(-time.Hour), now.Add(time.Hour), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			group.Keys[0].NotBefore, group.Keys[0].NotAfter = c.notBefore, c.notAft
			_, err := evidence.Verify(c.item, group, now)
			if errors.Is(err, evidence.ErrExpiredKey) != c.expired || (err != nil) != c.expired {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPersonWinsOverPlainKey(t *testing.T) {
	signer, group := newKey(t, "qa")
	group.People = []config.Person{{ID: "qa@example.com", Key: group.Keys[0]}}
	v, err := evidence.Verify(signed(t, signer, testStatement(t, image)), group, now)
	if err != nil || v.Person != "qa@example.com" {
		t.Errorf("person %q, %v", v.Person, err)
	}
}

func TestWhatCannotBeVerifiedHereSaysWhy(t *testing.T) {
	signer, group := newKey(t, "ci")
	good := string(signed(t, signer, testStatement(t, image)).Raw)
	envelope := evidencetest.Envelope(t, signer, testStatement(t, image))
	sig := good[strings.Index(good, `{"sig"`) : strings.Index(good, `}]`)+1]
	cases := []struct {
		name, raw string
		form      evidence.Form
		want      error
	}{
		{"a certificate and a key", strings.Replace(good, `"publicKey"`, `"certificate":{"rawBytes":"AA=="},"publicKey"`, 1), evidence.Bundle, evidence.ErrMalformed},
		{"two signatures", strings.Replace(good, sig, sig+","+sig, 1), evidence.Bundle, evidence.ErrUnsupported},
		{"no signature", strings.Replace(good, sig, "", 1), evidence.Bundle, evidence.ErrUnsigned},
		{"message signature", `{"mediaType":"` + evidence.BundleMediaType + `","verificationMaterial":{"publicKey":{}},"messageSignature":{}}`, evidence.Bundle, evidence.ErrUnsupported},
		{"bundle v0.1", strings.Replace(good, "v0.3", "v0.1", 1), evidence.Bundle, evidence.ErrUnsupported},
		{"other payload type", strings.Replace(good, evidence.PayloadType, "text/plain", 1), evidence.Bundle, evidence.ErrMalformed},
		{"trailing data", good + "{}", evidence.Bundle, evidence.ErrMalformed},
		{"truncated", good[:len(good)/2], evidence.Bundle, evidence.ErrMalformed},
		{"duplicate key", strings.Replace(good, `"payloadType"`, `"payload":"","payloadType"`, 1), evidence.Bundle, evidence.ErrMalformed},
		{"key in other case", strings.Replace(good, `"dsseEnvelope"`, `"DSSEENVELOPE"`, 1), evidence.Bundle, evidence.ErrUnsupported},
		{"wrong type", strings.Replace(good, `"signatures":[`+sig+`]`, `"signatures":7`, 1), evidence.Bundle, evidence.ErrMalformed},
		{"null", "null", evidence.Bundle, evidence.ErrMalformed},
		{"deep", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), evidence.Bundle, evidence.ErrMalformed},
		{"oversized", `"` + strings.Repeat("a", evidence.MaxSize) + `"`, evidence.Bundle, evidence.ErrMalformed},
		{"buildkit", `{}`, evidence.BuildKit, evidence.ErrUnsigned},
		{"other form", `{}`, evidence.Other, evidence.ErrUnsigned},
		{"no form", good, "", evidence.ErrMalformed},
		{"envelope as bundle", string(envelope), evidence.Bundle, evidence.ErrMalformed},
		{"bundle as envelope", good, evidence.DSSE, evidence.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := evidence.Verify(evidence.Item{Form: c.form, Raw: []byte(c.raw)}, group, now)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	_, err := evidence.Verify(evidence.Item{Form: evidence.Bundle, Problem: "the registry timed out"}, group, now)
	if !errors.Is(err, evidence.ErrUnreadable) || !strings.Contains(err.Error(), "timed out") {
		t.Errorf("unreadable gave %v", err)
	}
}

func TestSignedNonsenseIsMalformed(t *testing.T) {
	good := string(testStatement(t, image))
	for name, raw := range map[string]string{
		"other _type":      strings.Replace(good, "Statement/v1", "Statement/v2", 1),
		"no predicateType": strings.Replace(good, `"predicateType"`, `"PredicateType"`, 1),
		"no subject":       strings.Replace(good, `"subject"`, `"object"`, 1),
		"subject wrong":    `{"_type":"` + evidence.StatementType + `","subject":[7],"predicateType":"x","predicate":{}}`,
		"no digest":        `{"_type":"` + evidence.StatementType + `","subject":[{"name":"x"}],"predicateType":"x","predicate":{}}`,
		"predicate list":   `{"_type":"` + evidence.StatementType + `","subject":[{"digest":{"sha256":"x"}}],"predicateType":"x","predicate":[]}`,
		"duplicate":        strings.Replace(good, `"result"`, `"result":"FAILED","result"`, 1),
		"escaped twin":     strings.Replace(good, `"result"`, `"re\u0073ult":"FAILED","result"`, 1),
		"list":             "[]",
	} {
		if _, err := evidence.ParseStatement([]byte(raw)); !errors.Is(err, evidence.ErrMalformed) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	signer, _ := newKey(t, "ci")
	if _, err := evidence.Sign(t.Context(), signer, []byte("[]")); err == nil {
		t.Error("signed what its own reader refuses")
	}
}

func TestDuplicateKeysAreFoundInLargeObjectsToo(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a":{`)
	for i := range 100 {
		fmt.Fprintf(&b, `"k%d":["x","x",{"k%d":1}],`, i, i)
	}
	if err := evidence.Strict([]byte(b.String() + `"last":1}}`)); err != nil {
		t.Error(err)
	}
	if err := evidence.Strict([]byte(b.String() + `"k7":1}}`)); !errors.Is(err, evidence.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestKeysOpenWithTheirPasswordOnly(t *testing.T) {
	private, public, err := evidence.GenerateKey([]byte("a password"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]byte{nil, {}, []byte("another")} {
		if _, err := evidence.OpenKey(private, wrong); !errors.Is(err, evidence.ErrPassword) {
			t.Errorf("password %q gave %v", wrong, err)
		}
	}
	signer, err := evidence.OpenKey(private, []byte("a password"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Verify(signed(t, signer, testStatement(t, image)), groupOf(t, "me", public), now); err != nil {
		t.Error(err)
	}
	if _, err := evidence.OpenKey([]byte("no key"), nil); err == nil || errors.Is(err, evidence.ErrPassword) {
		t.Errorf("no PEM gave %v", err)
	}
	if !evidence.Encrypted(private) || evidence.Encrypted(public) {
		t.Error("Encrypted is wrong")
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // weak on purpose
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.NewSigner(weak); err == nil {
		t.Error("took an RSA key of 1024 bits")
	}
	odd, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.NewSigner(odd); err == nil {
		t.Error("took P-224")
	}
}

func TestManifestIsCosignsWithATriviAnnotation(t *testing.T) {
	subject := &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: image, Size: 413, Annotations: map[string]string{"x": "y"}}
	raw, layer := evidence.Manifest([]byte("bundle"), evidence.SignOff, subject, now)
	want := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json",` +
		`"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},` +
		`"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"` + layer.Digest.String() + `","size":6}],` +
		`"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"` + image.String() + `","size":413},` +
		`"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"urn:plimsoll:sign-off:v1",` +
		`"in-toto.io/predicate-type":"urn:plimsoll:sign-off:v1","org.opencontainers.image.created":"2026-11-24T12:00:00Z"}}`
	if string(raw) != want {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
	if raw, _ := evidence.Manifest([]byte("bundle"), evidence.Promotion, nil, now); strings.Contains(string(raw), "subject") {
		t.Error("a ledger entry must hang on nothing")
	}
}

func TestPredicatesWriteNullForNothing(t *testing.T) {
	raw, err := json.Marshal(evidence.SignOffPredicate{Decision: evidence.Approved, DecidedOn: now, Policy: evidence.Pointer{Digest: image}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"prod":{"digest":null}`, `"policy":{"digest":"` + image.String() + `"}`, `"decidedOn":"2026-11-24T12:00:00Z"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
	var back evidence.SignOffPredicate
	if err := json.Unmarshal(raw, &back); err != nil || back.Prod.Digest != "" || back.Policy.Digest != image {
		t.Errorf("back %+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"prod":{"digest":"latest"}}`), &back); err == nil {
		t.Error("took a tag for a digest")
	}
}

func TestSignedTimeOfEveryPredicate(t *testing.T) {
	const at = `"2026-11-20T10:00:00+01:00"`
	for predicateType, predicate := range map[string]string{
		evidence.TestResult:          `{"finishedOn":` + at + `}`,
		evidence.Vuln:                `{"metadata":{"scanFinishedOn":` + at + `}}`,
		evidence.SLSA1:               `{"runDetails":{"metadata":{"finishedOn":` + at + `}}}`,
		evidence.SLSA02:              `{"metadata":{"buildFinishedOn":` + at + `}}`,
		evidence.Promotion:           `{"startedOn":` + at + `}`,
		evidence.OpenVEX + "/v0.2.0": `{"timestamp":` + at + `}`,
	} {
		v := evidence.Verified{Statement: evidence.Statement{PredicateType: predicateType, Predicate: []byte(predicate)}}
		if got, err := v.SignedTime(); err != nil || got.Format(time.RFC3339) != "2026-11-20T09:00:00Z" {
			t.Errorf("%s: %v, %v", predicateType, got, err)
		}
		v.Statement.Predicate = []byte(strings.Replace(predicate, at, `"tomorrow"`, 1))
		if _, err := v.SignedTime(); !errors.Is(err, evidence.ErrMalformed) {
			t.Errorf("%s: a bad time gave %v", predicateType, err)
		}
		v.Statement.Predicate = []byte(`{}`)
		if got, err := v.SignedTime(); err != nil || !got.IsZero() {
			t.Errorf("%s without time: %v, %v", predicateType, got, err)
		}
	}
}

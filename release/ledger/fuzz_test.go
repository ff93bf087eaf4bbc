package ledger

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// FuzzEntry gives the readers of names, manifests and bundles what anybody
// with the right to push could write.
func FuzzEntry(f *testing.F) {
	f.Add("live-00000001-abcdef12", []byte(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","layers":[{}]}`))
	f.Add("live-00000001-abcdef12-done", []byte(`{"dsseEnvelope":{"payload":"e30="}}`))
	f.Add("quarantine-0123456789abcdef-01234567", []byte(`{`))
	f.Add("policy-0123456789abcdef-01234567", []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""}},"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"MAA="}],"payload":"`+
		base64.StdEncoding.EncodeToString([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"urn:plimsoll:policy:v1","subject":[{"digest":{"sha256":"01"}}],"predicate":{"policy":{"a":1e9,"b":"\u003c"},"decision":"APPROVED"}}`))+`"}}`))
	c := court{Ledger: New(nil, registry.Repository{}, nil), channel: "live"}
	f.Fuzz(func(t *testing.T, tag string, raw []byte) {
		n := parseTag(tag, "live")
		if n.kind == completion && parseTag(n.of(), "live").kind != record {
			t.Errorf("%q completes no record", tag)
		}
		if n.kind == record && !strings.HasPrefix(tag, "live-") {
			t.Errorf("%q is a record of live", tag)
		}
		if dg, size, err := bundleOf(raw); err == nil && (dg.Validate() != nil || size < 0 || size > maxEntry) {
			t.Errorf("%s %d", dg, size)
		}
		if c.record(entry{name: n, raw: raw}).Verified || c.quarantined(entry{name: n, raw: raw}).Verified {
			t.Error("an entry is believed that nobody signed")
		}
		p := c.policy(entry{name: n, raw: raw})
		if p.Document != nil && digest.FromBytes(p.Document) != p.Predicate.Digest {
			t.Error("a policy is not the one of its digest")
		}
		if s, err := (Chain{Policies: []Policy{p}}).Signed(Asking{}); err == nil && s.Newest != nil {
			t.Error("a policy counts that nobody signed")
		}
		claim[evidence.PromotionPredicate](evidence.Item{Raw: raw})
	})
}

package ledger

import (
	"strings"
	"testing"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// FuzzEntry gives the readers of names, manifests and bundles what anybody
// with the right to push could write.
func FuzzEntry(f *testing.F) {
	f.Add("live-00000001-abcdef12", []byte(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","layers":[{}]}`))
	f.Add("live-00000001-abcdef12-done", []byte(`{"dsseEnvelope":{"payload":"e30="}}`))
	f.Add("quarantine-0123456789abcdef-01234567", []byte(`{`))
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
		claim[evidence.PromotionPredicate](evidence.Item{Raw: raw})
	})
}

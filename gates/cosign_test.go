package gates_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// TestWhatCosignAttestsPassesTheGates reads bundles that the real cosign v3.1.3
// wrote; testdata/cosign/make.sh says how.
func TestWhatCosignAttestsPassesTheGates(t *testing.T) {
	read := func(parts ...string) []byte {
		raw, err := os.ReadFile(filepath.Join(parts...))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(read("evidence", "testdata", "cosign", "p256.pub"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t).gates(config.Gates{
		E2E:       &config.E2EGate{Signers: []string{ci}, Suites: []string{"smoke"}, MaxAge: 72 * time.Hour},
		Scan:      &config.ScanGate{Signers: []string{ci}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour},
		BaseImage: &config.BaseImageGate{Signers: []string{ci}, Pinned: true},
	})
	w.policy.Trust[ci] = config.Group{Name: ci, Keys: []config.Key{{Public: public}}}
	w.in.Now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w.in.Candidate = digest.Digest(strings.TrimSpace(string(read("testdata", "cosign", "digest"))))
	w.in.Platforms = []gates.Platform{{Name: "linux/amd64", Digest: w.in.Candidate}}
	for _, name := range []string{"e2e", "vuln", "openvex", "provenance"} {
		raw := read("testdata", "cosign", name+".bundle.json")
		w.add(evidence.Item{Subject: w.in.Candidate, Manifest: digest.FromBytes(raw), Layer: digest.FromBytes(raw), Form: evidence.Bundle, Raw: raw})
	}
	w.expect(gates.E2E, gates.Pass, "48/48")
	w.expect(gates.Scan, gates.Pass, "0C 0H 3M", "CVE-2026-31337 in libssl3 is excused by OpenVEX")
	w.expect(gates.BaseImage, gates.Pass, "pinned", "debian:12-slim@sha256:936abff8")
	if v := w.judge(); v.State != gates.Ready {
		t.Errorf("verdict %+v", v)
	}
}

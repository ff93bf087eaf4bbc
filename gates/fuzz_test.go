package gates_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// signedBytes is a statement of that type about the candidate with any bytes as
// its predicate, signed by that signer; false if they are no predicate. It is
// what a signer says whose tool is broken, or whose key was stolen.
func (w *world) signedBytes(who, predicateType string, predicate []byte) (evidence.Item, bool) {
	w.t.Helper()
	raw, err := evidence.NewStatement(predicateType, "chat-api", candidate, json.RawMessage(predicate))
	if err != nil {
		return evidence.Item{}, false
	}
	if _, err := evidence.ParseStatement(raw); err != nil {
		return evidence.Item{}, false
	}
	item := w.raw(who, string(raw))
	item.PredicateType = predicateType
	return item, true
}

// turn is the world in one turn of a fuzz target, which has a test of its own.
func (w *world) turn(t *testing.T) *world {
	again := *w
	again.t = t
	return &again
}

// words is everything that a JSON document says, without escapes.
func words(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return b.String()
}

// onePlatform is a world of an image without an index.
func onePlatform(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.in.Platforms = []gates.Platform{{Name: "linux/amd64", Digest: candidate}}
	return w
}

// FuzzVEX reads OpenVEX documents that the scanner's key signed: nothing but a
// statement about this vulnerability excuses it.
func FuzzVEX(f *testing.F) {
	f.Add([]byte(`{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-11-24T11:00:00Z","statements":[{"vulnerability":{"name":"CVE-2026-31337","aliases":["GHSA-1"]},` +
		`"products":[{"@id":"pkg:oci/chat","subcomponents":[{"@id":"pkg:deb/debian/libssl3"}]}],"status":"not_affected","justification":"component_not_present"}]}`))
	f.Add([]byte(`{"timestamp":"2026-11-24T11:00:00Z","statements":[{"vulnerability":"CVE-2026-31337","products":["pkg:oci/chat"],"status":"fixed"}]}`))
	f.Add([]byte(`{"statements":[{"vulnerability":7},null]}`))
	w := onePlatform(f).gates(config.Gates{Scan: &config.ScanGate{Signers: []string{scanner}, MaxSeverity: config.High, MaxAge: 24 * time.Hour}})
	report := w.scanFile(scanner, "trivy-critical.json", time.Hour, candidate)
	f.Fuzz(func(t *testing.T, predicate []byte) {
		w := w.turn(t)
		item, ok := w.signedBytes(scanner, evidence.OpenVEX+"/v0.2.0", predicate)
		if !ok {
			return
		}
		w.in.Evidence = []evidence.Item{report, item}
		said := strings.ToUpper(words(predicate))
		if c := check(w.judge(), gates.Scan); c.Status == gates.Pass && !strings.Contains(said, "CVE-2026-31337") {
			t.Errorf("passed by %s: %+v", predicate, c)
		}
	})
}

// FuzzProvenance reads SLSA provenance that ci signed: nothing passes that
// names no repository, and no digest in what the Dockerfile asked for.
func FuzzProvenance(f *testing.F) {
	for _, p := range []any{provenance(time.Hour, pinnedBase, gitContext), provenance(time.Hour, looseBase, frontend), map[string]any{"materials": []any{pinnedBase}}} {
		raw, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true)
		f.Add(raw, false)
	}
	f.Add([]byte(`{"buildDefinition":{"externalParameters":{"workflow":{"repository":"https://github.com/acme/chat","ref":"refs/heads/main"}}},"runDetails":{"builder":{"id":"x"}}}`), true)
	f.Add([]byte(`{"invocation":{"configSource":{"uri":"git+https://github.com/acme/chat@refs/heads/main"}},"builder":{"id":"x"}}`), false)
	w := onePlatform(f).gates(config.Gates{
		BaseImage:  &config.BaseImageGate{Signers: []string{ci}, Pinned: true},
		Provenance: &config.ProvenanceGate{Signers: []string{ci}, Source: "https://github.com/acme/chat", Branches: []string{"main"}, Builders: []string{"x"}},
	})
	f.Fuzz(func(t *testing.T, predicate []byte, v1 bool) {
		w := w.turn(t)
		predicateType := evidence.SLSA02
		if v1 {
			predicateType = evidence.SLSA1
		}
		item, ok := w.signedBytes(ci, predicateType, predicate)
		if !ok {
			return
		}
		w.in.Evidence = []evidence.Item{item}
		v, said := w.judge(), strings.ToLower(words(predicate))
		if c := check(v, gates.BaseImage); c.Status == gates.Pass && !strings.Contains(said, "digest") {
			t.Errorf("passed by %s: %+v", predicate, c)
		}
		if c := check(v, gates.Provenance); c.Status == gates.Pass && !strings.Contains(said, "acme") {
			t.Errorf("passed by %s: %+v", predicate, c)
		}
	})
}

// FuzzSignOff reads sign-offs that ann signed: nothing but an approval in her
// name, of this service under this policy, counts.
func FuzzSignOff(f *testing.F) {
	w := onePlatform(f).gates(config.Gates{SignOff: &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always}})
	good, err := json.Marshal(gates.NewSignOff(w.policy, w.in.Prod, evidence.Approved, ann, "", now.Add(-time.Hour)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"decision":"APPROVED","reviewer":{"id":"ann@example.com"},"service":"chat-api","prod":{"digest":null},"decidedOn":"2026-11-24T11:00:00Z"}`))
	f.Fuzz(func(t *testing.T, predicate []byte) {
		w := w.turn(t)
		item, ok := w.signedBytes(ann, evidence.SignOff, predicate)
		if !ok {
			return
		}
		w.in.Evidence = []evidence.Item{item}
		said := words(predicate)
		c := check(w.judge(), gates.SignOff)
		for _, needed := range []string{evidence.Approved, ann, "chat-api", w.in.Prod.String(), w.policy.Digest()} {
			if c.Status == gates.Pass && !strings.Contains(said, needed) {
				t.Errorf("passed without %s: %s", needed, predicate)
			}
		}
	})
}

// FuzzDeployment reads deployments that ci signed: nothing but one of staging's
// channel, of long enough ago, is time in staging.
func FuzzDeployment(f *testing.F) {
	f.Add([]byte(`{"environment":"staging","channel":"main","deployedOn":"2026-11-24T10:00:00Z"}`))
	f.Add([]byte(`{"environment":"staging","channel":"main","deployedOn":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"environment":"prod","channel":7,"deployedOn":"9999-12-31T23:59:59Z"}`))
	w := onePlatform(f).gates(config.Gates{Soak: &config.Soak{Min: time.Hour, Channel: "main", Signers: []string{ci}}})
	f.Fuzz(func(t *testing.T, predicate []byte) {
		w := w.turn(t)
		item, ok := w.signedBytes(ci, evidence.Deployment, predicate)
		if !ok {
			return
		}
		w.in.Evidence = []evidence.Item{item}
		said := words(predicate)
		for _, needed := range []string{"staging", "main"} {
			if c := check(w.judge(), gates.Soak); c.Status == gates.Pass && !strings.Contains(said, needed) {
				t.Errorf("passed without %s: %s", needed, predicate)
			}
		}
	})
}

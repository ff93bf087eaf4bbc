package gates_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
)

// draws are generators of the parts of a policy.
type draws struct {
	*rapid.T
	keys []config.Key
}

func (d draws) word(what string) string {
	return rapid.SampledFrom([]string{"ci", "scanner", "qa-leads", "release-owners", "<smoke & api>", "ü \"quoted\"", "\u2028", "z"}).Draw(d.T, what)
}

func (d draws) words(what string) []string {
	out := make([]string, rapid.IntRange(0, 3).Draw(d.T, what+" number"))
	for i := range out {
		out[i] = d.word(what)
	}
	return out
}

func (d draws) flip(what string) bool { return rapid.Bool().Draw(d.T, what) }

func (d draws) span(what string) time.Duration {
	return time.Duration(rapid.IntRange(0, 400*24*3600).Draw(d.T, what)) * time.Second
}

func (d draws) when(what string) time.Time {
	if !d.flip(what) {
		return time.Time{}
	}
	return now.Add(d.span(what + " after now"))
}

func (d draws) key() config.Key {
	k := rapid.SampledFrom(d.keys).Draw(d.T, "key")
	k.NotBefore, k.NotAfter = d.when("not-before"), d.when("not-after")
	return k
}

func (d draws) group(name string) config.Group {
	g := config.Group{Name: name}
	for range rapid.IntRange(0, 2).Draw(d.T, "keys") {
		g.Keys = append(g.Keys, d.key())
	}
	for range rapid.IntRange(0, 2).Draw(d.T, "people") {
		g.People = append(g.People, config.Person{ID: d.word("id"), Key: d.key()})
	}
	if d.flip("keyless") {
		g.Workflow = append(g.Workflow, config.Workflow{Issuer: "https://issuer.example.com", Identity: d.word("identity")})
	}
	if d.flip("keyless by pattern") {
		g.Workflow = append(g.Workflow, config.Workflow{Issuer: d.word("issuer"), Pattern: regexp.MustCompile(`\A(?:https://.*)\z`)})
	}
	return g
}

func (d draws) gates() config.Gates {
	var g config.Gates
	if d.flip("e2e") {
		g.E2E = &config.E2EGate{Signers: d.words("signers"), Sources: d.words("sources"), MaxAge: d.span("max-age"), Suites: d.words("suites")}
	}
	if d.flip("scan") {
		g.Scan = &config.ScanGate{
			Signers: d.words("signers"), Sources: d.words("sources"), VEX: d.words("vex"), MaxAge: d.span("max-age"),
			MaxSeverity: config.Severity(rapid.IntRange(int(config.Unknown), int(config.Critical)).Draw(d.T, "severity")),
			Allow:       []config.Allow{{ID: "CVE-2", Until: d.when("until"), Reason: d.word("reason")}, {ID: "CVE-1"}},
		}
	}
	if d.flip("base-image") {
		g.BaseImage = &config.BaseImageGate{
			Signers: d.words("signers"), Pinned: d.flip("pinned"), Repositories: d.words("repositories"), MaxAge: d.span("max-age"), MaxBaseAge: d.span("max-base-age"),
		}
	}
	if d.flip("provenance") {
		g.Provenance = &config.ProvenanceGate{
			Signers: d.words("signers"), Source: d.word("source"), Branches: d.words("branches"), Builders: d.words("builders"), MaxAge: d.span("max-age"),
		}
	}
	if d.flip("sign-off") {
		g.SignOff = &config.SignOffGate{
			Signers: d.words("signers"), Quorum: rapid.IntRange(0, 3).Draw(d.T, "quorum"), MaxAge: d.span("max-age"), NotPromoter: d.flip("not-by"),
			When: rapid.SampledFrom([]config.When{"", config.Always, config.Never, config.BiggerChange}).Draw(d.T, "when"), Bigger: config.DefaultBigger(),
		}
		g.SignOff.Bigger.Size = rapid.Float64Range(0, 100).Draw(d.T, "size")
	}
	if d.flip("soak") {
		g.Soak = &config.Soak{Min: d.span("min"), Channel: d.word("channel"), Signers: d.words("signers")}
	}
	if d.flip("freeze") {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			d.Fatal(err)
		}
		g.Freeze = []config.Freeze{{From: d.when("from"), To: d.when("to"), Reason: d.word("reason")}, {Cron: "0 17 * * FRI", For: d.span("for"), Zone: berlin}, {Cron: "@daily"}}
	}
	if d.flip("custom") {
		g.Custom = []config.CustomGate{{Name: "b", Expr: `image.user != "" && 1 < 2`}, {Name: "a", Expr: "true"}}
	}
	g.Off = d.words("off")
	return g
}

func (d draws) policy() gates.Policy {
	s := config.Service{
		Name: d.word("service"), Staging: "staging.example.com/chat", Prod: "prod.example.com/chat", Channel: d.word("channel"),
		Platforms: d.words("platforms"), Records: d.words("records"), Gates: d.gates(),
	}
	s.Ledger = rapid.SampledFrom([]string{"", s.Prod + "-ledger", "prod.example.com/books"}).Draw(d.T, "ledger")
	if d.flip("candidates") {
		s.Tags = regexp.MustCompile("^(v|main-)")
	}
	if d.flip("overrides") {
		s.Overrides = []config.Override{{Gates: d.words("gates"), By: d.words("by")}, {}}
	}
	p := gates.Policy{Service: s, Trust: map[string]config.Group{}, Sources: map[string]config.Source{
		"ci":       {Name: "ci", GitHub: &config.GitHubSource{API: "https://api.github.com", Repository: "acme/chat", Checks: d.words("checks")}},
		"scanner":  {Name: "scanner", HTTP: &config.HTTPSource{URL: "https://x/{{.Digest}}", State: "$.state", Passed: d.words("passed"), CA: []byte("PEM")}},
		"qa-leads": {Name: "qa-leads", Pipelines: &config.PipelinesSource{URL: "https://dev.azure.com/acme", Project: "chat", Pipeline: "e2e"}},
		"y":        {Name: "y", Registry: true},
		"z":        {Name: "z", Command: d.words("argv")},
	}}
	for _, name := range []string{"ci", "scanner", "qa-leads", "release-owners", config.PolicyOwners} {
		if d.flip("has " + name) {
			p.Trust[name] = d.group(name)
		}
	}
	p.Root = rapid.SampledFrom([]config.TrustRoot{{}, {TUF: "https://tuf.example.com", Init: []byte("{}")}, {File: "root.json", Raw: []byte(`{"a":1}`)}, {File: "gone.json"}}).Draw(d.T, "root")
	return p
}

// documentKeys are one key of each kind.
func documentKeys(t testing.TB) []config.Key {
	t.Helper()
	_, p256 := evidencetest.Signer(t)
	keys := []config.Key{p256, {Path: "awskms:///unknown", Problem: "it was not asked yet"}}
	for _, public := range []any{
		ed25519.NewKeyFromSeed(make([]byte, 32)).Public(),
		&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(3), 2047), E: 65537},
	} {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, config.Key{SPKI: der, Public: public})
	}
	return keys
}

// The document is the policy: read back, it is written the same, and the digest
// is the SHA-256 of it.
func TestAnyPolicyComesBackFromItsDocument(t *testing.T) {
	keys := documentKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		p := draws{t, keys}.policy()
		raw := p.Document()
		if digest.FromBytes(raw).String() != p.Digest() {
			t.Fatalf("the digest is not that of the document\n%s", raw)
		}
		again, err := gates.ParseDocument(raw)
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		if again.Digest() != p.Digest() || !slices.Equal(again.Document(), raw) {
			t.Fatalf("it came back as\n%s\nfrom\n%s", again.Document(), raw)
		}
	})
}

// A policy that came out of the ledger verifies what the one that went in did.
func TestAPolicyFromItsDocumentJudgesEvidence(t *testing.T) {
	w, pool := propertyWorld(t)
	w.policy.Trust["qa-leads"].People[1].Key.NotAfter = now.Add(-time.Minute)
	again, err := gates.ParseDocument(w.policy.Document())
	if err != nil {
		t.Fatal(err)
	}
	in := w.with(pool, nil)
	want, got := gates.Evaluate(w.policy, in), gates.Evaluate(again, in)
	if want.State != got.State || len(want.Checks) != len(got.Checks) {
		t.Fatalf("%+v\n%+v", want, got)
	}
	for i, c := range want.Checks {
		if g := got.Checks[i]; c.Gate != g.Gate || c.Status != g.Status || !slices.Equal(c.Evidence, g.Evidence) {
			t.Errorf("%+v\n%+v", c, g)
		}
	}
	item := w.tests(ci, "smoke", time.Hour)
	if !gates.Trusted(item, again.Asked(gates.E2E), now, candidate) || gates.Trusted(item, again.Asked(gates.Scan), now, candidate) {
		t.Error("a gate asks other groups than its own")
	}
}

func TestKeylessGroupsOfADocument(t *testing.T) {
	w := newWorld(t)
	w.policy.Trust["gh"] = config.Group{Name: "gh", Workflow: []config.Workflow{{Issuer: "https://i", Identity: "me"}}}
	w.policy.Service.Records = []string{"gh"}
	renewed, err := gates.ParseDocument(w.policy.Document())
	if err != nil {
		t.Fatal(err)
	}
	if g := renewed.WithRoot([]byte("root"), "").Trust["gh"]; string(g.Root) != "root" || renewed.Trust["gh"].Root != nil {
		t.Errorf("%+v", g)
	}
	w.policy.Root = config.TrustRoot{File: "root.json", Raw: []byte("pinned")}
	pinned, err := gates.ParseDocument(w.policy.Document())
	if err != nil {
		t.Fatal(err)
	}
	if g := pinned.WithRoot([]byte("another"), "").Trust["gh"]; string(g.Root) != "pinned" {
		t.Errorf("the root of the document was replaced: %+v", g)
	}
}

func TestDocumentsThatAreNoneAreRefused(t *testing.T) {
	w, _ := propertyWorld(t)
	good := string(w.policy.Document())
	for name, raw := range map[string]string{
		"empty":             "",
		"null":              "null",
		"cut short":         good[:len(good)-1],
		"of another format": strings.Replace(good, `"version":1`, `"version":2`, 1),
		"with a new rule":   strings.Replace(good, `"e2e":{`, `"e2e":{"new-rule":true,`, 1),
		"with a new gate":   strings.Replace(good, `"gates":{`, `"gates":{"a-gate":{},`, 1),
		"said twice":        strings.Replace(good, `"channel":"live"`, `"channel":"live","channel":"live"`, 1),
		"not canonical":     good + " ",
		"of another case":   strings.Replace(good, `"channel"`, `"Channel"`, 1),
		"with a bad key":    strings.Replace(good, `"spki":"30`, `"spki":"31`, 1),
		"too long":          strings.Repeat(" ", 2<<20) + good,
	} {
		if raw == good {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := gates.ParseDocument([]byte(raw)); !errors.Is(err, gates.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	w, _ := propertyWorld(f)
	f.Add(w.policy.Document())
	f.Add([]byte(`{"version":1,"gates":{"freeze":[{"cron":"@daily","for":1e300}],"custom:x":"y","off":null}}`))
	f.Add([]byte(`{"version":1,"trust":{"a":[{"spki":""},{"issuer":"i","identity-pattern":"("}]},"trust-root":{"file":""}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := gates.ParseDocument(raw)
		if err != nil {
			return
		}
		if p.Digest() != digest.FromBytes(raw).String() {
			t.Errorf("another digest than that of %s", raw)
		}
		gates.Evaluate(p, gates.Input{Now: now, Evidence: []evidence.Item{{Raw: raw}}})
	})
}

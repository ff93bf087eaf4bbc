package gates_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/gates/report"
)

var (
	now       = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	candidate = digest.FromString("candidate")
	amd64     = digest.FromString("candidate, amd64")
	arm64     = digest.FromString("candidate, arm64")
	prod      = digest.FromString("prod")
	elsewhere = digest.FromString("another image")
)

// The people and machines of the tests; all but mallory are in trust.
const (
	ci, scanner, mallory = "ci", "scanner", "mallory"
	ann, bob             = "ann@example.com", "bob@example.com" // qa-leads
)

// world is a service with its policy, and evidence in the registry.
type world struct {
	t       testing.TB
	policy  gates.Policy
	in      gates.Input
	signers map[string]evidence.Signer
}

// newWorld has a candidate of two platforms and no gate.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, signers: map[string]evidence.Signer{}}
	keys := map[string]config.Key{}
	for _, name := range []string{ci, scanner, mallory, ann, bob} {
		w.signers[name], keys[name] = evidencetest.Signer(t)
	}
	w.policy = gates.Policy{
		Service: config.Service{Name: "chat-api", Staging: "staging.example.com/chat-api", Prod: "prod.example.com/chat-api", Channel: "live"},
		Trust: map[string]config.Group{
			ci:         {Name: ci, Keys: []config.Key{keys[ci]}},
			scanner:    {Name: scanner, Keys: []config.Key{keys[scanner]}},
			"qa-leads": {Name: "qa-leads", People: []config.Person{{ID: ann, Key: keys[ann]}, {ID: bob, Key: keys[bob]}}},
		},
	}
	w.in = gates.Input{
		Now: now, Service: "chat-api", Candidate: candidate, Prod: prod,
		Platforms: []gates.Platform{{Name: "linux/amd64", Digest: amd64}, {Name: "linux/arm64/v8", Digest: arm64}},
	}
	return w
}

// gates sets the rules.
func (w *world) gates(g config.Gates) *world {
	w.policy.Service.Gates = g
	return w
}

// sign makes a statement as it lies in a registry.
func (w *world) sign(who, predicateType string, predicate any, subjects ...digest.Digest) evidence.Item {
	w.t.Helper()
	var more []evidence.Subject
	for _, s := range subjects[1:] {
		more = append(more, evidence.SubjectOf("", s))
	}
	statement, err := evidence.NewStatement(predicateType, "chat-api", subjects[0], predicate, more...)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := evidence.Sign(w.t.Context(), w.signers[who], statement)
	if err != nil {
		w.t.Fatal(err)
	}
	manifest, layer := evidence.Manifest(raw, predicateType, &ocispec.Descriptor{Digest: subjects[0]}, now)
	return evidence.Item{
		Subject: subjects[0], Manifest: digest.FromBytes(manifest), Layer: layer.Digest, Form: evidence.Bundle,
		ArtifactType: evidence.BundleMediaType, PredicateType: predicateType, Raw: raw,
	}
}

// add puts evidence into the registry.
func (w *world) add(items ...evidence.Item) *world {
	w.in.Evidence = append(w.in.Evidence, items...)
	return w
}

// remove takes evidence out of the registry.
func (w *world) remove(item evidence.Item) {
	w.in.Evidence = slices.DeleteFunc(slices.Clone(w.in.Evidence), func(i evidence.Item) bool { return i.Manifest == item.Manifest })
}

// tests is a test result: of a suite, finished so long ago; failed names what failed.
func (w *world) tests(who, suite string, ago time.Duration, failed ...string) evidence.Item {
	w.t.Helper()
	result := report.Tests{Passed: 48 - len(failed), Failed: len(failed), Failures: failed}
	return w.sign(who, evidence.TestResult, report.TestPredicate(result, suite, "https://ci.example.com/7", now.Add(-ago), nil), candidate)
}

// scanFile is a scan with a file of testdata/reports, finished so long ago.
func (w *world) scanFile(who, file string, ago time.Duration, subjects ...digest.Digest) evidence.Item {
	w.t.Helper()
	return w.scanRaw(who, reportFile(w.t, file), ago, subjects...)
}

// scanRaw is scanFile with the report itself.
func (w *world) scanRaw(who string, raw []byte, ago time.Duration, subjects ...digest.Digest) evidence.Item {
	w.t.Helper()
	s, err := report.ReadScanFile(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sign(who, evidence.Vuln, report.VulnPredicate(s, "", now.Add(-ago)), subjects...)
}

func reportFile(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "reports", file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// vex is an OpenVEX document with one statement.
func (w *world) vex(who, id, status string, ago time.Duration, products ...any) evidence.Item {
	w.t.Helper()
	statement := map[string]any{"vulnerability": map[string]any{"name": id}, "status": status, "timestamp": now.Add(-ago).Format(time.RFC3339)}
	if status == "not_affected" {
		statement["justification"] = "vulnerable_code_not_in_execute_path"
	}
	if len(products) > 0 {
		statement["products"] = products
	}
	return w.sign(who, evidence.OpenVEX+"/v0.2.0", map[string]any{
		"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/" + id, "author": "security", "version": 1,
		"timestamp": now.Add(-ago).Format(time.RFC3339), "statements": []any{statement},
	}, candidate)
}

// decide is a sign-off; change alters it before it is signed.
func (w *world) decide(who, decision string, ago time.Duration, change ...func(*evidence.SignOffPredicate)) evidence.Item {
	w.t.Helper()
	p := gates.NewSignOff(w.policy, w.in.Prod, decision, who, "looks right", now.Add(-ago))
	for _, c := range change {
		c(&p)
	}
	return w.sign(who, evidence.SignOff, p, candidate)
}

// dependency is one entry of provenance.
type dependency struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

var (
	pinnedBase = dependency{
		"pkg:docker/debian@12-slim?digest=sha256:" + strings.Repeat("a", 64) + "&platform=linux%2Famd64", map[string]string{"sha256": strings.Repeat("a", 64)},
	}
	looseBase  = dependency{"pkg:docker/alpine@3.22?platform=linux%2Famd64", map[string]string{"sha256": strings.Repeat("b", 64)}}
	frontend   = dependency{"pkg:docker/docker/dockerfile@1", map[string]string{"sha256": strings.Repeat("c", 64)}}
	gitContext = dependency{"https://github.com/acme/chat.git#refs/heads/main", map[string]string{"sha1": strings.Repeat("d", 40)}}
)

// provenance is BuildKit's SLSA v1, finished so long ago.
func provenance(ago time.Duration, deps ...dependency) any {
	return map[string]any{
		"buildDefinition": map[string]any{
			"buildType":            "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
			"resolvedDependencies": deps,
		},
		"runDetails": map[string]any{"metadata": map[string]any{"finishedOn": now.Add(-ago).Format(time.RFC3339)}},
	}
}

// buildKit is an attestation inside the index, unsigned.
func (w *world) buildKit(predicate any, platform digest.Digest) evidence.Item {
	w.t.Helper()
	raw, err := evidence.NewStatement(evidence.SLSA1, "pkg:docker/chat-api@main", platform, predicate)
	if err != nil {
		w.t.Fatal(err)
	}
	return evidence.Item{
		Subject: platform, Manifest: digest.FromBytes(append([]byte("manifest of "), raw...)), Layer: digest.FromBytes(raw),
		Form: evidence.BuildKit, PredicateType: evidence.SLSA1, Raw: raw,
	}
}

// judge evaluates.
func (w *world) judge() gates.Verdict { return gates.Evaluate(w.policy, w.in) }

// expect checks one gate; words must be in the summary or the reasons.
func (w *world) expect(gate string, status gates.Status, words ...string) gates.Check {
	w.t.Helper()
	c := check(w.judge(), gate)
	if c.Status != status {
		w.t.Fatalf("%s is %s (%s), want %s\n%s", gate, c.Status, c.Summary, status, strings.Join(c.Reasons, "\n"))
	}
	text := c.Summary + "\n" + strings.Join(c.Reasons, "\n")
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%s does not say %q:\n%s", gate, word, text)
		}
	}
	return c
}

// check is the check of one gate.
func check(v gates.Verdict, gate string) gates.Check {
	i := slices.IndexFunc(v.Checks, func(c gates.Check) bool { return c.Gate == gate })
	if i < 0 {
		return gates.Check{}
	}
	return v.Checks[i]
}

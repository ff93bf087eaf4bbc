package gates_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// patience is how long a verdict may take whatever it reads; it takes a
// hundredth of that on an idle machine.
const patience = 10 * time.Second

// badWorld needs one result by ci and one approval by ann.
func badWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t).gates(config.Gates{
		E2E:     &config.E2EGate{Signers: []string{ci}, Suites: []string{"smoke"}, MaxAge: 72 * time.Hour},
		SignOff: &config.SignOffGate{Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always},
	})
}

// again is item with other bytes: what somebody who can write the registry makes of it.
func again(item evidence.Item, raw string) evidence.Item {
	item.Raw = []byte(raw)
	item.Manifest, item.Layer = digest.FromString("manifest of "+raw), digest.FromString(raw)
	return item
}

// raw signs bytes that no tool of ours would sign.
func (w *world) raw(who, statement string) evidence.Item {
	w.t.Helper()
	sig, err := w.signers[who].Sign(w.t.Context(), dsse.PAE(evidence.PayloadType, []byte(statement)))
	if err != nil {
		w.t.Fatal(err)
	}
	bundle := fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":""}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		evidence.BundleMediaType, base64.StdEncoding.EncodeToString([]byte(statement)), evidence.PayloadType, base64.StdEncoding.EncodeToString(sig))
	return evidence.Item{
		Subject: candidate, Manifest: digest.FromBytes(bundle), Layer: digest.FromBytes(bundle), Form: evidence.Bundle,
		ArtifactType: evidence.BundleMediaType, PredicateType: evidence.TestResult, Raw: bundle,
	}
}

// statement is a test result about the candidate; predicate is its JSON.
func statement(predicate string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"chat","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
		candidate.Encoded(), evidence.TestResult, predicate)
}

// passed is the predicate of a good result; more is added to it.
func passed(more string) string {
	return `{"result":"PASSED","configuration":[{"name":"smoke"}],"passedTests":["a"],"urn:plimsoll:finished-on":"` + now.Add(-time.Hour).Format(time.RFC3339) + `"` + more + `}`
}

// badBundles are what lies around a statement, broken: nobody can say who signed it.
func badBundles(w *world) map[string]evidence.Item {
	item := w.tests(ci, "smoke", time.Hour)
	good := string(item.Raw)
	start := strings.Index(good, `{"sig"`)
	sig := good[start : start+strings.Index(good[start:], "}")+1]
	elsewhereToo := w.sign(ci, evidence.TestResult, map[string]any{"result": "PASSED"}, elsewhere)
	elsewhereToo.Subject = candidate // moved by hand to this candidate
	return map[string]evidence.Item{
		"truncated":                        again(item, good[:len(good)/2]),
		"empty":                            again(item, ""),
		"no JSON":                          again(item, "<html>502 Bad Gateway</html>"),
		"oversized":                        again(item, good[:len(good)-1]+`,"padding":"`+strings.Repeat("x", evidence.MaxSize)+`"}`),
		"deeply nested":                    again(item, good[:len(good)-1]+`,"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`),
		"a key twice":                      again(item, strings.Replace(good, `"payloadType"`, `"payload":"e30=","payloadType"`, 1)),
		"payload of a wrong type":          again(item, strings.Replace(good, `"payloadType":"application/vnd.in-toto+json"`, `"payloadType":7`, 1)),
		"two signatures":                   again(item, strings.Replace(good, sig, sig+","+sig, 1)),
		"no signature":                     again(item, strings.Replace(good, sig, "", 1)),
		"changed by a byte":                again(item, strings.Replace(good, `"payload":"ey`, `"payload":"eyA`, 1)),
		"valid for another digest":         elsewhereToo,
		"signed by a stranger":             w.tests(mallory, "smoke", time.Hour),
		"signed by another gate's machine": w.tests(scanner, "smoke", time.Hour),
	}
}

// badStatements are signed by ci all right, and still nothing that a gate may take.
func badStatements(w *world) map[string]evidence.Item {
	return map[string]evidence.Item{
		"result of a wrong type":       w.raw(ci, statement(`{"result":true}`)),
		"predicate of a wrong type":    w.raw(ci, statement(`"PASSED"`)),
		"predicate is null":            w.raw(ci, statement(`null`)),
		"result twice":                 w.raw(ci, statement(passed(`,"result":"FAILED"`))),
		"deeply nested predicate":      w.raw(ci, statement(passed(`,"x":`+strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)))),
		"no subject":                   w.raw(ci, strings.Replace(statement(passed("")), `{"name":"chat","digest":{"sha256":"`+candidate.Encoded()+`"}}`, "", 1)),
		"subject without a digest":     w.raw(ci, strings.Replace(statement(passed("")), `"sha256"`, `"sha1"`, 1)),
		"subject of a wrong type":      w.raw(ci, strings.Replace(statement(passed("")), `[{"name"`, `{"x":[{"name"`, 1)),
		"another type of statement":    w.raw(ci, strings.Replace(statement(passed("")), "Statement/v1", "Statement/v9", 1)),
		"dated tomorrow":               w.tests(ci, "smoke", -24*time.Hour),
		"dated in an hour":             w.tests(ci, "smoke", -time.Hour),
		"dated in the year 9999":       w.raw(ci, statement(strings.Replace(passed(""), "2026-", "9999-", 1))),
		"a date that is none":          w.raw(ci, statement(strings.Replace(passed(""), "2026-", "soon-", 1))),
		"without a date":               w.raw(ci, statement(`{"result":"PASSED","configuration":[{"name":"smoke"}],"passedTests":["a"]}`)),
		"a failure inside a pass":      w.raw(ci, statement(passed(`,"failedTests":["b"]`))),
		"nothing ran":                  w.raw(ci, statement(passed(`,"urn:plimsoll:counts":{"passed":0,"failed":0,"skipped":9}`))),
		"counts below zero":            w.raw(ci, statement(passed(`,"urn:plimsoll:counts":{"passed":9,"failed":-9,"skipped":0}`))),
		"about a platform and nothing": w.raw(ci, strings.Replace(statement(passed("")), candidate.Encoded(), strings.Repeat("0", 64), 1)),
	}
}

// TestBadEvidenceNeverPasses: each alone, with everything else as it should be.
func TestBadEvidenceNeverPasses(t *testing.T) {
	w := badWorld(t)
	good := w.tests(ci, "smoke", time.Hour)
	approval := w.decide(ann, evidence.Approved, time.Minute)
	w.add(good, approval)
	if v := w.judge(); v.State != gates.Ready {
		t.Fatalf("the good candidate is %s: %+v", v.State, v.Checks)
	}
	w.in.Evidence = []evidence.Item{w.raw(ci, statement(passed(""))), approval}
	if v := w.judge(); v.State != gates.Ready {
		t.Fatalf("what the bad ones are made of is not good: %+v", v.Checks)
	}
	for _, bad := range []map[string]evidence.Item{badBundles(w), badStatements(w)} {
		for name, item := range bad {
			t.Run(name, func(t *testing.T) {
				start := time.Now()
				w.in.Evidence = []evidence.Item{approval, item}
				v := w.judge()
				if c := check(v, gates.E2E); c.Status == gates.Pass || v.State == gates.Ready {
					t.Errorf("e2e is %s (%s), the verdict %s", c.Status, c.Summary, v.State)
				} else if len(c.Reasons) == 0 {
					t.Errorf("%s without a reason", c.Status)
				}
				if took := time.Since(start); took > patience {
					t.Errorf("the verdict took %v", took)
				}
			})
		}
	}
}

// TestWhatNobodySignedDoesNotTakeAGoodResultAway: whoever can write staging
// could else block every release; what ci signed and cannot be read blocks.
func TestWhatNobodySignedDoesNotTakeAGoodResultAway(t *testing.T) {
	w := badWorld(t)
	good, approval := w.tests(ci, "smoke", time.Hour), w.decide(ann, evidence.Approved, time.Minute)
	for name, item := range badBundles(w) {
		w.in.Evidence = []evidence.Item{good, approval, item}
		if v := w.judge(); v.State != gates.Ready {
			t.Errorf("%s: %s, %+v", name, v.State, check(v, gates.E2E))
		}
	}
}

// TestBadSignOffsNeverCount is the same for people.
func TestBadSignOffsNeverCount(t *testing.T) {
	w := badWorld(t)
	good := w.tests(ci, "smoke", time.Hour)
	at := func(ago time.Duration) func(*evidence.SignOffPredicate) {
		return func(p *evidence.SignOffPredicate) { p.DecidedOn = now.Add(-ago) }
	}
	approval := w.decide(ann, evidence.Approved, time.Minute)
	for name, item := range map[string]evidence.Item{
		"dated tomorrow":           w.decide(ann, evidence.Approved, 0, at(-24*time.Hour)),
		"expired":                  w.decide(ann, evidence.Approved, time.Hour, func(p *evidence.SignOffPredicate) { p.ExpiresOn = now.Add(-time.Minute) }),
		"in somebody else's name":  w.decide(ann, evidence.Approved, time.Minute, func(p *evidence.SignOffPredicate) { p.Reviewer.ID = bob }),
		"a decision that is none":  w.decide(ann, "FINE", time.Minute),
		"for another service":      w.decide(ann, evidence.Approved, time.Minute, func(p *evidence.SignOffPredicate) { p.Service = "billing" }),
		"against another prod":     w.decide(ann, evidence.Approved, time.Minute, func(p *evidence.SignOffPredicate) { p.Prod.Digest = elsewhere }),
		"under another policy":     w.decide(ann, evidence.Approved, time.Minute, func(p *evidence.SignOffPredicate) { p.Policy.Digest = elsewhere }),
		"two signatures":           twice(approval),
		"truncated":                again(approval, string(approval.Raw[:100])),
		"by a machine":             w.sign(ci, evidence.SignOff, gates.NewSignOff(w.policy, w.in.Prod, evidence.Approved, ann, "", now), candidate),
		"a test result by ann":     w.sign(ann, evidence.TestResult, map[string]any{"result": "PASSED"}, candidate),
		"with a subject elsewhere": w.sign(ann, evidence.SignOff, gates.NewSignOff(w.policy, w.in.Prod, evidence.Approved, ann, "", now), elsewhere),
	} {
		w.in.Evidence = []evidence.Item{good, item}
		if v := w.judge(); check(v, gates.SignOff).Status == gates.Pass || v.State == gates.Ready {
			t.Errorf("%s: %+v", name, check(v, gates.SignOff))
		}
	}
}

// twice is item with its signature in it twice.
func twice(item evidence.Item) evidence.Item {
	good := string(item.Raw)
	start := strings.Index(good, `{"sig"`)
	sig := good[start : start+strings.Index(good[start:], "}")+1]
	return again(item, strings.Replace(good, sig, sig+","+sig, 1))
}

// TestAPersonWhoWasTakenOutDoesNotCount: the key is no longer in trust, or no longer valid.
func TestAPersonWhoWasTakenOutDoesNotCount(t *testing.T) {
	w := badWorld(t)
	w.add(w.tests(ci, "smoke", time.Hour), w.decide(ann, evidence.Approved, time.Minute))
	w.expect(gates.SignOff, gates.Pass)
	group := w.policy.Trust["qa-leads"]
	expired := config.Group{Name: "qa-leads", People: []config.Person{group.People[0], group.People[1]}}
	expired.People[0].Key.NotAfter = now.Add(-time.Hour)
	for name, now := range map[string]config.Group{
		"taken out": {Name: "qa-leads", People: group.People[1:]}, "expired": expired,
		"another key": {Name: "qa-leads", People: []config.Person{{ID: ann, Key: group.People[1].Key}}},
	} {
		w.policy.Trust["qa-leads"] = now
		if v := w.judge(); v.State == gates.Ready || check(v, gates.SignOff).Status == gates.Pass {
			t.Errorf("%s: %+v", name, check(v, gates.SignOff))
		}
	}
}

// TestAClockAnHourOffPassesNothing: a clock behind sees evidence of the future,
// and one ahead makes it grow old sooner; neither makes it fresher.
func TestAClockAnHourOffPassesNothing(t *testing.T) {
	w := badWorld(t)
	w.add(w.tests(ci, "smoke", time.Minute), w.decide(ann, evidence.Approved, time.Minute))
	w.in.Now = now.Add(-time.Hour)
	w.expect(gates.E2E, gates.Error, "future")
	w.in.Now = now.Add(72 * time.Hour)
	w.expect(gates.E2E, gates.Stale)
}

// TestAScanOfOneOfTwoPlatformsIsNoScanOfBoth, whichever of them it names.
func TestAScanOfOneOfTwoPlatformsIsNoScanOfBoth(t *testing.T) {
	for _, file := range []string{"trivy.json", "trivy-arm64.json", "grype.json", "trivy.sarif", "trivy-cyclonedx-clean.json"} {
		w := newWorld(t).gates(config.Gates{Scan: &config.ScanGate{Signers: []string{scanner}, MaxSeverity: config.Critical, MaxAge: 24 * time.Hour}})
		w.add(w.scanFile(scanner, file, time.Hour, candidate))
		w.expect(gates.Scan, gates.Missing)
	}
}

// TestThousandsOfStatementsAreJudgedInTime: 5,000 good ones, and 5,000 that nobody
// trusts. Ten times as many may take ten times as long, whatever the machine is
// busy with; if each were compared with each, it would be a hundred times.
func TestThousandsOfStatementsAreJudgedInTime(t *testing.T) {
	_, few := judgeCopies(t, 500)
	v, many := judgeCopies(t, 5000)
	if many > 40*few {
		t.Errorf("1,000 statements took %v, 10,000 took %v", few, many)
	}
	if c := check(v, gates.E2E); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
	text, err := json.Marshal(v)
	if err != nil || len(text) > 1<<20 {
		t.Errorf("the verdict is %d bytes, %v", len(text), err)
	}
}

// judgeCopies judges n copies each of a good statement and of one that nobody trusts.
func judgeCopies(t *testing.T, n int) (gates.Verdict, time.Duration) {
	t.Helper()
	w := badWorld(t)
	good, strange := w.tests(ci, "smoke", time.Hour), w.tests(mallory, "smoke", time.Hour)
	w.add(w.decide(ann, evidence.Approved, time.Minute))
	for i := range n {
		for _, item := range []evidence.Item{good, strange} {
			item.Manifest = digest.FromString(fmt.Sprint(item.Manifest, i))
			w.add(item)
		}
	}
	start := time.Now()
	v := w.judge()
	return v, time.Since(start)
}

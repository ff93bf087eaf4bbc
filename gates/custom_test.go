package gates_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

const license = "https://example.com/license/v1"

// conf is the configuration of one platform.
func conf(user string) map[string]any {
	return map[string]any{
		"user": user, "entrypoint": []any{"/chat"}, "cmd": []any{}, "env": map[string]any{"LOG": "info"}, "exposedPorts": []any{"8080/tcp"},
		"workingDir": "/", "volumes": []any{}, "stopSignal": "", "labels": map[string]any{"team": "chat"},
	}
}

// custom is a world with one custom gate over an image that runs as amd64User and arm64User.
func custom(t testing.TB, name, text, amd64User, arm64User string) *world {
	w := newWorld(t).gates(config.Gates{Custom: []config.CustomGate{{Name: name, Expr: text, Message: "see the handbook"}}})
	w.in.Facts = gates.Facts{
		Image:     map[string]any{"digest": candidate.String(), "tags": []any{"v1.2.0"}, "labels": map[string]any{}},
		Platforms: []gates.PlatformFacts{{Name: "linux/arm64/v8", Config: conf(arm64User)}, {Name: "linux/amd64", Config: conf(amd64User)}},
		Diff:      map[string]any{"from": nil, "to": candidate.String()},
	}
	return w
}

const noRoot = `image.config.user != "" && image.config.user != "root"`

func TestACustomGateMustHoldForEveryPlatform(t *testing.T) {
	custom(t, "no-root", noRoot, "1000", "app").expect("no-root", gates.Pass, "holds for all 2 platforms")
	c := custom(t, "no-root", noRoot, "1000", "root").expect("no-root", gates.Fail, "does not hold on linux/arm64/v8")
	want := []string{
		"see the handbook", "linux/arm64/v8: " + noRoot + " does not hold", `linux/arm64/v8: image.config.user is "root"`,
	}
	if diff := cmp.Diff(want, c.Reasons); diff != "" {
		t.Error(diff)
	}
	custom(t, "no-root", noRoot, "", "root").expect("no-root", gates.Fail, `linux/amd64: image.config.user is ""`)
	custom(t, "same", `image.perPlatform.all(p, image.perPlatform[p].user == config.user)`, "1", "2").expect("same", gates.Fail)
}

func TestACustomGateThatCannotBeAnsweredIsAnError(t *testing.T) {
	custom(t, "team", `image.labels.team == "x"`, "", "").expect("team", gates.Error, "cannot be answered", "no such key: team")
	custom(t, "bad", `image.config.usr == ""`, "", "").expect("bad", gates.Error, "undefined field 'usr'")

	w := custom(t, "same", `diff.to == image.digest`, "", "")
	w.expect("same", gates.Pass)
	w.in.Facts.Diff = nil
	w.expect("same", gates.Error, "diff")
	w.in.Facts.Err = errors.New("the registry did not answer")
	w.expect("same", gates.Error, "did not answer")
	w.in.Facts = gates.Facts{Image: w.in.Facts.Image}
	w.expect("same", gates.Error, "no platform")
}

func TestACustomGateReadsOnlyWhatTrustSigned(t *testing.T) {
	text := `evidence.exists(e, e.predicateType == "` + license + `" && e.group == "ci" && e.predicate.ok == true)`
	w := custom(t, "license", text, "", "")
	predicate := map[string]any{"ok": true}
	w.add(w.sign(mallory, license, predicate, candidate), w.sign(ci, license, predicate, elsewhere), w.sign(scanner, license, predicate, candidate))
	w.expect("license", gates.Fail, "wrong signer", "wrong subject")
	item := w.sign(ci, license, predicate, amd64)
	w.add(item)
	if c := w.expect("license", gates.Pass); !slices.Contains(c.Evidence, item.Manifest) {
		t.Errorf("the evidence is %v", c.Evidence)
	}
	w.in.Listing = errors.New("connection reset")
	w.expect("license", gates.Error, "connection reset")
}

func TestACustomGateSeesWhoSignedAndWhen(t *testing.T) {
	w := custom(t, "who", `evidence.exists(e, e.person == "`+ann+`" && e.subject == image.digest && now - e.signedAt < duration("2h"))`, "", "")
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.expect("who", gates.Pass)
	w.in.Now = now.Add(3 * time.Hour)
	w.expect("who", gates.Fail)
}

func TestEvidenceThatDisappearsNeverLetsACustomGatePass(t *testing.T) {
	text := `!evidence.exists(e, e.predicateType == "` + license + `" && e.predicate.ok == false)`
	w := custom(t, "license", text, "", "")
	no := w.sign(ci, license, map[string]any{"ok": false}, candidate)
	w.add(no, w.tests(ci, "smoke", time.Hour))
	w.expect("license", gates.Fail)
	w.in.Negatives = w.judge().Negatives
	w.expect("license", gates.Fail)
	w.remove(no)
	w.expect("license", gates.Error, "evidence disappeared", license)
	w.in.Negatives = nil
	w.expect("license", gates.Pass)
}

// Expressions over evidence in both directions, and what they are asked about.
var turns = []string{
	`evidence.exists(e, e.predicate.ok == true)`,
	`!evidence.exists(e, e.predicate.ok == false)`,
	`evidence.all(e, e.predicate.ok == true)`,
	`evidence.exists(e, e.predicate.ok == true) && !evidence.exists(e, e.predicate.ok == false)`,
	`size(evidence) != 2`,
	`evidence.exists_one(e, e.group == "ci")`,
	`evidence.exists(e, e.predicate.ok) || size(evidence) % 2 == 0`,
	noRoot,
}

func TestNoRemovalTurnsACustomGateIntoAPass(t *testing.T) {
	w := custom(t, "turns", "true", "1000", "1000")
	var pool []evidence.Item
	for n, ok := range []any{true, false, true, false, "maybe", nil} {
		who := []string{ci, scanner, mallory}[n%3]
		pool = append(pool, w.sign(who, license, map[string]any{"ok": ok}, candidate))
	}
	rapid.Check(t, func(t *rapid.T) {
		w.policy.Service.Gates.Custom[0].Expr = rapid.SampledFrom(turns).Draw(t, "expression")
		var some, rest []evidence.Item
		for _, item := range pool {
			if rapid.Bool().Draw(t, "there") {
				some = append(some, item)
				if rapid.Bool().Draw(t, "stays") {
					rest = append(rest, item)
				}
			}
		}
		in := w.in
		in.Evidence = some
		before := gates.Evaluate(w.policy, in)
		in.Evidence, in.Negatives = rapid.Permutation(rest).Draw(t, "order"), before.Negatives
		after := gates.Evaluate(w.policy, in)
		if was, is := check(before, "turns").Status, check(after, "turns").Status; !was.Passes() && is.Passes() {
			t.Fatalf("it was %s, and is %s after a removal", was, is)
		}
		if diff := cmp.Diff(after, gates.Evaluate(w.policy, in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestACustomGateOverEvidenceMakesEveryGroupPartOfThePolicy(t *testing.T) {
	digestWith := func(text string, more bool) string {
		w := custom(t, "g", text, "", "")
		for name, g := range w.policy.Trust { // the keys are new in every world
			g.Keys, g.People = nil, nil
			w.policy.Trust[name] = g
		}
		if more {
			w.policy.Trust["security"] = config.Group{Workflow: []config.Workflow{{Issuer: "https://i.example.com", Identity: "x"}}}
		}
		return w.policy.Digest()
	}
	if text := `size(evidence) == 0`; digestWith(text, false) == digestWith(text, true) {
		t.Error("a new group decides, and the policy has the same digest")
	}
	if digestWith(noRoot, false) != digestWith(noRoot, true) {
		t.Error("a group that nothing asks changes the policy")
	}
}

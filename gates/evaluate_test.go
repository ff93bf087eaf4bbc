package gates_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
)

func names(v gates.Verdict) []string {
	var out []string
	for _, c := range v.Checks {
		out = append(out, c.Gate)
	}
	return out
}

func TestChecksComeInOneOrderAndNothingIsRequiredByDefault(t *testing.T) {
	w := newWorld(t)
	v := w.judge()
	if want := []string{"e2e", "scan", "base-image", "sign-off", "freeze"}; !slices.Equal(names(v), want) {
		t.Errorf("checks %v", names(v))
	}
	if v.State != gates.Ready || check(v, gates.E2E).Status != gates.NotRequired {
		t.Errorf("verdict %+v", v)
	}
}

func TestAGateThatIsOffIsShown(t *testing.T) {
	w := e2eWorld(t)
	w.policy.Service.Gates.Off = []string{"e2e", "soak"}
	w.expect(gates.E2E, gates.Off, "switched off")
	w.expect(gates.Soak, gates.Off)
	if w.judge().State != gates.Ready {
		t.Error("off lets pass")
	}
}

func TestProvenanceAndSoakAreShownInTheirPlace(t *testing.T) {
	w := newWorld(t).gates(config.Gates{
		Provenance: &config.ProvenanceGate{Signers: []string{ci}, Source: "https://github.com/acme/chat"}, Soak: &config.Soak{Min: time.Hour},
		Custom: []config.CustomGate{{Name: "no-root", Expr: "true"}},
	})
	w.in.Standing.Required = true
	w.in.Quarantined = "bad"
	want := []string{"e2e", "scan", "base-image", "provenance", "sign-off", "soak", "freeze", "no-root", "policy", "quarantine"}
	if got := names(w.judge()); !slices.Equal(got, want) {
		t.Errorf("checks %v", got)
	}
}

func TestFreezeWaits(t *testing.T) {
	w := newWorld(t).gates(config.Gates{Freeze: []config.Freeze{
		{From: now.Add(-time.Hour), To: now.Add(48 * time.Hour), Reason: "year end"}, {From: now.Add(72 * time.Hour), To: now.Add(96 * time.Hour)},
	}})
	w.expect(gates.FreezeGate, gates.Waiting, "until 2026-11-26", "year end")
	w.in.Now = now.Add(48 * time.Hour)
	w.expect(gates.FreezeGate, gates.Pass)
}

func TestTheVerdictsPrecedence(t *testing.T) {
	w := e2eWorld(t)
	if v := w.judge(); v.State != gates.Blocked {
		t.Errorf("got %s", v.State)
	}
	w.in.Prod = candidate
	if v := w.judge(); v.State != gates.InProd {
		t.Errorf("got %s", v.State)
	}
	w.in.Quarantined = "ann quarantined it: it eats requests"
	w.expect(gates.QuarantineOut, gates.Fail, "it eats requests")
	if v := w.judge(); v.State != gates.Quarantined {
		t.Errorf("got %s", v.State)
	}
	w = newWorld(t)
	w.in.QuarantineErr = errors.New("the ledger cannot be read")
	w.expect(gates.QuarantineOut, gates.Error, "the ledger cannot be read")
	if v := w.judge(); v.State != gates.Blocked {
		t.Errorf("got %s", v.State)
	}
}

func TestVerdictsHaveNoNullLists(t *testing.T) {
	for _, c := range newWorld(t).judge().Checks {
		if c.Reasons == nil || c.Evidence == nil || c.Summary == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestPolicyDigestCoversWhatDecides(t *testing.T) {
	base := func() *world {
		w := e2eWorld(t)
		w.signers = nil
		w.policy.Trust = map[string]config.Group{
			ci:      {Keys: []config.Key{{Path: "a", SPKI: []byte("1")}, {Path: "b", SPKI: []byte("2")}}},
			"other": {Keys: []config.Key{{SPKI: []byte("3")}}},
		}
		return w
	}
	digest := base().policy.Digest()
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(digest) {
		t.Fatalf("digest %q", digest)
	}
	for name, same := range map[string]func(*gates.Policy){
		"key file moved":   func(p *gates.Policy) { p.Trust[ci].Keys[0].Path = "elsewhere/a.pub" },
		"order of keys":    func(p *gates.Policy) { slices.Reverse(p.Trust[ci].Keys) },
		"order of suites":  func(p *gates.Policy) { p.Service.Gates.E2E.Suites = []string{"api", "smoke"} },
		"unrelated group":  func(p *gates.Policy) { delete(p.Trust, "other") },
		"limit of listing": func(p *gates.Policy) { p.Service.Limit = 7 },
	} {
		w := base()
		same(&w.policy)
		if w.policy.Digest() != digest {
			t.Errorf("%s changed the digest", name)
		}
	}
	seen := map[string]string{digest: "nothing"}
	for name, change := range map[string]func(*gates.Policy){
		"key":        func(p *gates.Policy) { p.Trust[ci].Keys[0].SPKI = []byte("x") },
		"window":     func(p *gates.Policy) { p.Trust[ci].Keys[0].NotAfter = now },
		"suite":      func(p *gates.Policy) { p.Service.Gates.E2E.Suites = []string{"smoke"} },
		"age":        func(p *gates.Policy) { p.Service.Gates.E2E.MaxAge = time.Hour },
		"records":    func(p *gates.Policy) { p.Service.Records = []string{"other"} },
		"off":        func(p *gates.Policy) { p.Service.Gates.Off = []string{"e2e"} },
		"platforms":  func(p *gates.Policy) { p.Service.Platforms = []string{"linux/amd64"} },
		"tags":       func(p *gates.Policy) { p.Service.Tags = regexp.MustCompile("^v") },
		"channel":    func(p *gates.Policy) { p.Service.Channel = "canary" },
		"scan":       func(p *gates.Policy) { p.Service.Gates.Scan = &config.ScanGate{MaxSeverity: config.High} },
		"severity":   func(p *gates.Policy) { p.Service.Gates.Scan = &config.ScanGate{MaxSeverity: config.Low} },
		"freeze":     func(p *gates.Policy) { p.Service.Gates.Freeze = []config.Freeze{{From: now, To: now}} },
		"sign-off":   func(p *gates.Policy) { p.Service.Gates.SignOff = &config.SignOffGate{} },
		"base image": func(p *gates.Policy) { p.Service.Gates.BaseImage = &config.BaseImageGate{} },
		"base age":   func(p *gates.Policy) { p.Service.Gates.BaseImage = &config.BaseImageGate{MaxBaseAge: time.Hour} },
		"build age":  func(p *gates.Policy) { p.Service.Gates.BaseImage = &config.BaseImageGate{MaxAge: time.Hour} },
		"quorum":     func(p *gates.Policy) { p.Service.Gates.SignOff = &config.SignOffGate{Quorum: 2} },
	} {
		w := base()
		change(&w.policy)
		if had, ok := seen[w.policy.Digest()]; ok {
			t.Errorf("%s has the digest of %s", name, had)
		}
		seen[w.policy.Digest()] = name
	}
}

package config_test

import (
	"strings"
	"testing"
	"time"

	"plimsoll/config"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const groups = `
trust:
  ci: {keys: [keys/ci.pub]}
  scanner: {keys: [keys/scanner.pub]}
  security: {keys: [keys/platform.pub]}
  leads: {people: {lead@example.com: keys/qa-lead.pub}}
  owners: {people: {owner@example.com: keys/owner.pub}}
`

func TestGatesTakeSourcesPatternsAndRecurringWindows(t *testing.T) {
	c := mustLoad(t, groups+`
sources: {e2e-runs: {command: [./state]}, harbor: {command: [./scan]}}
gates:
  e2e:        {sources: [e2e-runs], suites: [smoke]}
  scan:       {signers: [scanner], sources: [harbor], vex: [security], max-severity: high}
  base-image: {signers: [ci], repositories: ['docker.io/library/*', 'mcr.microsoft.com/**'], max-age: 2160h, max-base-age: 180d}
  provenance: {signers: [ci], source: https://github.com/acme/chat, branches: [main, 'release/*'], builders: ['https://github.com/acme/.github/workflows/build.yml@*'], max-age: 30d}
  sign-off:   {signers: [leads], when: bigger-change, bigger: {rules: [base-image, user], size: 10}}
  soak:       {min: 1h, channel: staging, signers: [ci]}
  freeze:
    - {from: 2026-12-20, to: 2027-01-02, reason: year end}
    - {cron: ' 0 17 * *  FRI', for: 63h, zone: Europe/Berlin, reason: weekend}
    - {cron: '0 0 1 * *', for: 1d, reason: month end}
  custom: [{name: no-root, expr: 'image.config.user != "root"', message: run as another user}]
`+smallest)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Gates{
		E2E: &config.E2EGate{Sources: []string{"e2e-runs"}, Suites: []string{"smoke"}},
		Scan: &config.ScanGate{
			Signers: []string{"scanner"}, Sources: []string{"harbor"}, VEX: []string{"security"}, MaxSeverity: config.High,
		},
		BaseImage: &config.BaseImageGate{
			Signers: []string{"ci"}, Pinned: true, Repositories: []string{"docker.io/library/*", "mcr.microsoft.com/**"}, MaxAge: 2160 * time.Hour,
			MaxBaseAge: 180 * 24 * time.Hour,
		},
		Provenance: &config.ProvenanceGate{
			Signers: []string{"ci"}, Source: "https://github.com/acme/chat", Branches: []string{"main", "release/*"},
			Builders: []string{"https://github.com/acme/.github/workflows/build.yml@*"}, MaxAge: 720 * time.Hour,
		},
		SignOff: &config.SignOffGate{
			Signers: []string{"leads"}, Quorum: 1, When: config.BiggerChange,
			Bigger: config.Bigger{Rules: []config.BiggerRule{config.BiggerBaseImage, config.BiggerUser}, Size: 10, Layers: 50},
		},
		Soak: &config.Soak{Min: time.Hour, Channel: "staging", Signers: []string{"ci"}},
		Freeze: []config.Freeze{
			{From: time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 2, 23, 59, 59, 0, time.UTC), Reason: "year end"},
			{Cron: "0 17 * * FRI", For: 63 * time.Hour, Zone: berlin, Reason: "weekend"},
			{Cron: "0 0 1 * *", For: 24 * time.Hour, Reason: "month end"},
		},
		Custom: []config.CustomGate{{Name: "no-root", Expr: `image.config.user != "root"`, Message: "run as another user"}},
	}
	sameZone := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
	noPlace := cmpopts.IgnoreFields(config.CustomGate{}, "Line", "At")
	if d := cmp.Diff(want, c.Services[0].Gates, sameZone, noPlace); d != "" {
		t.Error(d)
	}
}

func TestSoakKnowsStagingByOneWayAtLeast(t *testing.T) {
	for text, want := range map[string]config.Soak{
		"{min: 1h}":                                  {Min: time.Hour, Channel: "canary"},
		"{min: 1h, channel: staging}":                {Min: time.Hour, Channel: "staging"},
		"{min: 1h, signers: [ci]}":                   {Min: time.Hour, Signers: []string{"ci"}},
		"{min: 1h, signers: [ci], channel: staging}": {Min: time.Hour, Signers: []string{"ci"}, Channel: "staging"},
	} {
		c := mustLoad(t, groups+"gates: {soak: "+text+"}\nservices:\n  - {name: a, staging: s.example.com/a, prod: p.example.com/a, channel: canary}\n")
		if d := cmp.Diff(want, *c.Services[0].Gates.Soak); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestBiggerChangesAreLookedAtInFullUnlessTheFileSays(t *testing.T) {
	for text, want := range map[string]config.Bigger{
		"when: bigger-change":                               config.DefaultBigger(),
		"when: bigger-change, bigger: {layers: 0}":          {Rules: config.DefaultBigger().Rules, Size: 25},
		"when: bigger-change, bigger: {rules: [], size: 0}": {Layers: 50},
		"quorum: 1, when: always, not-by: [promoter]":       {},
	} {
		c := mustLoad(t, groups+"gates: {sign-off: {signers: [leads], "+text+"}}\n"+smallest)
		if d := cmp.Diff(want, c.Services[0].Gates.SignOff.Bigger); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestServiceReplacesTheTeamsOverrides(t *testing.T) {
	c := mustLoad(t, groups+`
overrides:
  - {gates: [freeze, sign-off, no-root], by: [owners]}
services:
  - {name: a, staging: s.example.com/a, prod: p.example.com/a}
  - name: b
    staging: s.example.com/b
    prod: p.example.com/b
    gates: {custom: [{name: no-root, expr: 'true'}]}
    overrides: [{gates: [no-root], by: [leads, owners]}, {gates: [soak], by: [leads]}]
  - {name: c, staging: s.example.com/c, prod: p.example.com/c, overrides: []}
`)
	for i, want := range [][]config.Override{
		{{Gates: []string{"freeze", "sign-off", "no-root"}, By: []string{"owners"}}},
		{{Gates: []string{"no-root"}, By: []string{"leads", "owners"}}, {Gates: []string{"soak"}, By: []string{"leads"}}},
		nil,
	} {
		if d := cmp.Diff(want, c.Services[i].Overrides); d != "" {
			t.Errorf("%s: %s", c.Services[i].Name, d)
		}
	}
}

func TestSharedExpressionIsCheckedForEveryServiceAndReportedOnce(t *testing.T) {
	_, err := load(t, "gates: {custom: [{name: x, expr: nosuch}]}\nservices:\n"+
		"  - {name: a, staging: s.example.com/a, prod: p.example.com/a}\n  - {name: b, staging: s.example.com/b, prod: p.example.com/b}\n")
	if err == nil || strings.Contains(err.Error(), "also:") || !strings.Contains(err.Error(), "plimsoll.yaml:1:34: the expression of x: undeclared reference to 'nosuch'") {
		t.Error(err)
	}
}

package doctor_test

import (
	"slices"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

func TestTrust(t *testing.T) {
	for name, story := range map[string]struct {
		edit    func(*config.Config, *config.Service)
		id      string
		subject string
		want    doctor.Status
		says    string
	}{
		"CI signs records":     {func(_ *config.Config, s *config.Service) { s.Records = []string{"owners", "ci"} }, "trust-roles", "", doctor.Broken, "ci.pub may sign tests, scans or builds and also records"},
		"a scanner signs off":  {func(c *config.Config, _ *config.Service) { c.Trust["qa"] = c.Trust["scanner"] }, "trust-roles", "", doctor.Broken, "scanner.pub may sign"},
		"approves and does it": {func(_ *config.Config, s *config.Service) { s.Gates.SignOff.Signers = []string{"owners"} }, "trust-roles", "", doctor.Warning, "not-by: [promoter]"},
		"approved by another": {func(_ *config.Config, s *config.Service) {
			s.Gates.SignOff.Signers, s.Gates.SignOff.NotPromoter = []string{"owners"}, true
		}, "trust-roles", "", doctor.OK, ""},
		"unreadable key": {func(c *config.Config, _ *config.Service) {
			setKey(c, "ci", func(k *config.Key) { k.Public, k.Problem = nil, "no answer of the vault" })
		}, "trust-key", "ci", doctor.Broken, "no answer of the vault"},
		"ended key": {func(c *config.Config, _ *config.Service) {
			setKey(c, "ci", func(k *config.Key) { k.NotAfter = time.Now().Add(-time.Hour) })
		}, "trust-key", "ci", doctor.Broken, "no key counts today"},
		"ends soon": {func(c *config.Config, _ *config.Service) {
			setKey(c, "ci", func(k *config.Key) { k.NotAfter = time.Now().Add(100 * time.Hour) })
		}, "trust-key", "ci", doctor.Warning, "ends soon"},
		"no root": {func(c *config.Config, _ *config.Service) {
			c.Trust["ci"] = config.Group{Workflow: []config.Workflow{{Issuer: "https://i", Identity: "w"}}, RootProblem: "no network"}
		}, "trust-root", "ci", doctor.Broken, "no network"},
		"unused no root": {func(c *config.Config, _ *config.Service) {
			c.Trust["w"] = config.Group{Workflow: []config.Workflow{{Issuer: "https://i", Identity: "w"}}}
		}, "trust-root", "w", doctor.Warning, "trust-root"},
		"gate off":            {func(_ *config.Config, s *config.Service) { s.Gates.Scan, s.Gates.Off = nil, []string{"scan"} }, "gate", "scan", doctor.Warning, "is off"},
		"gate forgotten":      {func(_ *config.Config, s *config.Service) { s.Gates.E2E = nil }, "gate", "e2e", doctor.Warning, "not configured"},
		"no signing key":      {func(c *config.Config, _ *config.Service) { c.Signing.Key = "" }, "signing-key", "", doctor.Warning, "key generate"},
		"signing key is gone": {func(c *config.Config, _ *config.Service) { c.Signing.Key += "x" }, "signing-key", "", doctor.Broken, "cannot be read"},
		"signs for nobody":    {func(_ *config.Config, s *config.Service) { s.Records = []string{"qa"} }, "signing-key", "", doctor.Warning, "count for nothing"},
		"unsigned policy":     {func(c *config.Config, _ *config.Service) { c.Trust["policy-owners"] = c.Trust["qa"] }, "policy", "", doctor.Broken, "policy sign"},
		"no program": {func(_ *config.Config, s *config.Service) {
			s.Deliver = config.Deliver{Command: []string{"no-such-program-anywhere", "x"}}
		}, "delivery", "command", doctor.Broken, "not here"},
		"program": {func(_ *config.Config, s *config.Service) {
			s.Deliver = config.Deliver{Command: []string{"go", "version"}}
		}, "delivery", "command", doctor.OK, "is here"},
		"git": {func(_ *config.Config, s *config.Service) { s.Deliver = config.Deliver{Command: []string{"{{.Nope}}"}} }, "delivery", "command", doctor.Broken, "could not run"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			story.edit(h.config, &h.config.Services[0])
			is(t, fact(t, h.examine(release.DoctorRequest{}), story.id, story.subject), story.want, story.says)
		})
	}
}

func setKey(c *config.Config, group string, edit func(*config.Key)) {
	g := c.Trust[group]
	g.Keys = slices.Clone(g.Keys)
	edit(&g.Keys[0])
	c.Trust[group] = g
}

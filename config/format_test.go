package config

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/theory/jsonpath"
)

// FuzzFormats feeds any text to the formats that other libraries stand behind:
// none crashes, and what is accepted is what those who use it can rely on.
func FuzzFormats(f *testing.F) {
	for _, s := range []string{
		"0 17 * * FRI", "*/5 0-3,7 1 JAN-MAR ?", "TZ=UTC 0 0 * * *", "TZ=", "@every 1s", "0 0 29 2 *", "Europe/Berlin", "../../etc/passwd",
		"$.a[?@.b == 'x']", "$..*", `https://github\.com/acme/.*`, `(?m)^a$|b`, "https://ci.example.com/{{.Revision}}?q={{.Service}}",
		"https://{{.Service}}/", "azurekms://acme.vault.azure.net/ci/0a", "awskms:///alias/a", "docker.io/**", "release/[a-z]*", "10m", "{{",
	} {
		f.Add(s)
	}
	reference := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		ok := func(f *format) bool {
			problem, hint := f.wrong(s)
			if problem != "" && hint == "" {
				t.Fatalf("%s: no hint for %q", f.what, s)
			}
			return problem == ""
		}
		if ok(cronTime) {
			if schedule, err := cron.ParseStandard(strings.Join(strings.Fields(s), " ")); err != nil || schedule.Next(reference).IsZero() {
				t.Fatalf("%q never begins: %v", s, err)
			}
		}
		if ok(jsonPath) {
			jsonpath.MustParse(s)
		}
		if ok(identityPattern) {
			if re, err := anchored(s); err != nil || re.MatchString("nobody") || re.MatchString("") && strings.TrimSpace(s) == "" {
				t.Fatalf("%q fits anybody: %v", s, err)
			}
		}
		if ok(askedURL) {
			one, err := url.Parse(placeholder().ReplaceAllString(s, "x.evil.example"))
			two, err2 := url.Parse(placeholder().ReplaceAllString(s, "%2F%40evil"))
			if err != nil || err2 != nil || one.Host != two.Host || one.User != nil || two.User != nil {
				t.Fatalf("%q lets what is filled in choose the host", s)
			}
		}
		for _, f := range []*format{zoneName, keyPath, signingKey, tufURL, imagePattern, branchPattern, builderID, buildSource, apiURL, organization, sourceArgument, duration, within("1m", "31d")} {
			ok(f)
		}
	})
}

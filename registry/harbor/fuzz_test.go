package harbor

import (
	"strings"
	"testing"

	"plimsoll/registry"
)

// FuzzReport reads any answer about a scan: one that says nothing of its end is
// no finished scan, and no text keeps what a terminal would act on.
func FuzzReport(f *testing.F) {
	const form = `"application/vnd.security.vulnerability.report; version=1.1"`
	f.Add([]byte(`{` + form + `:{"generated_at":"2026-11-24T12:00:00Z","vulnerabilities":[{"id":"CVE-2026-1","severity":"High","description":"x\u001b[2J","links":["javascript:x"]}]}}`))
	f.Add([]byte(`{` + form + `:{}}`))
	f.Add([]byte(`{"scan_overview":{` + form + `:{"scan_status":"Success"}}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ReadReport(raw)
		if err != nil && s.State == registry.Scanned || err == nil && s.State == registry.Scanned && s.Finished.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
		for _, x := range s.Findings {
			if strings.ContainsAny(x.ID+x.Package+x.Version+x.Fixed+x.Severity+x.Title, "\x1b\u202e\n") {
				t.Errorf("%+v", x)
			}
		}
		state, err := readOverview(raw)
		if err != nil && (state != "" || strings.ContainsAny(err.Error(), "\x1b\u202e\n")) {
			t.Errorf("%q, %v", state, err)
		}
	})
}

package forge

import (
	"strings"
	"testing"
	"time"
)

// FuzzPrintedByAz reads anything that az may print; an error quotes none of it.
func FuzzPrintedByAz(f *testing.F) {
	f.Add([]byte(`{"accessToken":"a.b.c","expires_on":1795521600}`))
	f.Add([]byte(`{"accessToken":7}`))
	f.Add([]byte("WARNING: secret-value\n{}"))
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := printedByAz(raw, now)
		if err != nil && (got.value != "" || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

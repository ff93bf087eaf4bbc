package gates_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

// TestReadVEXTakesWhatTheScanGateUses: and says no to what would be signed for nothing.
func TestReadVEXTakesWhatTheScanGateUses(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	image, other := digest.FromString("image"), digest.FromString("other")
	const reason = `"status": "not_affected", "justification": "component_not_present"`
	document := func(head, statements string) string {
		return fmt.Sprintf(`{"@context": "https://openvex.dev/ns/v0.2.0", "author": "a", %s "statements": [%s]}`, head, statements)
	}
	dated := `"timestamp": "2026-11-24T08:00:00Z",`
	statement := `{"vulnerability": {"name": "CVE-2026-1"}, ` + reason + `}`
	about := func(d digest.Digest) string {
		return `{"vulnerability": {"name": "CVE-2026-1"}, ` + reason + `, "products": [{"@id": "pkg:oci/chat@` + strings.Replace(d.String(), ":", "%3A", 1) + `"}]}`
	}
	for name, c := range map[string]struct {
		text string
		want string // the summary, or words of the error
		err  error
	}{
		"an excuse":              {text: document(dated, statement), want: "1 excused"},
		"with an open question":  {text: document(dated, statement+`, {"vulnerability": {"name": "CVE-2026-2"}, "status": "affected"}`), want: "1 excused, 1 not"},
		"about this image":       {text: document(dated, about(image)), want: "1 excused"},
		"about another image":    {text: document(dated, about(other)), want: "other digests", err: evidence.ErrWrongSubject},
		"without a reason":       {text: document(dated, `{"vulnerability": {"name": "CVE-2026-1"}, "status": "not_affected"}`), want: "justification", err: evidence.ErrMalformed},
		"without a time":         {text: document("", statement), want: "timestamp", err: evidence.ErrMalformed},
		"dated tomorrow":         {text: document(`"timestamp": "2026-11-25T08:00:00Z",`, statement), want: "future", err: evidence.ErrMalformed},
		"without statements":     {text: document(dated, ""), want: "no statements", err: evidence.ErrMalformed},
		"a status nobody knows":  {text: document(dated, `{"vulnerability": {"name": "CVE-2026-1"}, "status": "fine"}`), want: "not known", err: evidence.ErrMalformed},
		"no vulnerability":       {text: document(dated, `{"status": "fixed"}`), want: "vulnerability", err: evidence.ErrMalformed},
		"a report of a scanner":  {text: `{"SchemaVersion": 2}`, want: "@context", err: evidence.ErrMalformed},
		"a key twice":            {text: `{"@context": "https://openvex.dev/ns", "@context": "https://openvex.dev/ns"}`, want: "twice", err: evidence.ErrMalformed},
		"not JSON":               {text: `---`, want: "malformed", err: evidence.ErrMalformed},
		"a time that is no time": {text: document(`"timestamp": "noon",`, statement), want: "noon", err: evidence.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gates.ReadVEX([]byte(c.text), image, now)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, expected %v", err, c.err)
			}
			said := got.String()
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("it says %q, expected %q", said, c.want)
			}
		})
	}
}

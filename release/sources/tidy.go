package sources

import (
	"net/url"
	"slices"

	"plimsoll/config/clean"
)

const (
	maxFailures = 50        // names of failed tests of one answer
	maxCount    = 1_000_000 // tests of one answer; more is no number of tests
)

// page is an address that people may open: http or https, without user and
// password; else "".
func page(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	u.User = nil
	return clean.Text(clean.Redact(u.String()))
}

// names are cleaned, the first of them.
func names(all []string) []string {
	out := make([]string, 0, min(len(all), maxFailures))
	for _, n := range all {
		if len(out) == maxFailures {
			break
		}
		if n = text(n); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// text is one text from outside.
func text(s string) string { return clean.Text(clean.Redact(s)) }

// short is the beginning of a commit id, for people.
func short(revision string) string { return revision[:min(12, len(revision))] }

// count is a number of tests from outside.
func count(n int) int { return min(max(n, 0), maxCount) }

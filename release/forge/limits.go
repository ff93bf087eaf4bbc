package forge

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// unsaid is how long a rate limit lasts that does not say: GitHub asks for at
// least a minute after a secondary one.
const unsaid = time.Minute

// Longest is the longest wait that a server is believed.
const Longest = 24 * time.Hour

// Limited is a failure that ends at a known time. Asking before it only makes it
// worse (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
type Limited struct {
	Until time.Time
	Text  string
}

// Error says why, and when to ask again.
func (l Limited) Error() string {
	return fmt.Sprintf("%s; it may be asked again at %s", l.Text, l.Until.UTC().Format(time.RFC3339))
}

// Limit tells whether an answer says that we asked too often, and until when.
//
//	GitHub        403 or 429 with x-ratelimit-remaining: 0 and x-ratelimit-reset, or with
//	              retry-after, or with a body about a secondary rate limit
//	              https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
//	Azure DevOps  429 with Retry-After; X-RateLimit-Reset beside it
//	              https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
//	others        429, or 503 with Retry-After (RFC 9110, section 10.2.3)
func Limit(status int, h http.Header, body []byte, now time.Time) (Limited, bool) {
	after, said := retryAfter(h, now)
	spent := h.Get("X-Ratelimit-Remaining") == "0"
	secondary := bytes.Contains(bytes.ToLower(body), []byte("secondary rate limit"))
	switch status {
	case http.StatusTooManyRequests:
	case http.StatusForbidden:
		if !spent && !said && !secondary {
			return Limited{}, false
		}
	case http.StatusServiceUnavailable:
		if !said {
			return Limited{}, false
		}
	default:
		return Limited{}, false
	}
	if !said {
		after = unsaid
		if reset, ok := untilReset(h, now); ok && spent {
			after = reset
		}
	}
	text := "its rate limit is reached"
	if status == http.StatusServiceUnavailable {
		text = "it is not available now (503)"
	}
	return Limited{Until: now.Add(min(max(after, 0), Longest)), Text: text}, true
}

// retryAfter reads seconds or a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && n < Longest.Seconds() {
		return time.Duration(n * float64(time.Second)), true
	}
	if at, err := http.ParseTime(v); err == nil {
		return at.Sub(theirs(h, now)), true
	}
	return 0, false
}

// untilReset is how long it takes until x-ratelimit-reset, seconds since 1970 on
// the clock of the server.
func untilReset(h http.Header, now time.Time) (time.Duration, bool) {
	n, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil || n <= 0 {
		return 0, false
	}
	return time.Unix(n, 0).Sub(theirs(h, now)), true
}

// theirs is the time on the server's clock, else on ours.
func theirs(h http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return now
}

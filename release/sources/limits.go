package sources

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// unsaid is how long a rate limit lasts that does not say: GitHub asks for at
// least a minute after a secondary one.
const unsaid = time.Minute

// longest is the longest wait that a server is believed.
const longest = 24 * time.Hour

// limitOf tells whether an answer says that we asked too often, and until when.
//
//	GitHub        403 or 429 with x-ratelimit-remaining: 0 and x-ratelimit-reset, or with
//	              retry-after, or with a body about a secondary rate limit
//	              https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
//	Azure DevOps  429 with Retry-After; X-RateLimit-Reset beside it
//	              https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
//	others        429, or 503 with Retry-After (RFC 9110, section 10.2.3)
func limitOf(r reply, now time.Time) (rateLimited, bool) {
	after, said := retryAfter(r.header, now)
	spent := r.header.Get("X-Ratelimit-Remaining") == "0"
	secondary := bytes.Contains(bytes.ToLower(r.body), []byte("secondary rate limit"))
	switch r.status {
	case http.StatusTooManyRequests:
	case http.StatusForbidden:
		if !spent && !said && !secondary {
			return rateLimited{}, false
		}
	case http.StatusServiceUnavailable:
		if !said {
			return rateLimited{}, false
		}
	default:
		return rateLimited{}, false
	}
	if !said {
		after = unsaid
		if reset, ok := untilReset(r.header, now); ok && spent {
			after = reset
		}
	}
	text := "its rate limit is reached"
	if r.status == http.StatusServiceUnavailable {
		text = "it is not available now (503)"
	}
	return rateLimited{until: now.Add(min(max(after, 0), longest)), text: text}, true
}

// retryAfter reads seconds or a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && n < longest.Seconds() {
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

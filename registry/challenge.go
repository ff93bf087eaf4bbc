package registry

import (
	"net/http"
	"strings"
)

// challenge is one WWW-Authenticate challenge (RFC 9110, section 11.6.1).
type challenge struct {
	scheme string // lower case: basic or bearer
	params map[string]string
}

// challenged picks the challenge of an answer 401 that this client can meet:
// bearer before basic; nil if there is none.
func challenged(resp *http.Response) *challenge {
	var basic *challenge
	for _, header := range resp.Header.Values("WWW-Authenticate") {
		for _, c := range parseChallenges(header) {
			switch {
			case c.scheme == "bearer" && c.params["realm"] != "":
				return &c
			case c.scheme == "basic" && basic == nil:
				basic = &c
			}
		}
	}
	return basic
}

// parseChallenges reads one header value, which may hold several challenges:
// `Bearer realm="…",service="…", Basic realm="…"`. What it cannot read it leaves out.
func parseChallenges(s string) []challenge {
	var list []challenge
	for s = skip(s); s != ""; s = skip(s) {
		word, rest := token(s)
		if word == "" { // not a word: leave out one character
			s = s[1:]
			continue
		}
		after := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(after, "=") { // a scheme
			list = append(list, challenge{scheme: strings.ToLower(word), params: map[string]string{}})
			s = rest
			continue
		}
		value, tail := paramValue(strings.TrimLeft(after[1:], " \t"))
		if len(list) > 0 {
			params := list[len(list)-1].params
			if _, twice := params[strings.ToLower(word)]; !twice {
				params[strings.ToLower(word)] = value
			}
		}
		s = tail
	}
	return list
}

// skip leaves out blanks and commas.
func skip(s string) string { return strings.TrimLeft(s, " \t,") }

// token cuts a token (RFC 9110, section 5.6.2) off the front of s.
func token(s string) (word, rest string) {
	i := 0
	for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' ||
		s[i] >= '0' && s[i] <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) >= 0) {
		i++
	}
	return s[:i], s[i:]
}

// paramValue cuts a token or a quoted string off the front of s.
func paramValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t,")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

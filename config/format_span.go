package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const spanPattern = `^(?:[0-9]+[smhdw])+$`

var duration = &format{
	what: "a duration such as 30m, 72h or 90d", pattern: spanPattern, problem: "is no duration", span: true,
	hint: "write a number with s, m, h, d or w: 30m, 72h, 90d", more: func(s string) (string, string) {
		if d, err := parseDuration(s); err == nil && d == 0 {
			return "is no time at all", "write a duration above zero, or leave the key out"
		} else if errors.Is(err, errLong) {
			return "is longer than a hundred years", "write a shorter duration, for example 90d"
		}
		return "", ""
	},
}

// within is a format of durations between two, both included.
func within(least, most string) *format {
	what := "a duration from " + least + " to " + most
	return &format{
		what: what, pattern: spanPattern, problem: "is no duration", hint: "write " + what, span: true,
		more: func(s string) (string, string) {
			d, err := parseDuration(s)
			low, high := fixedSpan(least), fixedSpan(most)
			switch {
			case errors.Is(err, errLong) || err == nil && d > high:
				return "is more than " + most, "write " + what
			case err == nil && d < low:
				return "is less than " + least, "write " + what
			}
			return "", ""
		},
	}
}

// fixedSpan is a duration that stands in our own table.
func fixedSpan(s string) time.Duration {
	d, err := parseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// units of durations; days and weeks are 24 hours and seven times that.
var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// longest is where durations end: a hundred years.
const longest = 36525 * 24 * time.Hour

var errLong = errors.New("a duration ends at a hundred years")

// parseDuration reads 30m, 72h, 90d, 1d12h.
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	for rest := s; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || units[rest[i]] == 0 {
			return 0, fmt.Errorf("%q is no duration", s)
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		if err != nil || n > int64(longest/units[rest[i]]) {
			return 0, errLong
		}
		if sum += time.Duration(n) * units[rest[i]]; sum > longest {
			return 0, errLong
		}
		rest = rest[i+1:]
	}
	if s == "" {
		return 0, fmt.Errorf("%q is no duration", s)
	}
	return sum, nil
}

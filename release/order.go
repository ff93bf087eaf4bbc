package release

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// newestFirst orders candidates: by the time they were built, youngest first;
// those that do not say come after, by their best tag, highest first; equal
// ones by digest, so that the order never flickers.
func newestFirst(a, b row) int {
	switch {
	case a.Created != nil && b.Created != nil:
		if c := b.Created.Compare(*a.Created); c != 0 {
			return c
		}
	case a.Created != nil:
		return -1
	case b.Created != nil:
		return 1
	}
	return cmp.Or(compareTags(slices.MaxFunc(b.tags, compareTags), slices.MaxFunc(a.tags, compareTags)),
		cmp.Compare(a.Digest, b.Digest))
}

// compareTags compares tags the way people read them: numbers by value, so
// that v1.10.0 is above v1.9.0, and a release above its pre-releases, so that
// v1.2.0 is above v1.2.0-rc.1 (as https://semver.org §11 has it).
func compareTags(a, b string) int {
	versionA, preA, hasA := strings.Cut(a, "-")
	versionB, preB, hasB := strings.Cut(b, "-")
	if c := compareNatural(versionA, versionB); c != 0 {
		return c
	}
	switch {
	case hasA && !hasB:
		return -1
	case hasB && !hasA:
		return 1
	}
	return cmp.Or(compareNatural(preA, preB), cmp.Compare(a, b))
}

// compareNatural compares texts part by part: runs of digits by value, the rest by letters.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if c := comparePart(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// part cuts off the leading run of digits or of other characters.
func part(s string) (head, rest string) {
	digits := isDigit(s[0])
	for i := range len(s) {
		if isDigit(s[i]) != digits {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func comparePart(a, b string) int {
	if !isDigit(a[0]) || !isDigit(b[0]) {
		return cmp.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// webAddress is s if it is an http or https address, without user and
// password; else "": a label must not become a link to anything else.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	u.User = nil
	return u.String()
}

package harbor

import (
	"fmt"
	"regexp"
	"strings"
)

// matches tells whether a pattern stands for a whole text. Harbor's patterns are
// those of a file system: * and ? stand for anything but a slash, ** for anything, [a-z] for one of some
// characters, {a,b} for one of some texts; an empty pattern stands for all.
// https://goharbor.io/docs/main/working-with-projects/working-with-images/create-tag-immutability-rules/
func matches(pattern, text string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	expr, err := translate(pattern)
	if err != nil {
		return false, err
	}
	return expr.MatchString(text), nil
}

// translate writes a pattern as a regular expression. Go's run in linear time,
// whatever the pattern.
func translate(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	depth := 0
	for rest := pattern; rest != ""; {
		piece, length := wildcard(rest)
		switch {
		case piece != "":
		case rest[0] == '[':
			return nil, fmt.Errorf("the pattern %q has a [ without an end", said(pattern))
		case rest[0] == '{':
			piece, length, depth = "(?:", 1, depth+1
		case rest[0] == '}' && depth > 0:
			piece, length, depth = ")", 1, depth-1
		case rest[0] == ',' && depth > 0:
			piece, length = "|", 1
		default:
			piece, length = regexp.QuoteMeta(rest[:1]), 1
		}
		b.WriteString(piece)
		rest = rest[length:]
	}
	expr, err := regexp.Compile(b.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is none that is understood", said(pattern))
	}
	return expr, nil
}

// wildcard is what a pattern begins with, as a regular expression, and how long
// that is in the pattern; "" if it begins with something else.
func wildcard(pattern string) (expr string, length int) {
	switch {
	case strings.HasPrefix(pattern, "**"):
		return ".*", 2
	case pattern[0] == '*':
		return "[^/]*", 1
	case pattern[0] == '?':
		return "[^/]", 1
	case pattern[0] == '\\' && len(pattern) > 1:
		return regexp.QuoteMeta(pattern[1:2]), 2
	case pattern[0] == '[':
		if end := strings.IndexByte(pattern, ']'); end >= 2 {
			return "[" + strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(pattern[1:end]) + "]", end + 1
		}
	}
	return "", 0
}

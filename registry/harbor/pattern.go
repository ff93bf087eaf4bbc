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
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(pattern[i:], ']')
			if end < 2 {
				return nil, fmt.Errorf("the pattern %q has a [ without an end", said(pattern))
			}
			b.WriteString("[" + strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(pattern[i+1:i+end]) + "]")
			i += end
		case c == '{':
			depth++
			b.WriteString("(?:")
		case c == '}' && depth > 0:
			depth--
			b.WriteByte(')')
		case c == ',' && depth > 0:
			b.WriteByte('|')
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	expr, err := regexp.Compile(b.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is none that is understood", said(pattern))
	}
	return expr, nil
}

// Package keydocs puts a generated part into a page between two marks.
package keydocs

import (
	"errors"
	"strings"
)

// The marks around the generated part.
const (
	Begin = "<!-- keys: made by go generate ./config, do not edit -->\n"
	End   = "<!-- end of keys -->\n"
)

// Insert replaces what stands between the marks of page.
func Insert(page, part string) (string, error) {
	before, rest, ok := strings.Cut(page, Begin)
	if !ok {
		return "", errors.New("the mark where the keys begin is missing")
	}
	_, after, ok := strings.Cut(rest, End)
	if !ok {
		return "", errors.New("the mark where the keys end is missing")
	}
	return before + Begin + "\n" + part + "\n" + End + after, nil
}

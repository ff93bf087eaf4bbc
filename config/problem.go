package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// place is where something stands in a file, both numbers from 1. The zero
// place is the file as a whole.
type place struct{ line, column int }

// problem is one thing that is wrong in a file, and what would be right.
type problem struct {
	place
	message string
	hint    string
}

// shownProblems is how many further problems are listed after the first.
const shownProblems = 8

// source is one configuration file with everything that was found wrong in it.
type source struct {
	path     string // as shown to people
	lines    []string
	problems []problem
}

func newSource(path string, raw []byte) *source {
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	return &source{path: path, lines: strings.Split(text, "\n")}
}

// report notes a problem once: what several services share is checked with
// each of them.
func (s *source) report(at place, hint, format string, args ...any) {
	p := problem{place: at, message: cut(fmt.Sprintf(format, args...), messageWidth), hint: cut(hint, messageWidth)}
	for _, q := range s.problems {
		if q == p {
			return
		}
	}
	s.problems = append(s.problems, p)
}

// err is nil if nothing is wrong; else it shows the first problem in full, with
// its lines, and names the others.
func (s *source) err() error {
	if len(s.problems) == 0 {
		return nil
	}
	first := s.problems[0]
	var b strings.Builder
	b.WriteString(first.message)
	if excerpt := s.excerpt(first.place); excerpt != "" {
		b.WriteString("\n" + excerpt)
	}
	rest := s.problems[1:]
	if len(rest) > 0 {
		b.WriteString("\nalso:")
	}
	for i, p := range rest {
		if i == shownProblems {
			fmt.Fprintf(&b, "\n  and %d more", len(rest)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", p.line, p.message)
	}
	return fault.New(fault.Usage, first.hint, nil, "%s: %s", s.where(first.place), b.String())
}

// where is file:line:column, as editors and terminals understand it.
func (s *source) where(at place) string {
	if at.line == 0 {
		return s.path
	}
	return fmt.Sprintf("%s:%d:%d", s.path, at.line, at.column)
}

// The most characters of a source line, and of a message or hint, that are shown.
const (
	excerptWidth = 100
	messageWidth = 600
)

func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width]) + "…"
}

// excerpt shows the line of the problem with a mark under its column, and the
// line before it.
func (s *source) excerpt(at place) string {
	if at.line < 1 || at.line > len(s.lines) {
		return ""
	}
	var b strings.Builder
	if at.line > 1 && strings.TrimSpace(s.lines[at.line-2]) != "" {
		before, _ := window(s.lines[at.line-2], 1)
		fmt.Fprintf(&b, "  %4d | %s\n", at.line-1, before)
	}
	line, column := window(s.lines[at.line-1], at.column)
	fmt.Fprintf(&b, "> %4d | %s", at.line, line)
	if column > 0 {
		fmt.Fprintf(&b, "\n         %s^", strings.Repeat(" ", column-1))
	}
	return b.String()
}

// window is the part of a source line around a column as it may be printed,
// harmless and without secrets, and where the column is in it; 0 for nowhere.
func window(line string, column int) (string, int) {
	masked := []rune(mask(line))
	// A mask before the column has moved it.
	if prefix := []rune(line); column < 1 || column > len(masked) || column > len(prefix) || string(prefix[:column]) != string(masked[:column]) {
		column = 0
	}
	start := max(0, column-excerptWidth*3/4)
	out := clean.Text(string(masked[start:min(len(masked), start+excerptWidth)]))
	if start+excerptWidth < len(masked) {
		out += "…"
	}
	if column > 0 {
		column -= start
	}
	if start > 0 {
		out, column = "…"+out, column+1
	}
	return out, column
}

// secretValue finds what somebody may have written into the file although
// secrets do not belong there; excerpts must not show it.
var secretValue = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)([\w-]*(?:password|passwd|password-env|token-env|secret|token|credential)["']?\s*:\s+)("[^"]*"?|'[^']*'?|[^\s,}{\[\]]+)|(://(?:[^/\s:@]*:)?)([^/\s@]+)@`)
})

// mask replaces the secrets of a line.
func mask(line string) string {
	return secretValue().ReplaceAllStringFunc(line, func(m string) string {
		g := secretValue().FindStringSubmatch(m)
		problem, _ := environmentName.wrong(strings.Trim(g[2], `"'`))
		switch {
		case g[3] != "":
			return g[3] + clean.Masked + "@"
		case problem == "" && strings.Contains(g[1], "-env"):
			return m // the name of a variable, as it should be
		}
		return g[1] + clean.Masked
	})
}

// cause is the last sentence of an error of the operating system: the path is
// in our own message already.
func cause(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "reading it is not permitted"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

// nearest is the known word that a misspelt one most likely means, or "".
func nearest(word string, known []string) string {
	best, distance := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is the optimal string alignment distance: how many letters to
// insert, remove, replace or swap with their neighbour.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// didYouMean is the hint for an unknown word among known ones.
func didYouMean(word string, known []string) string {
	if len(known) == 0 {
		return "nothing may stand here: write {}"
	}
	all := "what may stand here: " + strings.Join(known, ", ")
	if n := nearest(word, known); n != "" {
		return fmt.Sprintf("did you mean %q? %s", n, all)
	}
	return all
}

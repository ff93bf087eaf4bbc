package ui

import (
	"fmt"
	"strings"
)

// explanationMost is how many bytes of an explanation are copied: terminals
// drop an OSC 52 sequence that is much longer, and say nothing.
const explanationMost = 64 << 10

// explained copies what the detail screen tells about a candidate, so that it
// can be sent to somebody who has to mend it.
func explained(d *data, s subject) intent {
	if s.report {
		words := plainly("plimsoll doctor "+s.service, doctorLines(d, s.service))
		return copyText{text: words, said: fmt.Sprintf("what the doctor says of %s (%s)", s.service, plural(strings.Count(words, "\n"), "line"))}
	}
	words := explanation(d, s)
	return copyText{text: words, said: fmt.Sprintf("every check of %s with its reasons (%s)", short(s.digest), plural(strings.Count(words, "\n"), "line"))}
}

// explanation is the detail screen as plain text, unbroken.
func explanation(d *data, s subject) string {
	svc := d.service(s.service)
	head := fmt.Sprintf("%s: %s@%s", svc.name, svc.staging, s.digest)
	return plainly(head, detailLines(d, s.service, s.digest, false))
}

// plainly is lines without looks, no longer than terminals take.
func plainly(head string, lines []line) string {
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, l := range lines {
		words := ""
		for _, part := range l {
			words += part.text
		}
		b.WriteString(strings.TrimRight(strings.TrimPrefix(words, "  "), " ") + "\n")
	}
	if b.Len() <= explanationMost {
		return b.String()
	}
	whole := b.String()[:explanationMost]
	whole = whole[:strings.LastIndexByte(whole, '\n')+1]
	return whole + "… cut here; the command line prints all of it: plimsoll gates, plimsoll doctor\n"
}

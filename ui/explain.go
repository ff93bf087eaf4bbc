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
	words := explanation(d, s)
	return copyText{text: words, said: fmt.Sprintf("every check of %s with its reasons (%s)", short(s.digest), plural(strings.Count(words, "\n"), "line"))}
}

// explanation is the detail screen as plain text, unbroken.
func explanation(d *data, s subject) string {
	var b strings.Builder
	svc := d.service(s.service)
	fmt.Fprintf(&b, "%s: %s@%s\n", svc.name, svc.staging, s.digest)
	for _, l := range detailLines(d, s.service, s.digest, false) {
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
	return whole + fmt.Sprintf("… cut here; plimsoll gates %s %s prints all of it\n", svc.name, s.digest)
}

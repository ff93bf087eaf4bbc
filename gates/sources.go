package gates

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/report"
)

// What a source says is not signed. So it never mixes with what is: its keys
// begin with ofSource, and a name that a signer chose never does.
const (
	ofSource = "source:"
	ofSigner = "signed:"
)

// signedName is a name that a signer chose, as part of a key.
func signedName(name string) string {
	if strings.HasPrefix(name, ofSource) || strings.HasPrefix(name, ofSigner) {
		return ofSigner + name
	}
	return name
}

// sourceKey is the key of what a source says about a suite; suite "" is the source as a whole.
func sourceKey(source, suite string) string { return ofSource + source + ":" + suite }

// OfSource tells whether a source outside the registry said no, and not a
// signed statement. Such a negative is no longer to be seen once the source
// says something else; that alone is nothing strange.
func (n Negative) OfSource() bool {
	_, scanner, ok := strings.Cut(n.Key, by)
	return strings.HasPrefix(n.Key, ofSource) || ok && strings.HasPrefix(scanner, ofSource)
}

// bad tells whether the answer says no, whatever word it has for it.
func (a Answer) bad() bool { return a.State == Failed || a.State == Passed && !a.clean() }

// clean tells whether an answer that says passed says nothing else.
func (a Answer) clean() bool {
	return a.Failed == 0 && len(a.Failures) == 0 && (a.Total <= 0 || a.Passed > 0)
}

// at is when the answer came to be: when what it is about finished, else when it was asked.
func (a Answer) at() time.Time {
	if a.Finished.IsZero() {
		return a.Asked
	}
	return a.Finished
}

// id names the answer for good: the same answer, asked again, has the same id.
func (a Answer) id() digest.Digest {
	findings := make([][]string, 0, len(a.Findings))
	for _, f := range a.Findings {
		findings = append(findings, []string{f.ID, f.Package, f.Version, f.PURL, report.SeverityWord(f.Severity)})
	}
	raw, err := json.Marshal([]any{a.Source, a.Key, a.State, a.Passed, a.Failed, a.Total, a.Failures, findings, when(a.Finished), a.Link, a.About})
	if err != nil {
		panic("gates: an answer of strings and numbers cannot be encoded: " + err.Error())
	}
	return digest.FromBytes(raw)
}

// compareAnswers is an order that does not depend on who answered first.
func compareAnswers(a, b Answer) int {
	return cmp.Or(
		cmp.Compare(a.Source, b.Source), cmp.Compare(a.Key, b.Key), a.Finished.Compare(b.Finished), cmp.Compare(a.State, b.State),
		a.Asked.Compare(b.Asked), cmp.Compare(errText(a.Err), errText(b.Err)), slices.CompareFunc(a.Findings, b.Findings, report.Worse),
		cmp.Compare(a.Passed, b.Passed), cmp.Compare(a.Failed, b.Failed), cmp.Compare(a.Total, b.Total),
		cmp.Compare(a.About, b.About), cmp.Compare(a.Link, b.Link), slices.Compare(a.Failures, b.Failures), cmp.Compare(a.Kind, b.Kind),
	)
}

// heard is what the sources say that a gate names.
type heard struct {
	answers []Answer // passed, failed or running
	absent  []Answer // what a source knows nothing of
	notes   []string // why a source says nothing, for people
	broken  []string // what blocks
}

// hear gathers the answers of sources. One that could not answer, or was not
// asked, blocks: nobody can tell what it would have said.
func (e *evaluation) hear(sources []string) heard {
	var h heard
	for _, name := range sorted(sources) {
		asked := false
		for _, a := range e.in.Answers {
			if a.Source != name {
				continue
			}
			asked = true
			why, ok := e.believable(a)
			switch {
			case !ok:
				h.broken = append(h.broken, why)
			case a.State == Absent:
				h.absent = append(h.absent, a)
				h.notes = append(h.notes, fmt.Sprintf("source %s knows nothing of %s%s", name, e.asked(a), e.link(a)))
			default:
				h.answers = append(h.answers, a)
			}
		}
		if !asked {
			h.broken = append(h.broken, fmt.Sprintf("source %s was not asked about this candidate", name))
		}
	}
	return h
}

// withoutScans leaves out what scanners found: a scan that finished is no test
// that passed.
func (h heard) withoutScans() heard {
	tests := make([]Answer, 0, len(h.answers))
	for _, a := range h.answers {
		if a.Scanner {
			h.notes = append(h.notes, fmt.Sprintf("source %s gives the report of a scanner, not test results", a.Source))
			continue
		}
		tests = append(tests, a)
	}
	h.answers = tests
	return h
}

// believable tells whether an answer may be read at all, or why it blocks.
func (e *evaluation) believable(a Answer) (string, bool) {
	about, err := digest.Parse(a.About)
	switch {
	case a.Err != nil:
		return fmt.Sprintf("source %s could not answer: %s%s", a.Source, clean.Text(a.Err.Error()), e.age(a)), false
	case err == nil && !e.isSubject(about):
		return fmt.Sprintf("source %s answered about %s, which is not this candidate", a.Source, short(about)), false
	case a.Finished.After(e.in.Now.Add(maxSkew)):
		return fmt.Sprintf("source %s says that it finished %s, which is in the future: check its clock, and that of this machine", a.Source, moment(a.Finished)), false
	case !slices.Contains([]AnswerState{Passed, Failed, Running, Absent}, a.State):
		return fmt.Sprintf("source %s answered %q, which is no state that is known", a.Source, clean.Text(string(a.State))), false
	}
	return "", true
}

// asked says what the source was asked about, for people.
func (e *evaluation) asked(a Answer) string {
	about := clean.Text(a.About)
	if d, err := digest.Parse(a.About); err == nil {
		about = short(d)
	}
	if about == "" {
		about = "this candidate"
	}
	if a.Key != "" {
		about = clean.Text(a.Key) + " of " + about
	}
	return about
}

// age says how old an answer is.
func (e *evaluation) age(a Answer) string {
	if a.Asked.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (asked %s ago)", span(max(0, e.in.Now.Sub(a.Asked))))
}

// link says where people find more, and how old the answer is.
func (e *evaluation) link(a Answer) string {
	if a.Link == "" {
		return e.age(a)
	}
	return ", see " + clean.Text(a.Link) + e.age(a)
}

// finished says when what the answer is about was done.
func (a Answer) finished() string {
	if a.Finished.IsZero() {
		return ""
	}
	return ", finished " + moment(a.Finished)
}

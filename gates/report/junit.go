package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxXMLDepth is the most levels of nested elements.
const maxXMLDepth = 100

// JUnit reads a JUnit XML file, of surefire, pytest, jest, Playwright, gotestsum and their like.
//
// A test counts as failed if it has a failure or error element; flakyFailure
// and rerunFailure are earlier tries. Failures that a suite declares in its
// attributes beyond those it shows count too. A file without tests is an error.
func JUnit(r io.Reader) (Tests, error) {
	raw, err := readAll(r, "JUnit file")
	if err != nil {
		return Tests{}, err
	}
	p := junitReader{}
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names only: wrong letters are no danger
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Tests{}, fmt.Errorf("the JUnit file is no valid XML: %w", err)
		}
		if err := p.take(token); err != nil {
			return Tests{}, err
		}
	}
	return p.result()
}

// junitSuite is an open testsuite element.
type junitSuite struct {
	name     string
	declared int // failures and errors of its attributes
	found    int // those of its test cases, nested suites included
}

// junitReader takes the elements of a file one after the other.
type junitReader struct {
	tests  Tests
	root   string
	depth  int
	suites []junitSuite
	names  map[string]bool // of the outermost suites

	test    string // of the open testcase
	inTest  int    // its depth, 0 outside
	failed  bool
	skipped bool
}

// take reads one token.
func (p *junitReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		if p.depth++; p.depth > maxXMLDepth {
			return fmt.Errorf("the JUnit file is nested deeper than %d levels", maxXMLDepth)
		}
		if p.root == "" {
			p.root = t.Name.Local
		}
		p.open(t)
	case xml.EndElement:
		p.close(t.Name.Local)
		p.depth--
	}
	return nil
}

// open begins an element.
func (p *junitReader) open(e xml.StartElement) {
	if p.inTest > 0 {
		if p.depth != p.inTest+1 {
			return
		}
		switch e.Name.Local {
		case "failure", "error":
			p.failed = true
		case "skipped":
			p.skipped = true
		}
		return
	}
	switch e.Name.Local {
	case "testsuites":
		p.time(e)
	case "testsuite":
		p.openSuite(e)
	case "testcase":
		p.inTest, p.failed, p.skipped = p.depth, false, false
		p.test = attr(e, "name")
		if class := attr(e, "classname"); class != "" && class != p.test {
			p.test = class + " " + p.test
		}
	}
}

// openSuite begins a testsuite.
func (p *junitReader) openSuite(e xml.StartElement) {
	s := junitSuite{name: attr(e, "name")}
	for _, a := range []string{"failures", "errors"} {
		if n, err := strconv.Atoi(attr(e, a)); err == nil && n > 0 {
			s.declared += min(n, 1_000_000)
		}
	}
	if len(p.suites) == 0 && s.name != "" {
		if p.names == nil {
			p.names = map[string]bool{}
		}
		p.names[s.name] = true
	}
	p.time(e)
	p.suites = append(p.suites, s)
}

// close ends an element.
func (p *junitReader) close(element string) {
	switch {
	case element == "testcase" && p.inTest == p.depth:
		p.endTest()
	case element == "testsuite" && p.inTest == 0 && len(p.suites) > 0:
		p.endSuite()
	}
}

// endTest counts a test.
func (p *junitReader) endTest() {
	p.inTest = 0
	switch {
	case p.failed:
		p.tests.fail(p.test)
		if n := len(p.suites); n > 0 {
			p.suites[n-1].found++
		}
	case p.skipped:
		p.tests.Skipped++
	default:
		p.tests.pass(p.test)
	}
}

// endSuite counts what a suite declares beyond its test cases: a set-up that
// failed, or a report that was cut short.
func (p *junitReader) endSuite() {
	n := len(p.suites) - 1
	s := p.suites[n]
	p.suites = p.suites[:n]
	if s.declared > s.found {
		p.tests.Failed += s.declared - s.found - 1
		p.tests.fail(s.name + " (declared by the suite, no test case)")
	}
	if n > 0 {
		p.suites[n-1].found += max(s.declared, s.found)
	}
}

// time notes when a suite ended, if its timestamp has a zone: without one
// nobody knows when it was.
func (p *junitReader) time(e xml.StartElement) {
	at, err := time.Parse(time.RFC3339, attr(e, "timestamp"))
	if err != nil {
		return
	}
	if s, err := strconv.ParseFloat(strings.ReplaceAll(attr(e, "time"), ",", ""), 64); err == nil && s > 0 && s < 1e6 {
		at = at.Add(time.Duration(s * float64(time.Second)))
	}
	p.tests.finished(at)
}

// result checks that the file was one of tests.
func (p *junitReader) result() (Tests, error) {
	if p.root != "testsuites" && p.root != "testsuite" {
		return Tests{}, fmt.Errorf("the file is no JUnit XML: its root element is %q", name(p.root))
	}
	if p.tests.Ran() == 0 {
		return Tests{}, errors.New("no test ran in the JUnit file, so there is nothing to attest")
	}
	for n := range p.names {
		if len(p.names) == 1 {
			p.tests.Suite = name(n)
		}
	}
	return p.tests, nil
}

// attr is an attribute of e, "" without it.
func attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

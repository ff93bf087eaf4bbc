package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// event is one line of go test -json (cmd/test2json).
type event struct {
	Time       time.Time
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
}

// goTests collects the events of a run.
type goTests struct {
	tests  Tests
	open   map[[2]string]bool // tests and packages ({package, ""}) that began and did not end
	failed map[string]int     // failed tests by package
}

// GoTest reads the output of go test -json. Lines that are no JSON object, such
// as a compiler's, are passed over. A test or package that began and did not
// end counts as failed, and so does a package that does not build. Output
// without tests is an error.
func GoTest(r io.Reader) (Tests, error) {
	raw, err := readAll(r, "go test output")
	if err != nil {
		return Tests{}, err
	}
	g := goTests{open: map[[2]string]bool{}, failed: map[string]int{}}
	number := 0
	for line := range bytes.Lines(raw) {
		number++
		line = bytes.TrimSpace(line)
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return Tests{}, fmt.Errorf("line %d of the go test output: %w", number, plain(err))
		}
		g.take(e)
	}
	return g.result()
}

// take counts one event.
func (g *goTests) take(e event) {
	key := [2]string{e.Package, e.Test}
	g.tests.finished(e.Time)
	switch e.Action {
	case "start", "run":
		g.open[key] = true
	case "build-fail":
		g.tests.fail(e.ImportPath + " (does not build)")
	case "pass", "fail", "skip":
		delete(g.open, key)
		g.end(e)
	}
}

// end counts the end of a test, or of a package that failed outside its tests.
func (g *goTests) end(e event) {
	if e.Test == "" {
		if e.Action == "fail" && g.failed[e.Package] == 0 {
			g.tests.fail(e.Package)
		}
		return
	}
	switch full := e.Package + " " + e.Test; e.Action {
	case "pass":
		g.tests.pass(full)
	case "skip":
		g.tests.Skipped++
	default:
		g.failed[e.Package]++
		g.tests.fail(full)
	}
}

// result counts what did not end.
func (g *goTests) result() (Tests, error) {
	cut := make([]string, 0, len(g.open))
	for key := range g.open {
		cut = append(cut, key[0]+" "+key[1]+" (did not finish)")
	}
	slices.Sort(cut)
	for _, c := range cut {
		g.tests.fail(c)
	}
	if g.tests.Ran() == 0 {
		return Tests{}, errors.New("no test ran in the go test output, so there is nothing to attest; go test -json writes it")
	}
	return g.tests, nil
}

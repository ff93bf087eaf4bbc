package diff

import (
	"cmp"
	"slices"

	"plimsoll/config"
)

// Finding is one vulnerability in one package, from a verified scan report.
type Finding struct {
	ID       string `json:"id"`
	Package  string `json:"package"`
	Version  string `json:"version"`
	Fixed    string `json:"fixedIn,omitempty"` // the version that fixes it
	Severity string `json:"severity"`          // critical, high, medium, low, negligible, unknown
	Title    string `json:"title,omitempty"`
	URL      string `json:"url,omitempty"`

	Level config.Severity `json:"-"` // Severity, to compare
}

// Findings is what the newest verified scans say of an image.
type Findings struct {
	List    []Finding
	Missing []string // platforms without a scan
	Problem string   // why there is nothing to compare, "" if there is
}

// Vulnerabilities is what a change brings in and what it fixes. Problem says
// why it could not be told, "" if it could; then both lists are empty. Partial
// says what the lists leave out, "" if nothing.
type Vulnerabilities struct {
	Introduced []Finding `json:"introduced"`
	Fixed      []Finding `json:"fixed"`
	Problem    string    `json:"problem,omitempty"`
	Partial    string    `json:"partial,omitempty"`
}

// findings compares two scan reports by vulnerability and package: a new
// version of a package with the same hole brings nothing in.
func findings(from *Image, to Image) Vulnerabilities {
	out := Vulnerabilities{Introduced: []Finding{}, Fixed: []Finding{}}
	after, before := to.findings(), Findings{}
	if from != nil {
		before = from.findings()
	}
	out.Problem, out.Partial = caveats("scan", before.Problem, before.Missing, after.Problem, after.Missing)
	if out.Problem == "" {
		out.Introduced, out.Fixed = onlyIn(after.List, before.List), onlyIn(before.List, after.List)
	}
	return out
}

// findings are what is known of the image's vulnerabilities.
func (i Image) findings() Findings {
	if i.Findings == nil {
		return Findings{Problem: "there is no verified scan of it"}
	}
	return *i.Findings
}

type findingKey struct{ id, pkg string }

// onlyIn are the findings of a that b does not have, worst first, each once.
func onlyIn(a, b []Finding) []Finding {
	had := map[findingKey]bool{}
	for _, f := range b {
		had[findingKey{f.ID, f.Package}] = true
	}
	out := []Finding{}
	for _, f := range a {
		if k := (findingKey{f.ID, f.Package}); !had[k] {
			had[k] = true
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(y.Level, x.Level), cmp.Compare(x.ID, y.ID), cmp.Compare(x.Package, y.Package))
	})
	return out
}

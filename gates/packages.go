package gates

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/package-url/packageurl-go"

	"plimsoll/config/clean"
	"plimsoll/gates/evidence"
)

// Predicate types of a bill of materials: cosign's, the in-toto attestation
// framework's and BuildKit's. SPDX documents may carry their version behind a slash
// (https://github.com/in-toto/attestation/tree/main/spec/predicates).
const (
	cycloneDX = "https://cyclonedx.org/bom"
	spdx      = "https://spdx.dev/Document"
)

// maxPackages is the most packages of one image that are compared; none has more.
const maxPackages = 100_000

// Package is one package inside an image, as its bill of materials names it.
type Package struct {
	Ecosystem string // the type of its package URL: deb, npm, golang, …
	Name      string // with its namespace
	Version   string
}

// String is its package URL without qualifiers.
func (p Package) String() string {
	if p.Version == "" {
		return "pkg:" + p.Ecosystem + "/" + p.Name
	}
	return "pkg:" + p.Ecosystem + "/" + p.Name + "@" + p.Version
}

// Packages is what the newest verified bills of materials say is inside an image.
type Packages struct {
	List      []Package // sorted, each once
	Platforms []string  // that bills of materials cover
	Missing   []string  // platforms without one
	Problem   string    // why there is nothing to compare, "" if there is
}

// PackagesOf is what the newest verified bill of materials of each platform of
// in says: CycloneDX or SPDX, signed by any group in trust; or BuildKit's, which is part
// of the index, where one of them signed anything about the index. Reports of
// scanners are not asked: they name what is vulnerable, not what is there.
func PackagesOf(p Policy, in Input) Packages {
	e := newEvaluation(p, in)
	signers := allGroups(p)
	f, problem := e.ask(signers, IsBill, e.reader.subjects)
	if problem != nil {
		return Packages{Problem: problem.Reasons[0]}
	}
	bills := append(f.proofs, e.billsInside(signers)...)
	slices.SortStableFunc(bills, func(a, b proof) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.id(), b.id())) })
	platforms, absent := wanted(p, e.in)
	out := Packages{Missing: absent}
	for _, platform := range platforms {
		i := slices.IndexFunc(bills, func(b proof) bool { return covers(b.Statement, e.in, platform, nil, nil) })
		if i < 0 {
			out.Missing = append(out.Missing, platformName(platform))
			continue
		}
		list, err := readBill(bills[i].Statement)
		if err != nil {
			return Packages{Problem: fmt.Sprintf("%s, the bill of materials of %s: %v", label(bills[i].Item), platformName(platform), err)}
		}
		out.Platforms = append(out.Platforms, platformName(platform))
		out.List = append(out.List, list...)
	}
	if len(out.Platforms) == 0 {
		out.Problem = "there is no verified bill of materials of it"
		if len(f.broken) > 0 {
			out.Problem = f.broken[0]
		}
	}
	slices.SortFunc(out.List, comparePackages)
	out.List = slices.Compact(out.List)
	return out
}

func comparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Ecosystem, b.Ecosystem), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}

// Inside tells whether anything reads attestations of that predicate type inside
// an index: what it was built from, and what is in it.
func Inside(predicateType string) bool { return isProvenance(predicateType) || IsBill(predicateType) }

// IsBill tells whether a predicate type is a bill of materials.
func IsBill(t string) bool {
	return t == cycloneDX || strings.HasPrefix(t, cycloneDX+"/") || isSPDX(t)
}

func isSPDX(t string) bool { return t == spdx || strings.HasPrefix(t, spdx+"/") }

// billsInside are BuildKit's bills of materials, if a signed statement vouches
// for the index that they are part of.
func (e *evaluation) billsInside(signers []string) []proof {
	voucher, _ := e.voucher(signers)
	if voucher == nil {
		return nil
	}
	var bills []proof
	for _, o := range e.reader.items {
		if o.item.Form != evidence.BuildKit || !IsBill(cmp.Or(o.item.PredicateType, spdx)) {
			continue
		}
		s, err := insideIndex(o.item)
		if err != nil || !IsBill(s.PredicateType) || !slices.ContainsFunc(e.in.Platforms, func(p Platform) bool { return s.About(p.Digest) }) {
			continue
		}
		bills = append(bills, proof{Verified: evidence.Verified{Item: o.item, Statement: s, Group: voucher.Group}})
	}
	return bills
}

// read are the bills of materials that were read last: a listing asks for the
// same ones with every refresh. Its key is the SHA-256 of type and predicate, so
// what it answers is what reading again would.
var read = struct {
	sync.Mutex
	bills map[[sha256.Size]byte][]Package
}{bills: map[[sha256.Size]byte][]Package{}}

const maxRead = 32

// readBill is the packages of a bill of materials.
func readBill(s evidence.Statement) ([]Package, error) {
	h := sha256.New()
	h.Write([]byte(s.PredicateType + "\x00"))
	h.Write(s.Predicate)
	key := [sha256.Size]byte(h.Sum(nil))
	read.Lock()
	list, ok := read.bills[key]
	read.Unlock()
	if ok {
		return list, nil
	}
	list, err := parseBill(s)
	if err != nil {
		return nil, err
	}
	read.Lock()
	defer read.Unlock()
	if len(read.bills) >= maxRead {
		clear(read.bills)
	}
	read.bills[key] = list
	return list, nil
}

func parseBill(s evidence.Statement) ([]Package, error) {
	purls := cycloneDXPackages
	if isSPDX(s.PredicateType) {
		purls = spdxPackages
	}
	urls, err := purls(s.Predicate)
	if err != nil {
		return nil, err
	}
	var list []Package
	for _, u := range urls {
		purl, err := packageurl.FromString(u)
		if err != nil || purl.Type == packageurl.TypeOCI || purl.Type == packageurl.TypeDocker {
			continue // not a package, or the image itself
		}
		list = append(list, Package{clean.Text(purl.Type), clean.Text(strings.Trim(purl.Namespace+"/"+purl.Name, "/")), clean.Text(purl.Version)})
	}
	if len(list) > maxPackages {
		return nil, fmt.Errorf("it lists %d packages, more than %d", len(list), maxPackages)
	}
	slices.SortFunc(list, comparePackages)
	return slices.Compact(list), nil
}

// component is one of CycloneDX (https://cyclonedx.org/docs/1.6/json/#components); they nest.
type component struct {
	PURL       string      `json:"purl"`
	Components []component `json:"components"`
}

// cycloneDXPackages are the package URLs of a CycloneDX document.
func cycloneDXPackages(raw json.RawMessage) ([]string, error) {
	var doc struct {
		Format     string      `json:"bomFormat"`
		Components []component `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%w: no CycloneDX document: %w", evidence.ErrMalformed, err)
	}
	if doc.Format != "CycloneDX" {
		return nil, fmt.Errorf("%w: no CycloneDX document in JSON", evidence.ErrMalformed)
	}
	var urls []string
	var walk func([]component)
	walk = func(list []component) {
		for _, c := range list {
			if c.PURL != "" {
				urls = append(urls, c.PURL)
			}
			walk(c.Components)
		}
	}
	walk(doc.Components)
	return urls, nil
}

// spdxPackages are the package URLs of an SPDX 2 document
// (https://spdx.github.io/spdx-spec/v2.3/package-information/#721-external-reference-field).
func spdxPackages(raw json.RawMessage) ([]string, error) {
	var doc struct {
		Version  string `json:"spdxVersion"`
		Packages []struct {
			References []struct {
				Type    string `json:"referenceType"`
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%w: no SPDX document: %w", evidence.ErrMalformed, err)
	}
	if !strings.HasPrefix(doc.Version, "SPDX-2.") {
		return nil, fmt.Errorf("%w: no SPDX 2 document in JSON", evidence.ErrMalformed)
	}
	var urls []string
	for _, p := range doc.Packages {
		for _, r := range p.References {
			if r.Type == "purl" {
				urls = append(urls, r.Locator)
				break
			}
		}
	}
	return urls, nil
}

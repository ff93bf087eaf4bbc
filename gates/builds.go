package gates

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// built is provenance that counts, with the platforms that it covers.
type built struct {
	proof
	provenance
	platforms []Platform
	who       string        // signed by …, in words
	voucher   digest.Digest // manifest of the statement that vouches for it, if it is not signed itself
}

// builds finds the provenance that says what an image is built on: signed by
// the groups; or BuildKit's, which is part of the index, where the groups signed
// anything about the index: its digest covers every byte of the index and its
// children. That vouches for the bytes, not for who built them: so the
// provenance gate does not read it.
func (e *evaluation) builds(signers []string) ([]built, found, *Check) {
	signed, f, problem := e.signedBuilds(signers)
	if problem != nil {
		return nil, f, problem
	}
	var builds []built
	for _, b := range signed {
		if !b.listsBases() {
			f.reject(b.Item, errNoBases.Error())
			continue
		}
		b.platforms = e.builtFor(b.Statement, b.provenance)
		builds = append(builds, b)
	}
	return append(builds, e.buildKit(signers, &f)...), f, nil
}

// signedBuilds is the provenance that the groups signed, without its platforms.
func (e *evaluation) signedBuilds(signers []string) ([]built, found, *Check) {
	f, problem := e.ask(signers, isProvenance, e.reader.subjects)
	if problem != nil {
		return nil, f, problem
	}
	var builds []built
	for _, p := range f.proofs {
		pr, err := readProvenance(p.Statement)
		if err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
			continue
		}
		builds = append(builds, built{proof: p, provenance: pr, who: "signed by " + p.Group + onDate(p)})
	}
	return builds, f, nil
}

// builtFor is the platforms whose base images signed provenance is about.
func (e *evaluation) builtFor(s evidence.Statement, pr provenance) []Platform {
	names := pr.platformNames()
	platforms, _ := wanted(e.policy, e.in)
	return slices.DeleteFunc(slices.Clone(platforms), func(p Platform) bool { return !covers(s, e.in, p, nil, names) })
}

// platformNames is the platforms that provenance names by its base images.
func (p provenance) platformNames() []string {
	var names []string
	for _, b := range p.bases {
		if b.Platform != "" && !slices.Contains(names, b.Platform) {
			names = append(names, b.Platform)
		}
	}
	if p.buildKit && len(names) > 1 {
		// BuildKit writes one provenance for each platform; with a stage on the
		// builder's own platform it cannot be told which one this is of.
		return []string{"?"}
	}
	return names
}

// buildKit is the provenance inside the index, if a signed statement vouches for the index.
func (e *evaluation) buildKit(signers []string, f *found) []built {
	voucher, unclear := e.voucher(signers)
	platforms, _ := wanted(e.policy, e.in)
	var builds []built
	for _, o := range e.reader.items {
		if o.item.Form != evidence.BuildKit || IsBill(o.item.PredicateType) {
			continue
		}
		s, err := insideIndex(o.item)
		if err != nil {
			f.broken = append(f.broken, fmt.Sprintf("%s inside the index: %v", label(o.item), err))
			continue
		}
		if !isProvenance(s.PredicateType) {
			continue
		}
		if voucher == nil {
			f.reject(o.item, fmt.Sprintf("%v: BuildKit's provenance inside the index counts once %s signed a statement about the index", evidence.ErrUnsigned, list(signers, "or")))
			f.broken = append(f.broken, unclear...)
			unclear = nil
			continue
		}
		if b, ok := e.vouched(o.item, s, *voucher, platforms, f); ok {
			builds = append(builds, b)
		}
	}
	return builds
}

// voucher is a statement about the candidate signed by one of the groups, of
// whatever predicate; or, without one, which statements might be and could not be verified.
func (e *evaluation) voucher(signers []string) (p *proof, unclear []string) {
	groups, err := e.policy.groups(signers)
	if err != nil {
		return nil, nil
	}
	for _, o := range e.reader.items {
		if o.envelope == nil {
			continue
		}
		v := o.verify(groups, e.in.Now)
		switch {
		case v.err == nil && v.About(e.in.Candidate):
			return &proof{Verified: v.Verified}, nil
		case errors.Is(v.err, evidence.ErrUnreadable):
			unclear = append(unclear, fmt.Sprintf("%s %v", label(o.item), v.err))
		}
	}
	return nil, unclear
}

// vouched reads provenance inside the index that a statement vouches for.
func (e *evaluation) vouched(item evidence.Item, s evidence.Statement, voucher proof, platforms []Platform, f *found) (built, bool) {
	pr, err := readProvenance(s)
	if err != nil {
		f.broken = append(f.broken, fmt.Sprintf("%s inside the index: %v", label(item), err))
		return built{}, false
	}
	v := evidence.Verified{Item: item, Statement: s, Group: voucher.Group}
	at, err := v.SignedTime()
	if err != nil {
		f.broken = append(f.broken, fmt.Sprintf("%s inside the index: %v", label(item), err))
		return built{}, false
	}
	if at.After(e.in.Now.Add(maxSkew)) {
		f.broken = append(f.broken, fmt.Sprintf("%s inside the index is dated %s, which is in the future: check the clock of the builder, and of this machine", label(item), moment(at)))
		return built{}, false
	}
	who := fmt.Sprintf("from BuildKit, inside the index that %s signed (%s)", voucher.Group, short(voucher.id()))
	b := built{proof: proof{v, at}, provenance: pr, voucher: voucher.Manifest, who: who}
	for _, p := range platforms {
		if s.About(p.Digest) {
			b.platforms = append(b.platforms, p)
		}
	}
	return b, true
}

// insideIndex reads an attestation of BuildKit.
func insideIndex(item evidence.Item) (evidence.Statement, error) {
	if item.Problem != "" {
		return evidence.Statement{}, fmt.Errorf("%w: %s", evidence.ErrUnreadable, item.Problem)
	}
	return evidence.ParseStatement(item.Raw) //nolint:wrapcheck // it says what is wrong
}

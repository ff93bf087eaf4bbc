package gates

import (
	"errors"
	"fmt"
	"slices"

	"plimsoll/gates/evidence"
)

// built is provenance that counts, with the platforms that it covers.
type built struct {
	proof
	provenance
	platforms []Platform
	who       string // signed by …, in words
}

// baseImage: for every platform there is provenance that counts, and it names
// every image that the build began from by digest.
func (e *evaluation) baseImage() Check {
	gate := e.policy.Service.Gates.BaseImage
	builds, f, problem := e.builds(gate.Signers)
	if problem != nil {
		return *problem
	}
	rulings := gone(BaseImage, e.in)
	for _, b := range builds {
		for _, p := range b.platforms {
			rulings = append(rulings, judgeBases(b, p, gate.Pinned))
		}
	}
	e.remember(BaseImage, rulings)
	decided, missing := e.decidePlatforms(rulings, func(k string) string { return k }, "provenance")
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = baseSummary(c.Status, decided, missing)
	}
	if c.Status == Missing {
		c.Reasons = append(c.Reasons, "produce it with: docker buildx build --provenance=true --push, and any statement about the index signed by "+list(gate.Signers, "or")+
			"; or attach signed SLSA provenance")
	}
	return c
}

// builds finds the provenance that counts: signed by the groups; or BuildKit's,
// which is part of the index, where the groups signed anything about the index:
// its digest covers every byte of the index and its children.
func (e *evaluation) builds(signers []string) ([]built, found, *Check) {
	f, problem := e.ask(signers, isProvenance, e.reader.subjects)
	if problem != nil {
		return nil, f, problem
	}
	var builds []built
	for _, p := range f.proofs {
		pr, err := readProvenance(p.Statement)
		switch {
		case errors.Is(err, errNoBases):
			f.reject(p.Item, err.Error())
		case err != nil:
			f.broken = append(f.broken, fmt.Sprintf("%s, signed by %s: %v", label(p.Item), p.Group, err))
		default:
			builds = append(builds, built{p, pr, e.builtFor(p.Statement, pr), "signed by " + p.Group + onDate(p)})
		}
	}
	return append(builds, e.buildKit(signers, &f)...), f, nil
}

// builtFor is the platforms that signed provenance covers.
func (e *evaluation) builtFor(s evidence.Statement, pr provenance) []Platform {
	var names []string
	for _, b := range pr.bases {
		if b.Platform != "" && !slices.Contains(names, b.Platform) {
			names = append(names, b.Platform)
		}
	}
	if pr.buildKit && len(names) > 1 {
		// BuildKit writes one provenance for each platform; with a stage on the
		// builder's own platform it cannot be told which one this is of.
		names = []string{"?"}
	}
	platforms, _ := wanted(e.policy, e.in)
	return slices.DeleteFunc(slices.Clone(platforms), func(p Platform) bool { return !covers(s, e.in, p, nil, names) })
}

// buildKit is the provenance inside the index, if a signed statement vouches for the index.
func (e *evaluation) buildKit(signers []string, f *found) []built {
	voucher := e.voucher(signers)
	platforms, _ := wanted(e.policy, e.in)
	var builds []built
	for _, o := range e.reader.items {
		if o.item.Form != evidence.BuildKit {
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
			continue
		}
		if b, ok := e.vouched(o.item, s, *voucher, platforms, f); ok {
			builds = append(builds, b)
		}
	}
	return builds
}

// voucher is a statement about the candidate signed by one of the groups, of whatever predicate.
func (e *evaluation) voucher(signers []string) *proof {
	groups, err := e.policy.groups(signers)
	if err != nil {
		return nil
	}
	for _, o := range e.reader.items {
		if o.envelope == nil {
			continue
		}
		if v, err := verifyAny(o.envelope, groups, e.in.Now); err == nil && v.About(e.in.Candidate) {
			return &proof{Verified: v}
		}
	}
	return nil
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
	b := built{proof: proof{v, at}, provenance: pr, who: fmt.Sprintf("from BuildKit, inside the index that %s signed (%s)", voucher.Group, short(voucher.id()))}
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

// judgeBases is what one provenance says about one platform.
func judgeBases(b built, p Platform, required bool) ruling {
	name := platformName(p)
	r := ruling{key: name, at: b.at, status: Pass, evidence: b.Manifest, id: b.id(), summary: "pinned"}
	var loose []string
	all := make([]string, 0, len(b.bases))
	for _, base := range b.bases {
		all = append(all, base.String())
		if !base.Pinned {
			loose = append(loose, unpinned(name, base))
		}
	}
	switch {
	case len(loose) > 0 && required:
		r.bad, r.status = true, Fail
		r.summary = fmt.Sprintf("%d not pinned", len(loose))
		r.reasons = append(loose, fmt.Sprintf("%s: provenance %s", name, b.who))
	case len(loose) > 0:
		r.summary = "not pinned"
		r.reasons = append([]string{fmt.Sprintf("%s: pinning is optional here; provenance %s", name, b.who)}, loose...)
	case len(all) == 0:
		r.summary = "from scratch"
		r.reasons = []string{fmt.Sprintf("%s: built from no other image; provenance %s", name, b.who)}
	default:
		r.reasons = []string{fmt.Sprintf("%s: built from %s; provenance %s", name, list(all, "and"), b.who)}
	}
	return r
}

// unpinned names an image that is not pinned, what it was, and what to write instead.
func unpinned(platform string, b Base) string {
	line := fmt.Sprintf("%s: %s is not pinned by digest", platform, b.Reference)
	if b.Resolved == "" {
		return line
	}
	return line + fmt.Sprintf("; it resolved to %s: write FROM %s", b.Resolved, b)
}

// baseSummary is the gate in one line.
func baseSummary(status Status, decided []ruling, missing []string) string {
	if s := unprovenSummary(status, decided, missing); s != "" {
		return s
	}
	worst := ruling{status: Off}
	for _, r := range decided {
		if severity(r.status) > severity(worst.status) || worst.summary == "from scratch" || worst.summary == "pinned" && r.summary == "not pinned" {
			worst = r
		}
	}
	return worst.summary
}

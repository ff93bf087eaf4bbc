package gates

import (
	"fmt"
	"slices"
	"strings"

	"plimsoll/config"
)

// provenance: for every platform, the newest provenance that the gate's signers
// signed says that it was built from the named repository, from one of the
// branches, by one of the builders.
//
// Provenance that BuildKit puts into the index does not count here, whoever
// signed the index: whoever pushes an image writes it as they like, and a test
// pipeline that signs its result for that index vouches for no builder.
func (e *evaluation) provenance() Check {
	gate := e.policy.Service.Gates.Provenance
	builds, f, problem := e.signedBuilds(gate.Signers)
	if problem != nil {
		return *problem
	}
	rulings := gone(Provenance, e.in)
	for _, b := range builds {
		wrong, silent := judgeOrigin(b.origin, *gate)
		if len(wrong) == 0 && silent != "" {
			f.reject(b.Item, fmt.Sprintf("%s, but the provenance %s; it says: %s", b.who, silent, b.origin.read()))
			continue
		}
		for _, p := range e.originOf(b) {
			rulings = append(rulings, e.judgeBuild(b, p, wrong))
		}
	}
	e.remember(Provenance, rulings)
	decided, missing := e.decidePlatforms(newest(rulings), func(k string) string { return k }, "signed provenance")
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = baseSummary(c.Status, decided, missing)
	}
	if lacking(decided) {
		c.Reasons = append(c.Reasons, e.produceProvenance())
	}
	return c
}

// produceProvenance says how to get it, for a developer.
func (e *evaluation) produceProvenance() string {
	gate := e.policy.Service.Gates.Provenance
	return fmt.Sprintf("ask %s to build it from %s and to attach signed SLSA provenance of %s: actions/attest-build-provenance with push-to-registry, or "+
		"cosign attest --type https://slsa.dev/provenance/v1", list(gate.Signers, "or"), wantedSource(*gate), short(e.in.Candidate))
}

// wantedSource is what the gate asks for, for people.
func wantedSource(gate config.ProvenanceGate) string {
	text := "the repository"
	if gate.Source != "" {
		text = sourceRepository(gate.Source)
	}
	if len(gate.Branches) > 0 {
		text += " (" + list(gate.Branches, "or") + ")"
	}
	return text
}

// originOf is the platforms that the provenance says something about. What is
// said of an index without naming a platform is said of all that it holds: its
// digest covers every byte. BuildKit writes one for each platform.
func (e *evaluation) originOf(b built) []Platform {
	names := b.platformNames()
	if len(names) == 0 && !b.buildKit && b.About(e.in.Candidate) && !aboutAnyPlatform(b.Statement, e.in) {
		platforms, _ := wanted(e.policy, e.in)
		return platforms
	}
	return e.builtFor(b.Statement, b.provenance)
}

// judgeBuild is what one provenance says about one platform; wrong is what of it is not as it must be.
func (e *evaluation) judgeBuild(b built, p Platform, wrong []string) ruling {
	name := platformName(p)
	r := ruling{key: name, at: b.at, status: Pass, evidence: b.Manifest, id: b.id(), summary: b.origin.summary()}
	said := fmt.Sprintf("%s: the provenance, %s, says: %s", name, b.who, b.origin.read())
	why, old := stale(b.at, e.policy.Service.Gates.Provenance.MaxAge, e.in.Now)
	switch {
	case len(wrong) > 0:
		r.bad, r.status, r.summary = true, Fail, "built elsewhere"
		for _, w := range wrong {
			r.reasons = append(r.reasons, name+": "+w)
		}
		r.reasons = append(r.reasons, said)
	case old:
		r.status, r.summary, r.reasons = Stale, "old", []string{said + "; but " + why}
	default:
		r.reasons = []string{said}
	}
	return r
}

// judgeOrigin compares what provenance says with what the gate asks for: what
// is wrong, and what it does not say.
func judgeOrigin(o origin, gate config.ProvenanceGate) (wrong []string, silent string) {
	var quiet []string
	want := sourceRepository(gate.Source)
	if gate.Source != "" {
		claims, why := o.claims()
		if why != "" {
			quiet = append(quiet, why)
		}
		for _, c := range claims {
			if c.repository != want {
				wrong = append(wrong, fmt.Sprintf("it was built from %s, not from %s", c.repository, want))
			}
		}
	}
	if len(gate.Branches) > 0 {
		refs := o.refs(want)
		for _, c := range refs {
			if !onBranch(c.ref, gate.Branches) {
				wrong = append(wrong, fmt.Sprintf("it was built from %s of %s, not from branch %s", c.ref, c.repository, list(gate.Branches, "or")))
			}
		}
		if len(refs) == 0 {
			quiet = append(quiet, "does not say from which branch it was built")
		}
	}
	switch fits := func(b string) bool { return builtBy(o.builder, b) }; {
	case len(gate.Builders) == 0 || slices.ContainsFunc(gate.Builders, fits):
	case o.builder == "":
		quiet = append(quiet, "does not say who built it")
	default:
		wrong = append(wrong, fmt.Sprintf("it was built by %s, not by %s", o.builder, list(gate.Builders, "or")))
	}
	return slices.Compact(wrong), strings.Join(quiet, ", and ")
}

// claims is what says where the build came from: what the builder was started
// for; without it, the only repository among what it took.
func (o origin) claims() (claims []claim, silent string) {
	switch {
	case len(o.sources) > 0:
		return o.sources, ""
	case len(o.deps) == 0:
		return nil, "does not say from which repository it was built"
	}
	for _, c := range o.deps {
		if c.repository != o.deps[0].repository {
			return nil, "names several repositories, and not which of them was built"
		}
	}
	return o.deps[:1], ""
}

// refs is everything that names a branch or tag of the repository; "" is any.
func (o origin) refs(repository string) []claim {
	var refs []claim
	for _, c := range slices.Concat(o.sources, o.deps) {
		if c.ref != "" && (repository == "" || c.repository == repository) {
			refs = append(refs, c)
		}
	}
	return refs
}

// onBranch tells whether a ref is one of the branches: by its name, or, with a
// pattern that begins with refs/, in full, which tells a branch from a tag.
func onBranch(ref string, branches []string) bool {
	return slices.ContainsFunc(branches, func(pattern string) bool {
		if strings.HasPrefix(pattern, "refs/") {
			return like(pattern, ref)
		}
		return like(pattern, branchName(ref))
	})
}

// builtBy tells whether a builder is the one of a pattern: exactly, or up to a closing "*".
func builtBy(builder, pattern string) bool {
	if head, ok := strings.CutSuffix(pattern, "*"); ok {
		return builder != "" && strings.HasPrefix(builder, head)
	}
	return builder == pattern
}

// summary is the origin in a word or two.
func (o origin) summary() string {
	for _, c := range slices.Concat(o.sources, o.deps) {
		if c.ref != "" {
			return branchName(c.ref)
		}
	}
	return "as asked"
}

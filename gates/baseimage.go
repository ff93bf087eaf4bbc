package gates

import (
	"fmt"
	"slices"
)

// baseImage: for every platform there is provenance that counts and is fresh, it
// names every image that the build began from by digest, all of them come from
// allowed repositories, and none is too old.
func (e *evaluation) baseImage() Check {
	gate := e.policy.Service.Gates.BaseImage
	builds, f, problem := e.builds(gate.Signers)
	if problem != nil {
		return *problem
	}
	rulings := gone(BaseImage, e.in)
	for _, b := range builds {
		for _, p := range b.platforms {
			rulings = append(rulings, e.judgeBases(b, p))
		}
	}
	e.remember(BaseImage, rulings)
	decided, missing := e.decidePlatforms(newest(rulings), func(k string) string { return k }, "provenance")
	c := settle(decided, f)
	if c.Summary == "" {
		c.Summary = baseSummary(c.Status, decided, missing)
	}
	if lacking(decided) {
		c.Reasons = append(c.Reasons, fmt.Sprintf("ask %s to build it with docker buildx build --provenance=true --push and to sign anything about the index (%s), "+
			"such as its test results; or to attach signed SLSA provenance of BuildKit", list(gate.Signers, "or"), short(e.in.Candidate)))
	}
	return c
}

// Summaries of the gate where a base image itself is at fault.
const (
	oldBase    = "old base"
	ageUnknown = "base of unknown age"
)

// judgeBases is what one provenance says about one platform. An image that is too
// old, or of unknown age, is a no: a statement that names another one for the same
// digest, and is older, does not take it back.
func (e *evaluation) judgeBases(b built, p Platform) ruling {
	r := e.judgePins(b, p)
	if r.status != Pass {
		return r
	}
	a := e.agesOf(p, b.bases)
	switch a.status {
	case Pass:
		r.reasons[0] += e.youngEnough(a)
		return r
	case Stale:
		r.summary = oldBase
	default:
		r.summary = ageUnknown
	}
	r.bad, r.status = true, a.status
	r.reasons = append(a.reasons, fmt.Sprintf("%s: provenance %s", platformName(p), b.who))
	return r
}

// judgePins is judgeBases without the ages of the images, which provenance does not tell.
func (e *evaluation) judgePins(b built, p Platform) ruling {
	gate := e.policy.Service.Gates.BaseImage
	name := platformName(p)
	r := ruling{key: name, at: b.at, status: Pass, evidence: b.Manifest, voucher: b.voucher, id: b.id(), summary: "pinned"}
	all := make([]string, 0, len(b.bases))
	for _, base := range b.bases {
		all = append(all, base.String())
	}
	loose, foreign := faults(name, b.bases, gate.Repositories)
	from := fmt.Sprintf("%s: provenance %s", name, b.who)
	why, old := stale(b.at, gate.MaxAge, e.in.Now)
	switch {
	case len(foreign) > 0 || len(loose) > 0 && gate.Pinned:
		r.bad, r.status, r.summary = true, Fail, fmt.Sprintf("%d not allowed", len(foreign))
		if len(foreign) == 0 {
			r.summary = fmt.Sprintf("%d not pinned", len(loose))
		}
		r.reasons = slices.Concat(foreign, loose, []string{from})
	case old:
		r.status, r.summary = Stale, "old"
		r.reasons = []string{fmt.Sprintf("%s: built from %s, but the provenance (%s) is too old: %s. Build again, so that fixes of the base image come in",
			name, bases(all), b.who, why)}
	case len(loose) > 0:
		r.summary = "not pinned"
		r.reasons = append([]string{fmt.Sprintf("%s: pinning is optional here; provenance %s", name, b.who)}, loose...)
	default:
		if len(all) == 0 {
			r.summary = "from scratch"
		}
		r.reasons = []string{fmt.Sprintf("%s: built from %s; provenance %s", name, bases(all), b.who)}
	}
	return r
}

// bases lists images for people.
func bases(all []string) string {
	if len(all) == 0 {
		return "no other image"
	}
	return list(all, "and")
}

// faults names the images that are not pinned, and those of repositories that are not allowed.
func faults(platform string, images []Base, allowed []string) (loose, foreign []string) {
	for _, base := range images {
		if !base.Pinned {
			loose = append(loose, unpinned(platform, base))
		}
		if len(allowed) > 0 && !base.allowed(allowed) {
			foreign = append(foreign, fmt.Sprintf("%s: %s is of %s, which is not allowed; base images may come from %s",
				platform, base, base.Repository, list(allowed, "or")))
		}
	}
	return loose, foreign
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
	worst := ruling{status: Off}
	for _, r := range decided {
		if severity(r.status) > severity(worst.status) || worst.summary == "from scratch" || worst.summary == "pinned" && r.summary == "not pinned" {
			worst = r
		}
	}
	if status == Error {
		return worst.summary
	}
	if s := unprovenSummary(status, decided, missing); s != "" {
		return s
	}
	return worst.summary
}

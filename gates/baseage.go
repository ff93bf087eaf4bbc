package gates

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
)

// BaseRef names a base image whose age decides.
type BaseRef struct {
	Repository string // host/path in full, one that the policy allows
	Digest     digest.Digest
	Platform   string // os/arch that was taken of it; "" if that is not known
}

// compareBaseRefs orders base images by name.
func compareBaseRefs(a, b BaseRef) int {
	return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Platform, b.Platform))
}

// BaseDate says when a base image was made. The digest vouches for it: it covers
// the configuration that says so.
type BaseDate struct {
	BaseRef
	Created time.Time // zero: its configuration does not say
	Err     error     // it could not be read
}

// compareBaseDates is an order that does not depend on who answered first.
func compareBaseDates(a, b BaseDate) int {
	return cmp.Or(compareBaseRefs(a.BaseRef, b.BaseRef), a.Created.Compare(b.Created), cmp.Compare(errText(a.Err), errText(b.Err)))
}

// errText is the text of an error, "" for none.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// BasesToDate are the base images of which the base-image gate has to know when
// they were made, each once; Input.Bases answers. They are named by provenance
// that counts for the gate, by digest, and lie in repositories that the policy
// allows: nobody else can have a registry asked. Without max-base-age there are none.
func BasesToDate(p Policy, in Input) []BaseRef {
	gate := p.Service.Gates.BaseImage
	if gate == nil || gate.MaxBaseAge <= 0 || slices.Contains(p.Service.Gates.Off, BaseImage) {
		return nil
	}
	e := newEvaluation(p, in)
	builds, _, problem := e.builds(gate.Signers)
	if problem != nil {
		return nil
	}
	var refs []BaseRef
	for _, b := range builds {
		for _, platform := range b.platforms {
			if e.judgePins(b, platform).status != Pass {
				continue // its age changes nothing
			}
			for _, base := range b.bases {
				if ref, err := base.ref(*gate, platform); err == nil {
					refs = append(refs, ref)
				}
			}
		}
	}
	slices.SortFunc(refs, compareBaseRefs)
	return slices.Compact(refs)
}

// ref is the image whose configuration says when the base was made, or why none can be asked for.
func (b Base) ref(gate config.BaseImageGate, p Platform) (BaseRef, error) {
	switch {
	case b.Resolved == "":
		return BaseRef{}, errors.New("its provenance does not say which digest it was: write its digest in FROM")
	case !b.allowed(gate.Repositories):
		return BaseRef{}, errors.New("only the registries of allowed repositories are asked: name its repository under repositories of base-image")
	}
	return BaseRef{Repository: b.Repository, Digest: b.Resolved, Platform: cmp.Or(b.Platform, p.Name)}, nil
}

// allowed tells whether an image comes from one of the repositories.
func (b Base) allowed(repositories []string) bool {
	return slices.ContainsFunc(repositories, func(pattern string) bool { return like(pattern, b.Repository) })
}

// ages is what max-base-age says of the images that a platform was built from.
type ages struct {
	status  Status // pass, stale or error
	reasons []string
	oldest  time.Time // of those that say when they were made
}

// agesOf judges the age of every image; the worst decides.
func (e *evaluation) agesOf(p Platform, images []Base) ages {
	out := ages{status: Pass}
	if e.policy.Service.Gates.BaseImage.MaxBaseAge <= 0 {
		return out
	}
	for _, base := range images {
		found, err := e.datesOf(p, base)
		if err != nil {
			out.note(Error, fmt.Sprintf("%s: %s is of unknown age: %s", platformName(p), base, clean.Text(err.Error())))
		}
		for _, d := range found {
			status, why := e.ageOf(d)
			out.note(status, fmt.Sprintf("%s: %s %s", platformName(p), base, why))
			if status != Error && (out.oldest.IsZero() || d.Created.Before(out.oldest)) {
				out.oldest = d.Created
			}
		}
	}
	return out
}

func (a *ages) note(status Status, why string) {
	if severity(status) > severity(a.status) {
		a.status = status
	}
	if status != Pass {
		a.reasons = append(a.reasons, why)
	}
}

// datesOf is what is known of when an image was made. Of several answers each counts.
func (e *evaluation) datesOf(p Platform, base Base) ([]BaseDate, error) {
	ref, err := base.ref(*e.policy.Service.Gates.BaseImage, p)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(slices.Clone(e.in.Bases), func(d BaseDate) bool { return d.BaseRef != ref })
	if len(found) == 0 {
		return nil, errors.New("its registry was not asked")
	}
	return found, nil
}

// earliest is before any base image: a creation time below it is none. Builds that
// are to come out the same again set it to the beginning of 1970, or of year 1.
var earliest = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// ageOf judges one answer.
func (e *evaluation) ageOf(d BaseDate) (Status, string) {
	limit := e.policy.Service.Gates.BaseImage.MaxBaseAge
	const undated = "does not say when it was made (created in its configuration is %s), so nobody can tell how old it is: " +
		"build on an image that does; whoever makes it reproducibly sets SOURCE_DATE_EPOCH to the time of its newest change"
	switch age := e.in.Now.Sub(d.Created); {
	case d.Err != nil:
		return Error, "is of unknown age: " + clean.Text(d.Err.Error())
	case d.Created.IsZero():
		return Error, fmt.Sprintf(undated, "missing")
	case d.Created.Before(earliest):
		return Error, fmt.Sprintf(undated, onDay(d.Created))
	case d.Created.After(e.in.Now.Add(maxSkew)):
		return Error, fmt.Sprintf("says that it was made %s, which is in the future: check the clock of whoever built it, and of this machine", moment(d.Created))
	case age > limit:
		return Stale, fmt.Sprintf("was made on %s, %s ago, and a base image may be at most %s old: take a newer one, write its digest in FROM, and build again",
			onDay(d.Created), span(age), span(limit))
	}
	return Pass, ""
}

// onDay writes the day of a time for people.
func onDay(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// youngEnough says how old the oldest image is, where that was asked.
func (e *evaluation) youngEnough(a ages) string {
	if a.oldest.IsZero() {
		return ""
	}
	return fmt.Sprintf("; the oldest base image is of %s (%s old)", onDay(a.oldest), span(max(0, e.in.Now.Sub(a.oldest))))
}

package gates_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

const day = 24 * time.Hour

// agedWorld lets base images of Docker Hub's library be 90 days old.
func agedWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{BaseImage: &config.BaseImageGate{
		Signers: []string{ci}, Pinned: true, Repositories: []string{"docker.io/library/*"}, MaxBaseAge: 90 * day,
	}})
}

// pinnedTo is a material of BuildKit that was pinned.
func pinnedTo(name, hex, platform string) dependency {
	sum := strings.Repeat(hex, 64)
	return dependency{"pkg:docker/" + name + "?digest=sha256:" + sum + "&platform=" + strings.ReplaceAll(platform, "/", "%2F"), map[string]string{"sha256": sum}}
}

// madeAgo is the answer about a base image of Docker Hub's library.
func madeAgo(name, hex, platform string, ago time.Duration) gates.BaseDate {
	ref := gates.BaseRef{Repository: "docker.io/library/" + name, Digest: digest.Digest("sha256:" + strings.Repeat(hex, 64)), Platform: platform}
	return gates.BaseDate{BaseRef: ref, Created: now.Add(-ago)}
}

// debian is when the base of pinnedBase was made.
func debian(ago time.Duration) gates.BaseDate { return madeAgo("debian", "a", "linux/amd64", ago) }

func TestABaseImageThatIsOldBlocksHoweverNewTheBuild(t *testing.T) {
	w := agedWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64))
	w.in.Bases = []gates.BaseDate{debian(730 * day)}
	c := w.expect(gates.BaseImage, gates.Stale, "old base", "linux/amd64: debian:12-slim@sha256:aaaa", "was made on 2024-11-24, 730 d ago",
		"may be at most 90 d old", "write its digest in FROM, and build again", "provenance signed by ci")
	if c.Summary != "old base" || strings.Contains(strings.Join(c.Reasons, " "), "ask ci to build it with") {
		t.Errorf("%+v", c)
	}
	w.in.Bases = []gates.BaseDate{debian(90 * day)}
	w.expect(gates.BaseImage, gates.Pass, "pinned", "built from debian:12-slim@sha256:aaaa", "the oldest base image is of 2026-08-26 (90 d old)")
	w.in.Bases = []gates.BaseDate{debian(90*day + time.Second)}
	w.expect(gates.BaseImage, gates.Stale)
}

func TestEveryBaseImageOfEveryPlatformHasAnAge(t *testing.T) {
	w := agedWorld(t)
	cross := pinnedTo("golang@1.26", "f", "linux/amd64") // a stage that runs on the builder's platform
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64),
		w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedTo("debian@12-slim", "a", "linux/arm64"), cross), arm64))
	want := []gates.BaseRef{
		debian(0).BaseRef, madeAgo("debian", "a", "linux/arm64", 0).BaseRef, madeAgo("golang", "f", "linux/amd64", 0).BaseRef,
	}
	if diff := cmp.Diff(want, gates.BasesToDate(w.policy, w.in)); diff != "" {
		t.Error(diff)
	}
	w.in.Bases = []gates.BaseDate{debian(day), madeAgo("debian", "a", "linux/arm64", 3*day)}
	w.expect(gates.BaseImage, gates.Error, "base of unknown age", "linux/arm64/v8: golang:1.26@sha256:ffff", "was not asked")
	w.in.Bases = append(w.in.Bases, madeAgo("golang", "f", "linux/amd64", 91*day))
	w.expect(gates.BaseImage, gates.Stale, "old base", "linux/arm64/v8: golang:1.26@sha256:ffff")
	w.in.Bases[2].Created = now.Add(-time.Hour)
	w.expect(gates.BaseImage, gates.Pass, "pinned", "of 2026-11-21 (3 d old)")
}

func TestABaseImageThatDoesNotTellItsAgeIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		created time.Time
		err     error
		says    []string
	}{
		"unreadable":              {err: errors.New("docker.io did not say when it was made: GET \x1b[2J: 503"), says: []string{"docker.io did not say when it was made", "503"}},
		"without a time":          {says: []string{"created in its configuration is missing", "SOURCE_DATE_EPOCH"}},
		"of the epoch":            {created: time.Unix(0, 0), says: []string{"created in its configuration is 1970-01-01", "build on an image that does"}},
		"of the year 1":           {created: time.Time{}.Add(time.Second), says: []string{"is 0001-01-01"}},
		"just before 1980":        {created: time.Date(1979, 12, 31, 23, 59, 59, 0, time.UTC), says: []string{"is 1979-12-31"}},
		"of tomorrow":             {created: now.Add(day), says: []string{"2026-11-25 12:00 UTC, which is in the future", "clock"}},
		"of six minutes from now": {created: now.Add(6 * time.Minute), says: []string{"in the future"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := agedWorld(t)
			w.in.Platforms = w.in.Platforms[:1]
			w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64))
			date := debian(0)
			date.Created, date.Err = c.created, c.err
			w.in.Bases = []gates.BaseDate{date}
			check := w.expect(gates.BaseImage, gates.Error, append(c.says, "base of unknown age", "linux/amd64: debian:12-slim@sha256:aaaa")...)
			if strings.Contains(strings.Join(check.Reasons, ""), "\x1b") {
				t.Errorf("%q", check.Reasons)
			}
			w.in.Bases = append(w.in.Bases, debian(time.Hour)) // another answer takes no doubt away
			w.expect(gates.BaseImage, gates.Error)
		})
	}
	w := agedWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64))
	w.in.Bases = []gates.BaseDate{debian(-4 * time.Minute)}
	w.expect(gates.BaseImage, gates.Pass)
}

func TestWhatIsNotPinnedIsAsOldAsWhatItResolvedTo(t *testing.T) {
	w := agedWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.policy.Service.Gates.BaseImage.Pinned = false
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, looseBase), amd64))
	w.in.Bases = []gates.BaseDate{madeAgo("alpine", "b", "linux/amd64", day)}
	w.expect(gates.BaseImage, gates.Pass, "not pinned", "the oldest base image is of 2026-11-23")
	w.in.Bases[0].Created = now.Add(-91 * day)
	w.expect(gates.BaseImage, gates.Stale, "old base")
	w.in.Evidence, w.in.Bases = nil, nil
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, dependency{URI: "pkg:docker/alpine@3.22"}), amd64))
	w.expect(gates.BaseImage, gates.Error, "alpine:3.22 is of unknown age", "which digest it was: write its digest in FROM")
	if refs := gates.BasesToDate(w.policy, w.in); len(refs) != 0 {
		t.Errorf("%+v", refs)
	}
}

func TestAnImageFromScratchHasNoBaseToBeOld(t *testing.T) {
	w := agedWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, gitContext, frontend), amd64))
	w.expect(gates.BaseImage, gates.Pass, "from scratch")
	if refs := gates.BasesToDate(w.policy, w.in); len(refs) != 0 {
		t.Errorf("%+v", refs)
	}
}

// TestNobodyElseHasARegistryAsked: what is not signed by the gate's group, not of an
// allowed repository, or decided already, is not asked for.
func TestNobodyElseHasARegistryAsked(t *testing.T) {
	w := agedWorld(t)
	ask := func(why string, want int) {
		t.Helper()
		if refs := gates.BasesToDate(w.policy, w.in); len(refs) != want {
			t.Errorf("%s: %+v", why, refs)
		}
	}
	inside := w.buildKit(provenance(time.Hour, pinnedBase), amd64)
	w.add(w.sign(mallory, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64), w.sign(scanner, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64),
		w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), elsewhere), inside)
	ask("unsigned, by others, about another image", 0)
	foreign := w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedTo("evil.example/library/debian@12", "e", "linux/amd64"), pinnedBase), amd64)
	loose := w.sign(ci, evidence.SLSA1, provenance(time.Hour, looseBase), arm64)
	w.add(foreign, loose)
	ask("of a repository that is not allowed, or not pinned", 0)
	w.remove(foreign)
	w.remove(loose)
	w.add(w.tests(ci, "smoke", time.Hour))
	ask("ci vouches for the index", 1)
	w.in.Listing = errors.New("the referrers cannot be listed")
	ask("no evidence", 0)
	w.in.Listing = nil
	w.policy.Service.Gates.Off = []string{gates.BaseImage}
	ask("switched off", 0)
	w.policy.Service.Gates.Off = nil
	w.policy.Service.Gates.BaseImage.Repositories = nil // as a policy that was written down elsewhere may be
	ask("no repository is allowed by name", 0)
	w.policy.Service.Gates.BaseImage.MaxBaseAge = 0
	ask("nobody limits the age", 0)
	w.policy.Service.Gates.BaseImage = nil
	ask("no gate", 0)
}

// TestAnOldBaseStaysOldWhenItsProvenanceDisappears: an older statement that names a
// younger base for the same digest does not take it back.
func TestAnOldBaseStaysOldWhenItsProvenanceDisappears(t *testing.T) {
	w := agedWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	old := w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedTo("debian@11-slim", "f", "linux/amd64")), amd64)
	w.add(old, w.sign(ci, evidence.SLSA1, provenance(2*time.Hour, pinnedBase), amd64))
	w.in.Bases = []gates.BaseDate{debian(day), madeAgo("debian", "f", "linux/amd64", 400*day)}
	w.expect(gates.BaseImage, gates.Stale, "debian:11-slim")
	w.in.Negatives = w.judge().Negatives
	w.remove(old)
	w.expect(gates.BaseImage, gates.Error, "evidence disappeared", "was made on 2025-10-20")
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Minute, pinnedBase), amd64))
	w.expect(gates.BaseImage, gates.Pass)
}

func basePieces(w *world) []piece {
	old, strange := pinnedTo("debian@11", "e", "linux/amd64"), pinnedTo("debian@13", "f", "linux/amd64")
	return []piece{
		{w.sign(ci, evidence.SLSA1, provenance(30*time.Minute, pinnedBase, old), amd64), false, ci},
		{w.sign(ci, evidence.SLSA1, provenance(90*time.Minute, strange), arm64), false, ci},
		{w.buildKit(provenance(2*time.Hour, old), arm64), false, ci},
		{w.sign(mallory, evidence.SLSA1, provenance(0, old, strange), amd64, arm64), true, mallory},
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64), true, ci},
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), arm64), true, ci},
		{w.sign(ci, evidence.SLSA1, provenance(2*time.Hour, looseBase), arm64), false, ci},
		{w.sign(ci, evidence.SLSA1, provenance(time.Hour, looseBase), amd64), false, ci},
		{w.buildKit(provenance(3*time.Hour, pinnedBase), amd64), true, ci},
		{w.buildKit(provenance(3*time.Hour, pinnedBase), arm64), true, ci},
		{w.sign(mallory, evidence.SLSA1, provenance(0, pinnedBase), amd64, arm64), true, mallory},
	}
}

// baseDates are what is told of the base images of basePieces: the one of most is
// young; of the others one is old, and of one it cannot be told how old it is.
func baseDates(t *rapid.T) []gates.BaseDate {
	old, strange := madeAgo("debian", "e", "linux/amd64", 91*day), madeAgo("debian", "f", "linux/amd64", 0)
	old.Created = old.Created.Add(-time.Duration(rapid.IntRange(0, 400).Draw(t, "age of the old base")) * day)
	strange.Created = rapid.SampledFrom([]time.Time{{}, time.Unix(0, 0), now.Add(time.Hour), now}).Draw(t, "time of the strange base")
	if strange.Created.Equal(now) {
		strange.Err = errors.New("it answered 502")
	}
	dates := []gates.BaseDate{debian(day), old, strange}
	if rapid.Bool().Draw(t, "told twice") {
		old.Created = now
		dates = append(dates, old, debian(2*day))
	}
	return dates
}

func TestWithoutAnAnswerAboutABaseNothingPasses(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		in := w.with(draw(t, pool), nil)
		forgotten := map[gates.BaseRef]bool{}
		for _, d := range in.Bases {
			forgotten[d.BaseRef] = rapid.Bool().Draw(t, "forget")
		}
		less := in
		less.Bases = slices.DeleteFunc(slices.Clone(in.Bases), func(d gates.BaseDate) bool { return forgotten[d.BaseRef] })
		neverUnblocks(t, statuses(w, in), statuses(w, less), "without some answers")
	})
}

func TestOnlyTheGatesGroupNamesBasesToAskFor(t *testing.T) {
	w, pool := propertyWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		w := w.vary(t)
		pieces := draw(t, pool)
		want := gates.BasesToDate(w.policy, w.with(pieces, nil))
		for _, p := range draw(t, pool) {
			if p.signer != ci {
				pieces = append(pieces, p)
			}
		}
		in := w.with(pieces, nil)
		in.Evidence = rapid.Permutation(in.Evidence).Draw(t, "evidence")
		if diff := cmp.Diff(want, gates.BasesToDate(w.policy, in)); diff != "" {
			t.Fatal(diff)
		}
	})
}

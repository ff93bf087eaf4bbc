package gates

import (
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// Wanted is the platforms of a candidate that the scan and base-image gates
// have to cover: those of the policy that it has, or all of its own.
func Wanted(p Policy, in Input) []Platform {
	platforms, _ := wanted(p, in)
	return platforms
}

// wanted is the platforms that have to be covered, and the names of those that
// the policy asks for and the candidate does not have.
func wanted(p Policy, in Input) (platforms []Platform, absent []string) {
	has := in.Platforms
	if len(has) == 0 {
		has = []Platform{{Digest: in.Candidate}}
	}
	if len(p.Service.Platforms) == 0 {
		return has, nil
	}
	for _, name := range sorted(p.Service.Platforms) {
		i := PlatformNamed(has, name)
		if i < 0 && len(has) == 1 && has[0].Name == "" {
			i = 0 // an image that does not say what it runs on
		}
		if i < 0 {
			absent = append(absent, name)
			continue
		}
		platforms = append(platforms, has[i])
	}
	return platforms, absent
}

// PlatformNamed is the index of the platform that a name means, or -1. A name
// without variant means the only one of its os and architecture.
func PlatformNamed(platforms []Platform, name string) int {
	name = canonical(name)
	for i, p := range platforms {
		if canonical(p.Name) == name {
			return i
		}
	}
	if strings.Count(name, "/") != 1 {
		return -1
	}
	match := -1
	for i, p := range platforms {
		if strings.HasPrefix(canonical(p.Name), name+"/") {
			if match >= 0 {
				return -1
			}
			match = i
		}
	}
	return match
}

// canonical leaves out variants that say nothing: arm64 is v8, amd64 is v1.
func canonical(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), "/")
	for _, full := range []string{"/arm64/v8", "/amd64/v1"} {
		if rest, ok := strings.CutSuffix(name, full); ok {
			return rest + full[:strings.LastIndex(full, "/")]
		}
	}
	return name
}

// covers tells whether a statement covers platform p: it names the platform's
// manifest as a subject; or it is about the candidate and what is inside names
// the platform, by digest or as os/arch; or it names none and the candidate has
// only one.
func covers(s evidence.Statement, in Input, p Platform, inside []digest.Digest, insideNames []string) bool {
	if s.About(p.Digest) {
		return true
	}
	if !s.About(in.Candidate) || aboutAnyPlatform(s, in) {
		return false
	}
	if slices.Contains(inside, p.Digest) {
		return true
	}
	if len(insideNames) == 0 {
		return len(in.Platforms) <= 1
	}
	for _, name := range insideNames {
		if i := PlatformNamed(in.Platforms, name); i >= 0 && in.Platforms[i].Digest == p.Digest {
			return true
		}
	}
	return false
}

// aboutAnyPlatform tells whether the statement itself names platforms of the index by digest.
func aboutAnyPlatform(s evidence.Statement, in Input) bool {
	return slices.ContainsFunc(in.Platforms, func(p Platform) bool { return p.Digest != in.Candidate && s.About(p.Digest) })
}

// platformName names a platform for people and as a key.
func platformName(p Platform) string {
	if p.Name == "" {
		return "the image"
	}
	return p.Name
}

// lacking tells whether something is missing or too old, so that somebody has
// to be told how to make it. A no has its own remedy.
func lacking(decided []ruling) bool {
	return slices.ContainsFunc(decided, func(r ruling) bool { return !r.bad && (r.status == Missing || r.status == Stale) })
}

// unprovenSummary is a gate in one line if evidence for a platform is missing or
// gone, else "".
func unprovenSummary(status Status, decided []ruling, missing []string) string {
	switch {
	case status == Missing && len(missing) == len(decided):
		return "none"
	case status == Missing:
		return "no " + strings.Join(missing, ", ")
	case status == Error:
		return "evidence disappeared"
	case status == Waiting:
		return "running"
	}
	return ""
}

// decidePlatforms picks what decides for each platform that has to be covered.
// key takes the platform's name out of a ruling's key.
func (e *evaluation) decidePlatforms(newest map[string]ruling, key func(string) string, what string) (decided []ruling, missing []string) {
	platforms, absent := wanted(e.policy, e.in)
	byPlatform := map[string]map[string]ruling{}
	for k, r := range newest {
		name := key(k)
		if byPlatform[name] == nil {
			byPlatform[name] = map[string]ruling{}
		}
		byPlatform[name][k] = r
	}
	for _, p := range platforms {
		name := platformName(p)
		picked := pick(byPlatform[name])
		if len(picked) == 0 {
			missing = append(missing, name)
			picked = []ruling{{key: name, status: Missing, reasons: []string{name + ": there is no " + what + " that counts"}}}
		}
		decided = append(decided, picked...)
	}
	for _, name := range absent {
		missing = append(missing, name)
		decided = append(decided, ruling{key: name, status: Missing, reasons: []string{name + ": the policy asks for this platform, and the candidate does not have it"}})
	}
	return decided, missing
}

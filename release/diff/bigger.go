package diff

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plimsoll/config"
)

// maxNamed is how many things one line names.
const maxNamed = 3

// Bigger says, in words, which of the rules make d a bigger change; none if it
// is an ordinary one. Each line names the rule and what fired it. A
// vulnerability counts if its severity is above worst. The first promotion is
// always a bigger change. It is pure.
func Bigger(d Diff, rules config.Bigger, worst config.Severity) []string {
	if d.From == nil {
		return []string{"nothing is in prod yet"}
	}
	var why []string
	for _, r := range config.DefaultBigger().Rules { // in one order, whatever the file's
		if slices.Contains(rules.Rules, r) {
			why = append(why, d.fires(r, worst)...)
		}
	}
	if share := percent(d.Layers.AddedBytes, d.Layers.SharedBytes+d.Layers.AddedBytes); rules.Layers > 0 && share > rules.Layers {
		why = append(why, fmt.Sprintf("layers: %.0f %% of the layer bytes are new, above %g %%", share, rules.Layers))
	}
	if grown := percent(d.Size.To-d.Size.From, d.Size.From); rules.Size > 0 && math.Abs(grown) > rules.Size {
		why = append(why, fmt.Sprintf("size: it changed by %+.0f %%, more than %g %%", grown, rules.Size))
	}
	return why
}

// fires is what one rule says; nothing if it does not fire.
func (d Diff) fires(rule config.BiggerRule, worst config.Severity) []string {
	switch rule {
	case config.BiggerBaseImage:
		if d.BaseImage.Changed() {
			return one("base image: %s → %s", sayBase(d.BaseImage.From, d.BaseImage.FromClaimed), sayBase(d.BaseImage.To, d.BaseImage.ToClaimed))
		}
	case config.BiggerEcosystem:
		return d.Packages.bigger()
	case config.BiggerUser:
		return settings("user", d.Config, FieldUser)
	case config.BiggerEntrypoint:
		return settings("entrypoint", d.Config, FieldEntrypoint)
	case config.BiggerPorts:
		return comings("ports", d.Config, FieldPort)
	case config.BiggerEnv:
		return comings("environment variables", d.Config, FieldEnv)
	case config.BiggerPlatforms:
		if len(d.Platforms.Added)+len(d.Platforms.Removed) > 0 {
			return one("platforms: %s", comeAndGo(d.Platforms.Added, d.Platforms.Removed))
		}
	case config.BiggerMajor:
		if d.Version.major() {
			return one("major version: %s → %s", d.Version.From, d.Version.To)
		}
	case config.BiggerSeverity:
		return d.Vulnerabilities.bigger(worst)
	}
	return nil
}

func one(format string, args ...any) []string { return []string{fmt.Sprintf(format, args...)} }

// percent is 0 of nothing; sizes come from a registry, so it must not overflow.
func percent(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// settings says how a setting changed, once for all platforms where it did alike.
func settings(name string, changes []Change, field string) []string {
	var why []string
	for _, c := range changes {
		if c.Field != field {
			continue
		}
		line := fmt.Sprintf("%s: %s → %s", name, orNone(c.From), orNone(c.To))
		if c.From != nil && c.To != nil && *c.From == *c.To {
			line = name + ": it changed, and cannot be shown whole"
		}
		if !slices.Contains(why, line) {
			why = append(why, line)
		}
	}
	return why
}

func orNone(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

// comings says which entries come and go; a new value of one that stays is an ordinary change.
func comings(name string, changes []Change, field string) []string {
	var added, removed []string
	for _, c := range changes {
		switch {
		case c.Field != field:
		case c.From == nil && !slices.Contains(added, c.Name):
			added = append(added, c.Name)
		case c.To == nil && !slices.Contains(removed, c.Name):
			removed = append(removed, c.Name)
		}
	}
	if len(added)+len(removed) == 0 {
		return nil
	}
	return one("%s: %s", name, comeAndGo(added, removed))
}

func comeAndGo(added, removed []string) string {
	var parts []string
	if len(added) > 0 {
		parts = append(parts, "new "+some(added))
	}
	if len(removed) > 0 {
		parts = append(parts, some(removed)+" "+plural(len(removed), "is", "are")+" gone")
	}
	return strings.Join(parts, ", ")
}

// some names the first few of a list.
func some(list []string) string {
	if len(list) <= maxNamed {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:maxNamed], ", "), len(list)-maxNamed)
}

// bigger fires for an ecosystem that comes in, and where only one of the images
// says what is inside: leaving a bill of materials out must not be a way past.
func (p Packages) bigger() []string {
	switch {
	case p.onlyOne:
		return one("packages: they cannot be compared; %s", p.Problem)
	case len(p.Ecosystems) > 0:
		return one("packages: new %s %s", plural(len(p.Ecosystems), "ecosystem", "ecosystems"), some(p.Ecosystems))
	}
	return nil
}

func (v Vulnerabilities) bigger(worst config.Severity) []string {
	if v.Problem != "" {
		return nil // the scan gate says so already
	}
	var names []string
	for _, f := range v.Introduced {
		if f.Level > worst {
			names = append(names, f.ID+" ("+f.Severity+")")
		}
	}
	if len(names) == 0 {
		return nil
	}
	return one("vulnerabilities: %d above the allowed severity: %s", len(names), some(names))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

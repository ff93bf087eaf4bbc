package config

import (
	"path"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no zones of its own, and neither has a container from scratch

	"github.com/robfig/cron/v3"
)

var (
	imagePattern = &format{what: "a pattern for repositories", pattern: `^[^/]+/.+$`, problem: "names no registry host", more: func(s string) (string, string) {
		const hint = "write host/path, where * stands for anything but a slash and /** at the end for everything below, for example docker.io/library/*"
		host, _, ok := strings.Cut(s, "/")
		switch {
		case strings.Contains(s, "://"):
			return "is a URL", "write it without " + s[:strings.Index(s, "://")+3]
		case !ok || !strings.ContainsAny(host, ".:*") && host != "localhost":
			return "names no registry host", hint
		}
		return globMistakes(strings.TrimSuffix(s, "/**"), hint)
	}}
	branchPattern = &format{what: "a branch or tag, or a pattern for them", more: func(s string) (string, string) {
		const hint = "write a branch as main, or a pattern as 'release/*', where * stands for anything but a slash"
		if parts := strings.SplitN(s, "/", 3); parts[0] == "refs" && len(parts) == 3 {
			return "is a full reference", "write the name alone: " + parts[2]
		}
		return globMistakes(s, hint)
	}}
	builderID = &format{what: "the id of a builder", pattern: `^[^*]+\*?$`, problem: "is no builder", more: func(s string) (string, string) {
		switch i := strings.Index(s, "*"); {
		case s == "*":
			return "fits every builder", "leave the key out, or name the builder"
		case i >= 0 && i < len(s)-1:
			return "has a * before its end", "write the whole id, or its beginning with one * at the end"
		}
		return "", ""
	}}
	buildSource = &format{what: "the https URL of a source repository", more: func(s string) (string, string) {
		const hint = "write it as https://github.com/acme/chat"
		if problem, hint := secureURL(s, hint); problem != "" {
			return problem, hint
		}
		if host, path, _ := strings.Cut(strings.TrimPrefix(s, "https://"), "/"); host == "" || strings.Trim(path, "/") == "" {
			return "names no repository", hint
		}
		return "", ""
	}}
	cronTime = &format{
		what:    "five fields of a cron expression: minute, hour, day of the month, month, day of the week",
		pattern: `^\s*[^\s@=]+(?:\s+[^\s@=]+){4}\s*$`, problem: "is no cron expression", hint: cronHint, more: cronMistakes,
	}
	zoneName = &format{what: "a time zone such as Europe/Berlin", more: func(s string) (string, string) {
		if _, err := time.LoadLocation(s); err != nil || s == "Local" {
			return "is no time zone", "write a name of the IANA database (https://www.iana.org/time-zones), for example Europe/Berlin or UTC"
		}
		return "", ""
	}}
)

// globMistakes says what is wrong with a pattern of path.Match.
func globMistakes(s, hint string) (string, string) {
	if _, err := path.Match(s, ""); err != nil {
		return "is no pattern: a bracket or backslash is not closed", hint
	}
	if strings.Contains(s, "**") {
		return "has ** before its end", hint
	}
	return "", ""
}

const cronHint = "write minute, hour, day of the month, month and day of the week, for example '0 17 * * FRI' for Fridays at 17:00; Sunday is 0 or SUN"

// cronMistakes says what is wrong with a cron expression. The library also takes
// words such as @daily and a zone in front; here there is one way to write each.
func cronMistakes(s string) (string, string) {
	fields := strings.Fields(s)
	switch {
	case strings.HasPrefix(s, "@"):
		return "is a word, not five fields", cronHint
	case strings.Contains(s, "="):
		return "holds a time zone", "write the zone beside it, for example zone: Europe/Berlin"
	case len(fields) != 5:
		return "has not five fields", cronHint
	case slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(strings.Split(f, ","), "") }):
		return "has an empty item between commas", cronHint
	}
	schedule, err := cron.ParseStandard(s)
	if err != nil {
		return "is no cron expression: " + err.Error(), cronHint
	}
	// The library looks five years ahead; every date that there is comes up in that time.
	if schedule.Next(time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return "names a day that never comes", cronHint
	}
	return "", ""
}

package diff

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plimsoll/config"
)

// Where a change of size or of layers becomes a bigger change, in percent.
const (
	biggerSize   = 25 // of the size before, up or down
	biggerLayers = 50 // of the bytes of the new layers
)

// Bigger says, in words, which rules make d a bigger change; none if it is an
// ordinary one. A vulnerability counts if its severity is above worst.
func Bigger(d Diff, worst config.Severity) []string {
	if d.From == nil {
		return []string{"nothing is in prod yet"}
	}
	var why []string
	if d.BaseImage.From != d.BaseImage.To {
		why = append(why, "the base image changed")
	}
	why = append(why, biggerConfig(d.Config)...)
	if share := percent(d.Layers.AddedBytes, d.Layers.SharedBytes+d.Layers.AddedBytes); share > biggerLayers {
		why = append(why, fmt.Sprintf("%.0f %% of the layer bytes are new", share))
	}
	if grown := percent(d.Size.To-d.Size.From, d.Size.From); math.Abs(grown) > biggerSize {
		why = append(why, fmt.Sprintf("the size changed by %+.0f %%", grown))
	}
	if len(d.Platforms.Added) > 0 {
		why = append(why, "new platform "+strings.Join(d.Platforms.Added, ", "))
	}
	if len(d.Platforms.Removed) > 0 {
		why = append(why, "platform "+strings.Join(d.Platforms.Removed, ", ")+" is gone")
	}
	return append(why, biggerFindings(d.Vulnerabilities, worst)...)
}

// percent is 0 of nothing; sizes come from a registry, so it must not overflow.
func percent(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// biggerConfig fires each rule once, whatever the number of platforms.
func biggerConfig(changes []Change) []string {
	var why []string
	say := func(s string) {
		if !slices.Contains(why, s) {
			why = append(why, s)
		}
	}
	for _, c := range changes {
		switch {
		case c.Field == FieldUser:
			say("the user changed")
		case c.Field == FieldEntrypoint:
			say("the entrypoint changed")
		case c.Field == FieldPort:
			say("the ports changed")
		case c.Field == FieldEnv && (c.From == nil || c.To == nil):
			say("the names of environment variables changed")
		}
	}
	return why
}

func biggerFindings(v Vulnerabilities, worst config.Severity) []string {
	if v.Problem != "" {
		return nil // the scan gate says so already
	}
	n := 0
	for _, f := range v.Introduced {
		if f.Level > worst {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("it brings in %d %s above the allowed severity", n, plural(n, "vulnerability", "vulnerabilities"))}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

package harbor

import "testing"

func TestPatternsStandForWhatHarborMeans(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "anything", true},
		{"**", "team/app", true},
		{"*", "team/app", false},
		{"team/**", "team/deep/app", true},
		{"release-*", "release-0123", true},
		{"release-*", "prerelease-0123", false},
		{"v?", "v1", true},
		{"v?", "v10", false},
		{"v[0-9].*", "v1.2", true},
		{"v[!0-9]", "v1", true}, // Harbor's class has no !; it stands for itself
		{"v[^0-9]", "v1", false},
		{"{live,canary}", "canary", true},
		{"{live,canary}", "canary2", false},
		{"{a{b,c},d}", "ac", true},
		{"a.b", "axb", false},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{"a,b", "a,b", true},
		{"a}b", "a}b", true},
		{"(x)+$", "(x)+$", true},
		{"[[]", "[", true},
	} {
		if got, err := matches(c.pattern, c.text); err != nil || got != c.want {
			t.Errorf("%q, %q: %v, %v", c.pattern, c.text, got, err)
		}
	}
	for _, bad := range []string{"[", "[]", "{a", "[z-a]"} {
		if got, err := matches(bad, "a"); err == nil {
			t.Errorf("%q is none: %v", bad, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"**", "release-*", "{live,sha256-*}", "[k-m]iv?", `\`, "{{{", "[a-"} {
		f.Add(seed, "live")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		_, _ = matches(pattern, text) // it ends, and does not panic
	})
}

package diff_test

import (
	"testing"

	"plimsoll/release/diff"
)

func TestTheCompareLinkFitsTheGitHost(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"https://github.com/acme/chat", "https://github.com/acme/chat/compare/aaa...bbb"},
		{"https://github.com/acme/chat.git", "https://github.com/acme/chat/compare/aaa...bbb"},
		{"https://user:pass@github.com/acme/chat/?x=1#y", "https://github.com/acme/chat/compare/aaa...bbb"},
		{"https://github.acme.corp/team/chat", "https://github.acme.corp/team/chat/compare/aaa...bbb"},
		{"https://gitlab.com/acme/sub/chat", "https://gitlab.com/acme/sub/chat/-/compare/aaa...bbb"},
		{"http://gitlab.acme.corp:8443/acme/chat", "http://gitlab.acme.corp:8443/acme/chat/-/compare/aaa...bbb"},
		{"https://bitbucket.org/acme/chat", "https://bitbucket.org/acme/chat/branches/compare/bbb%0Daaa"},
		{"https://dev.azure.com/acme/app/_git/chat", "https://dev.azure.com/acme/app/_git/chat/branchCompare?baseVersion=GCaaa&targetVersion=GCbbb"},
		{"https://codeberg.org/acme/chat", "https://codeberg.org/acme/chat/compare/aaa...bbb"},
		{"https://gitea.acme.corp/acme/chat", "https://gitea.acme.corp/acme/chat/compare/aaa...bbb"},
		{"https://notgithub.example.com/acme/chat", ""},
		{"https://git.example.com/acme/chat", ""},
		{"git@github.com:acme/chat.git", ""},
		{"ssh://git@github.com/acme/chat", ""},
		{"javascript://github.com/acme/chat%0aalert(1)", ""},
		{"https://github.com/acme", ""},
		{"", ""},
	} {
		if got := diff.CompareURL(c.source, "aaa", "bbb"); got != c.want {
			t.Errorf("%s: %q, not %q", c.source, got, c.want)
		}
	}
}

func TestARevisionThatIsNoneMakesNoLink(t *testing.T) {
	for _, r := range []string{"", "same", "-rf", "a b", "a\nb", "a?b#c", "\x1b[31m"} {
		if got := diff.CompareURL("https://github.com/acme/chat", r, "same"); got != "" {
			t.Errorf("%q: %q", r, got)
		}
	}
}

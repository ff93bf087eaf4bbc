package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// format is a text with rules.
type format struct {
	what    string // for people: "a duration such as 72h"
	pattern string // an ECMA 262 and RE2 regular expression that right texts match; "" for any text but the empty one
	problem string // follows the value: "is no duration"
	hint    string
	more    func(string) (wrong, hint string) // what a pattern cannot say; nil without
	hidden  bool                              // never show the value: somebody may have put a secret there
	span    bool                              // a duration

	once     sync.Once
	compiled *regexp.Regexp
}

// wrong says what is wrong with the value and what would be right; "" if nothing is.
func (f *format) wrong(value string) (problem, hint string) {
	f.once.Do(func() {
		if f.pattern != "" {
			f.compiled = regexp.MustCompile(f.pattern)
		}
	})
	if strings.TrimSpace(value) == "" {
		return "is empty", "what is right here: " + f.what
	}
	if f.more != nil {
		if problem, hint = f.more(value); problem != "" {
			return problem, hint
		}
	}
	if f.compiled != nil && !f.compiled.MatchString(value) {
		return f.problem, cmp.Or(f.hint, "what is right here: "+f.what)
	}
	return "", ""
}

var (
	anyText    = &format{what: "a text"}
	identifier = &format{
		what: "a name", pattern: `^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`, problem: "is no name",
		hint: "use up to 63 letters, digits and . _ -, beginning and ending with a letter or digit",
	}
	personID = &format{
		what: "the id of a person, such as an e-mail address", pattern: `^[^\s\x00-\x1f\x7f]{1,200}$`, problem: "is no id of a person",
		hint: "write it without spaces, for example qa.lead@example.com",
	}
	environmentName = &format{
		what: "the name of an environment variable", pattern: `^[A-Za-z_][A-Za-z0-9_]{0,127}$`, hidden: true,
		problem: "is no name of an environment variable", hint: "write the variable's name, for example HARBOR_TOKEN, never the password itself",
	}
	hostName = &format{
		what:    "a registry's host name, with its port where it has one",
		pattern: `^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$`,
		problem: "is no registry host", hint: "write it in lower case as host or host:port, for example registry.example.com", more: hostMistakes,
	}
	// The host of the pattern has a dot, a port or the name localhost, as
	// everywhere in the container world; the path is <name> of the OCI
	// distribution specification 1.1, "Pulling manifests".
	repository = &format{
		what: "a repository written as host/path",
		pattern: `^(?:localhost|(?:[a-z0-9-]+\.)+[a-z0-9-]+|[a-z0-9.-]+:[0-9]{1,5}|localhost:[0-9]{1,5}|\[[0-9a-f:.]+\](?::[0-9]{1,5})?)/` +
			`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`,
		problem: "is no repository", hint: "write it as host/path in lower case, for example registry.example.com/team/app", more: repositoryMistakes,
	}
	// Longer names would not leave room for the ledger's tags:
	// <channel>-<8 digits>-<8 hex>-done in the 128 characters of a tag.
	channelTag = &format{
		what: "a tag", pattern: `^[A-Za-z0-9_][A-Za-z0-9._-]{0,104}$`, problem: "is no tag",
		hint: "use up to 105 letters, digits and . _ -, for example live", more: channelMistakes,
	}
	platformName = &format{
		what: "a platform such as linux/amd64", pattern: `^[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?$`, problem: "is no platform",
		hint: "write os/architecture or os/architecture/variant, for example linux/arm64",
	}
	moment = &format{
		what: "a date, or a time in RFC 3339", pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?$`,
		problem: "is no date", hint: "write 2026-12-31 (a whole day, UTC) or 2026-12-31T18:00:00+01:00", more: func(s string) (string, string) {
			if _, err := parseMoment(s, false); err != nil {
				return "is no date", "write 2026-12-31 (a whole day, UTC) or 2026-12-31T18:00:00+01:00"
			}
			return "", ""
		},
	}
	expression = &format{what: "a regular expression", more: func(s string) (string, string) {
		if _, err := regexp.Compile(s); err != nil {
			return "is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "),
				"the syntax is RE2 (https://github.com/google/re2/wiki/Syntax); put it in single quotes, for example '^v[0-9]'"
		}
		return "", ""
	}}
	filePath        = &format{what: "a path, relative to this file", more: networkPath}
	commandArgument = filledIn("a program or an argument", deliveryFields, nil)
	roleARN         = &format{
		what: "the ARN of a role", pattern: `^arn:\S+$`, problem: "is no ARN",
		hint: "write it as arn:aws:iam::123456789012:role/NAME",
	}
	httpsURL = &format{
		what: "an https URL", pattern: `^https://[^/\s]+\S*$`, problem: "is no https URL",
		hint: "for GitHub Actions write https://token.actions.githubusercontent.com",
	}
	gitRemote = &format{what: "a git repository", more: func(s string) (string, string) {
		if u, err := url.Parse(s); err == nil && u.User != nil {
			if _, secret := u.User.Password(); secret {
				return "holds a password", "leave it out: git asks its credential helper"
			}
		}
		return "", ""
	}, hidden: true}
	pathInRepository = &format{
		what: "a path inside the repository", problem: "leads out of the repository", hint: "write it relative to the top of the repository",
		more: func(s string) (string, string) {
			if !filepath.IsLocal(filepath.FromSlash(s)) {
				return "leads out of the repository", "write it relative to the top of the repository, for example apps/chat/kustomization.yaml"
			}
			return "", ""
		},
	}
	gitHubRepository = &format{
		what: "owner/name", pattern: `^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`, problem: "is no GitHub repository",
		hint: "write owner/name, for example acme/release",
	}
)

func hostMistakes(s string) (string, string) {
	if u, err := url.Parse(s); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return "is a URL", "write the host alone: " + u.Host
	}
	if host, _, ok := strings.Cut(s, "/"); ok {
		return "is more than a host", "write the host alone: " + host
	}
	if lower := strings.ToLower(s); lower != s {
		return "is no registry host", "write it in lower case: " + lower
	}
	return "", ""
}

func repositoryMistakes(s string) (string, string) {
	_, path, _ := strings.Cut(s, "/")
	switch {
	case strings.Contains(s, "://"):
		return "is a URL", "write it without " + s[:strings.Index(s, "://")+3]
	case strings.Contains(s, "@"):
		return "names one digest", "write the repository alone: " + s[:strings.Index(s, "@")]
	case strings.Contains(path, ":"):
		return "names one tag", "write the repository alone: " + s[:strings.LastIndex(s, ":")]
	case len(s) > 240:
		return "is too long", "a registry takes up to 255 characters, and the ledger's name is longer by 7"
	}
	return "", ""
}

// reserved tags are those that Plimsoll or cosign write for something else.
var reserved = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:release-[0-9a-f]{16}|sha256-[0-9a-f]{64}.*|quarantine-[0-9a-f]{16}-.*)$`)
})

func channelMistakes(s string) (string, string) {
	if reserved().MatchString(s) {
		return "is a tag that Plimsoll or cosign use for something else", "name the channel after what follows it, for example live or canary"
	}
	return "", ""
}

// networkPath refuses paths on other machines: on Windows, opening one sends a
// credential there, which a file that was only found must not cause.
func networkPath(s string) (string, string) {
	if strings.HasPrefix(s, `\\`) || strings.HasPrefix(s, "//") {
		return "is a path on another machine", "copy the file next to the configuration and write a relative path"
	}
	return "", ""
}

// parseMoment reads a date or an RFC 3339 time. A date is a whole day in UTC, so
// that every laptop agrees: its first second, or its last one with end.
func parseMoment(s string, end bool) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		if end {
			t = t.Add(24*time.Hour - time.Second)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a date nor a time in RFC 3339", s)
	}
	return t.UTC(), nil
}

// loopback tells whether the host is this machine for certain.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

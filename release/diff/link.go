package diff

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// revision is a commit, tag or branch as it may stand in an address.
var revision = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`) })

// CompareURL is the page of the git host that shows the commits between two
// revisions, or "" if the host is not known, the source is no http(s) address
// or a revision is missing. source comes from a label: nothing of it but host
// and path survives.
func CompareURL(source, from, to string) string {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || from == to {
		return ""
	}
	if !revision().MatchString(from) || !revision().MatchString(to) {
		return ""
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.EscapedPath(), "/"), ".git")
	if strings.Count(path, "/") < 2 || strings.Contains(path, "..") {
		return ""
	}
	base := u.Scheme + "://" + u.Host + path
	from, to = url.PathEscape(from), url.PathEscape(to)
	switch gitHost(strings.ToLower(u.Hostname())) {
	case "gitlab":
		return base + "/-/compare/" + from + "..." + to
	case "bitbucket":
		return base + "/branches/compare/" + to + "%0D" + from
	case "azure":
		if !strings.Contains(path, "/_git/") {
			return ""
		}
		return base + "/branchCompare?baseVersion=GC" + from + "&targetVersion=GC" + to
	case "github", "gitea":
		return base + "/compare/" + from + "..." + to
	}
	return ""
}

// gitHost tells the kind of a git host by its name. A host that does not say
// what it runs gets no link: a wrong one is worse than none.
func gitHost(host string) string {
	switch {
	case host == "bitbucket.org":
		return "bitbucket"
	case host == "dev.azure.com" || strings.HasSuffix(host, ".visualstudio.com"):
		return "azure"
	case host == "codeberg.org":
		return "gitea"
	}
	for _, kind := range []string{"github", "gitlab", "gitea", "forgejo"} {
		for label := range strings.SplitSeq(host, ".") {
			if label == kind || strings.HasPrefix(label, kind+"-") {
				return strings.ReplaceAll(kind, "forgejo", "gitea")
			}
		}
	}
	return ""
}

package doctor

import (
	"context"
	"errors"
	"net/http"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// grant is what came of trying to write: an upload that was opened and
// cancelled, or a refusal.
type grant struct {
	granted bool
	refused bool
	// stranger: the registry did not say that the identity may not, only that it
	// does not know it (401). That proves nothing of an identity that it never accepted.
	stranger bool
	left     bool // the upload could not be cancelled
	err      error
}

// try asks a registry whether the identity of c may write to repo.
func (e *examination) try(ctx context.Context, c *registry.Client, repo registry.Repository) grant {
	ctx, done := e.within(ctx)
	defer done()
	left, err := c.TryPush(ctx, repo)
	g := grant{granted: err == nil, left: left, err: err}
	var status *registry.StatusError
	if fault.CodeOf(err) == fault.Refused && errors.As(err, &status) {
		g.refused = status.Status == http.StatusForbidden || status.Status == http.StatusUnauthorized
		g.stranger = status.Status == http.StatusUnauthorized
	}
	return g
}

// how says how it is known.
func (g grant) how() string {
	switch {
	case g.granted && g.left:
		return "an upload was opened; the registry refused to cancel it, so it stays there, empty, until it expires"
	case g.granted:
		return "an upload was opened, and cancelled at once"
	case g.err != nil:
		return plainly(g.err)
	}
	return ""
}

// mustNot tells what it means that an identity may write where it must not.
// known says that the registry accepted the identity for something else.
func (q question) mustNot(g grant, who string, known bool, remedy string) Fact {
	switch {
	case g.granted:
		return q.broken("%s may write %s", who, q.subject).because("%s", g.how()).todo("%s", remedy)
	case g.refused && (known || !g.stranger):
		return q.ok("%s cannot write %s", who, q.subject).because("%s", g.how())
	case g.refused:
		return q.unknown("%s was turned away from %s without being recognised, which proves nothing", who, q.subject).
			because("%s", g.how()).todo("check that the credential is valid, then run it again")
	case errors.Is(g.err, registry.ErrNotFound):
		return q.unknown("%s is not there, so it cannot be tried whether %s may write it", q.subject, who).
			because("%s", g.how()).todo("make the repository, then run it again")
	}
	return q.untold(g.err, "it could not be told whether %s may write %s", who, q.subject)
}

// must tells what it means that an identity may not write where it has to.
func (q question) must(g grant, who, remedy string) Fact {
	switch {
	case g.granted:
		return q.ok("%s may write %s", who, q.subject).because("%s", g.how())
	case g.refused:
		return q.broken("%s cannot write %s", who, q.subject).because("%s", g.how()).todo("%s", remedy)
	}
	return q.untold(g.err, "it could not be told whether %s may write %s", who, q.subject)
}

// describe says where an identity comes from, without secrets.
func describe(id *config.Identity) string {
	switch {
	case id == nil || id.Anonymous:
		return "anonymous"
	case id.Docker:
		return "docker's credential"
	case id.Username != "":
		return "user " + id.Username
	case id.Azure != nil:
		return "Azure, by " + id.Azure.Method
	case id.AWS != nil && id.AWS.Role != "":
		return "the AWS role " + id.AWS.Role
	case id.AWS != nil:
		return "AWS, profile " + id.AWS.Profile
	}
	return "of no known form"
}

// nobody tells whether id proves nothing to anyone.
func nobody(id *config.Identity) bool { return id == nil || id.Anonymous }

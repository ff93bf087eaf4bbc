package sources

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"text/template"

	"plimsoll/config/fault"
)

// commitID is the name of a commit in full: SHA-1 or SHA-256, as git writes it.
var commitID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`) })

// revision is the commit that a question is about. A shortened id, a tag or a
// branch is an error: it may mean something else tomorrow, and a label may hold
// any text.
func (q Question) revision() (string, error) {
	const hint = "set the label org.opencontainers.image.revision to the full commit id at the build, or attach signed provenance"
	id := strings.ToLower(q.Revision)
	switch {
	case q.RevisionErr != nil:
		return "", q.RevisionErr
	case id == "":
		return "", fault.New(fault.Failed, hint, nil, "nothing says which commit the image was built from")
	case !commitID().MatchString(id):
		return "", fault.New(fault.Failed, hint, nil, "the revision %q of the image is no full commit id (40 or 64 hexadecimal digits)", text(q.Revision))
	}
	return id, nil
}

// filling is what a template sees: every value through one way of writing it.
type filling struct {
	q     Question
	write func(string) string
}

// Service is the name of the service.
func (f filling) Service() string { return f.write(f.q.Service) }

// Staging is the staging repository, host/path.
func (f filling) Staging() string { return f.write(f.q.Staging) }

// Digest is the candidate, sha256:….
func (f filling) Digest() string { return f.write(f.q.Digest.String()) }

// Revision is the full commit id; a template that names it fails where there is none.
func (f filling) Revision() (string, error) {
	id, err := f.q.revision()
	return f.write(id), err
}

// fill writes a template with the values of a question.
func fill(what, text string, q Question, write func(string) string) (string, error) {
	t, err := template.New(what).Parse(text)
	if err != nil {
		return "", fault.New(fault.Usage, "use {{.Service}}, {{.Staging}}, {{.Digest}} or {{.Revision}}", err, "%s cannot be filled in", what)
	}
	var b strings.Builder
	if err := t.Execute(&b, filling{q, write}); err != nil {
		return "", fmt.Errorf("fill in %s: %w", what, unwrapped(err))
	}
	return b.String(), nil
}

// unwrapped is what a value said, without where in the template it said it.
func unwrapped(err error) error {
	if known := (*fault.Error)(nil); errors.As(err, &known) {
		return known
	}
	return err
}

// verbatim writes a value as it is: an argument of its own.
func verbatim(s string) string { return s }

// escaped writes a value so that it is one piece of a URL wherever it stands:
// all but the unreserved characters of RFC 3986, section 2.3, is encoded.
func escaped(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

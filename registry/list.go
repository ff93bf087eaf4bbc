package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"plimsoll/config/clean"
)

// tagName is <reference> of the distribution specification 1.1, "Pulling manifests".
var tagName = pattern(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// tagPage is how many tags are asked for at once.
const tagPage = 1000

// Tags lists all tags of a repository, without duplicates, in the registry's
// order. A name that no tag can have is left out: nothing could be asked about it.
func (c *Client) Tags(ctx context.Context, repo Repository) ([]string, error) {
	var tags []string
	seen := map[string]bool{}
	read := func(_ *http.Response, raw []byte) error {
		page, err := tagsIn(raw)
		if err != nil {
			return fmt.Errorf("the tag list of %s is no JSON: %w", repo, err)
		}
		for _, t := range page {
			if !seen[t] {
				seen[t] = true
				tags = append(tags, t)
			}
		}
		return nil
	}
	first := fmt.Sprintf("%s?n=%d", c.url(repo, "tags/list"), tagPage)
	list := listing{repo: repo, what: "the tag list of " + repo.String(), page: MaxTagPage, pages: MaxTagPages}
	err := c.pages(ctx, list, first, read)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusBadRequest && len(tags) == 0 {
		err = c.pages(ctx, list, c.url(repo, "tags/list"), read) // a registry with a smaller limit for n
	}
	if err != nil {
		return nil, err
	}
	return tags, nil
}

// tagsIn are the tags of one page.
func tagsIn(raw []byte) ([]string, error) {
	var page struct {
		Tags []string `json:"tags"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, redacted{err}
	}
	return usableTags(page.Tags), nil
}

// usableTags are those of a list that a tag can be.
func usableTags(list []string) []string {
	return slices.DeleteFunc(list, func(t string) bool { return !tagName().MatchString(t) })
}

// listing says what a list is and how large it may be.
type listing struct {
	repo    Repository
	what    string
	accept  string
	actions string // of the token, "": pull
	basic   bool   // see access
	header  http.Header
	here    bool  // a redirect to another host is an answer
	page    int64 // bytes of one page
	pages   int
}

// pages reads a list page by page, as long as a Link names the next one (distribution
// specification, "Listing Tags" and "Listing Referrers").
func (c *Client) pages(ctx context.Context, l listing, first string, read func(*http.Response, []byte) error) error {
	seen := map[string]bool{}
	for at, n := first, 0; at != ""; n++ {
		switch {
		case n == l.pages:
			return fmt.Errorf("%s has more than the %d pages that are accepted: %w", l.what, l.pages, ErrLimit)
		case seen[at]:
			return fmt.Errorf("%s: the registry sends page after page in a circle: %w", l.what, ErrLimit)
		}
		seen[at] = true
		req, err := request(ctx, http.MethodGet, at, nil)
		if err != nil {
			return err
		}
		maps.Copy(req.Header, l.header)
		if l.accept != "" {
			req.Header.Set("Accept", l.accept)
		}
		in := pull(l.repo)
		in.here, in.actions, in.basic = l.here, l.actions, l.basic
		resp, raw, err := c.fetch(ctx, in, req, l.page, l.what)
		if err != nil {
			return err
		}
		if err := read(resp, raw); err != nil {
			return err
		}
		if at, err = c.nextPage(l, at, resp.Header); err != nil {
			return err
		}
	}
	return nil
}

// nextPage is the URL of the next page, "" after the last. It is never on another host.
func (c *Client) nextPage(l listing, at string, header http.Header) (string, error) {
	target := nextLink(header.Values("Link"))
	if target == "" {
		return "", nil
	}
	base, err := url.Parse(at)
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.what, redacted{err})
	}
	next, err := base.Parse(target)
	if err != nil {
		return "", fmt.Errorf("%s: its next page has no usable address: %s", l.what, clean.Text(target))
	}
	if base.Scheme == "https" && next.Scheme == "http" && next.Host == base.Host {
		next.Scheme = "https" // a registry behind a proxy that does not tell it about TLS
	}
	if !c.host(l.repo.Host).owns(next) {
		return "", fmt.Errorf("%s: its next page is on another host, %s; it was not asked for", l.what, clean.Text(next.Host))
	}
	return next.String(), nil
}

// nextLink is the target of the link whose relation is next (RFC 8288), "" without one.
func nextLink(values []string) string {
	for _, s := range values {
		for s != "" {
			open := strings.IndexByte(s, '<')
			if open < 0 {
				break
			}
			end := strings.IndexByte(s[open:], '>')
			if end < 0 {
				break
			}
			target := s[open+1 : open+end]
			params, rest := linkParams(s[open+end+1:])
			if hasNext(params["rel"]) {
				return target
			}
			s = rest
		}
	}
	return ""
}

// linkParams reads the parameters of one link, up to the comma before the next.
func linkParams(s string) (params map[string]string, rest string) {
	params = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t")
		if !strings.HasPrefix(s, ";") {
			_, rest, _ = strings.Cut(s, ",")
			return params, rest
		}
		word, after := token(strings.TrimLeft(s[1:], " \t"))
		after = strings.TrimLeft(after, " \t")
		value := ""
		if strings.HasPrefix(after, "=") {
			value, after = linkValue(strings.TrimLeft(after[1:], " \t"))
		}
		if _, twice := params[strings.ToLower(word)]; !twice {
			params[strings.ToLower(word)] = value
		}
		s = after
	}
}

// linkValue is paramValue, with ; as an end too.
func linkValue(s string) (value, rest string) {
	if strings.HasPrefix(s, `"`) {
		return paramValue(s)
	}
	end := strings.IndexAny(s, " \t,;")
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

// hasNext tells whether a list of relations has next.
func hasNext(relations string) bool {
	for _, r := range strings.Fields(relations) {
		if strings.EqualFold(r, "next") {
			return true
		}
	}
	return false
}

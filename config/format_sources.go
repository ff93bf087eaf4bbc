package config

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/theory/jsonpath"
)

const apiHint = "write an https URL, for example https://api.github.com; http is for this machine only"

var (
	apiURL = &format{what: "the https URL of an API", more: func(s string) (string, string) {
		return secureURL(s, apiHint)
	}}
	organization = &format{what: "an Azure DevOps organization, by name or URL", more: func(s string) (string, string) {
		const hint = "write its name, for example acme, or its URL, for example https://dev.azure.com/acme"
		if strings.Contains(s, "://") {
			return secureURL(s, hint)
		}
		if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return "is no organization", hint
		}
		return "", ""
	}}
	askedURL       = filledIn("the https URL that answers", sourceFields, askedMistakes)
	sourceArgument = filledIn("a program or an argument", sourceFields, nil)
	jsonPath       = &format{what: "a JSONPath (RFC 9535) such as $.status", more: func(s string) (string, string) {
		if _, err := jsonpath.Parse(s); err != nil {
			return "is no JSONPath: " + strings.TrimPrefix(err.Error(), "jsonpath: "), "write it as in RFC 9535, for example $.status or $.runs[0]['finished at']"
		}
		return "", ""
	}}
	headerName = &format{
		what: "the name of a header", pattern: `^[A-Za-z][A-Za-z0-9-]{0,63}$`, problem: "is no name of a header",
		hint: "write the name alone, for example X-Api-Key; the value comes from the variable in token-env",
	}
)

// placeholder is one field of a template that checkTemplate has passed.
var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{[^}]*\}\}`) })

// askedMistakes says what is wrong with the URL of a source. What is filled in must
// not choose the host: a token goes there.
func askedMistakes(s string) (problem, hint string) {
	hint = "write an https URL, for example https://ci.example.com/api/runs?commit={{.Revision}}"
	one, err := url.Parse(placeholder().ReplaceAllString(s, "a"))
	other, err2 := url.Parse(placeholder().ReplaceAllString(s, "b"))
	switch {
	case err != nil || err2 != nil || one.Host == "" || one.Scheme != "https" && one.Scheme != "http":
		return "is no https URL", hint
	case one.Host != other.Host || one.Scheme != other.Scheme:
		return "leaves its host open", "write the host out: a token goes there"
	case one.User != nil:
		return "holds a user name or password", "leave it out and name the variable with the token in token-env: no secret belongs in this file"
	case one.Fragment != "":
		return "has a fragment, which no server sees", hint
	}
	return "", ""
}

package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var (
	keyPath = &format{
		what: "a public key file relative to this file, azurekms://… or awskms://…", more: keyReference,
	}
	signingKey = &format{what: "a cosign key file, azurekms://… or awskms://…", more: keyReference}
	tufURL     = &format{
		what: "the https URL of a TUF repository", more: func(s string) (string, string) {
			return secureURL(s, "write its https URL, for example https://tuf.example.com")
		},
	}
	identityPattern = &format{what: "a regular expression for an identity", more: func(s string) (string, string) {
		const syntax = "the syntax is RE2 (https://github.com/google/re2/wiki/Syntax); put it in single quotes and write \\. for a dot"
		if _, err := regexp.Compile(s); err != nil {
			return "is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "), syntax
		}
		re, err := anchored(s)
		if err != nil {
			return "cannot stand between ^ and $", syntax
		}
		if strange := slices.IndexFunc(strangers, re.MatchString); strange >= 0 {
			return "fits identities that are anybody's, such as " + strangers[strange],
				`name the owner and the workflow, for example 'https://github\.com/acme/[^/]+/\.github/workflows/e2e\.yml@refs/heads/main'`
		}
		return "", ""
	}}
)

// strangers are identities that no team means. A pattern that fits one of them fits
// whoever asks the issuer for a token; most issuers give one to everybody.
var strangers = []string{
	"nobody", "nobody@stranger.invalid", "https://stranger.invalid/nobody",
	"https://github.com/stranger-0/nobody/.github/workflows/any.yml@refs/heads/main",
	"https://gitlab.com/stranger-0/nobody//.gitlab-ci.yml@refs/heads/main",
}

// anchored is a pattern that must fit the whole text. The pattern by itself is
// right: else a bracket in it could end our own.
func anchored(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + pattern + ")$") //nolint:wrapcheck // the caller says what it is about
}

// The references of key services that sigstore understands
// (github.com/sigstore/sigstore/pkg/signature/kms/azure and …/aws, client.go), but
// for a vault by its name alone, which it would look for as a host of that name.
var (
	azureKey = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^azurekms://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]{1,5})?/[A-Za-z0-9-]{1,127}(?:/[a-z0-9]{1,64})?$`)
	})
	awsKey = sync.OnceValue(func() *regexp.Regexp {
		const id = `(?:mrk-[A-Fa-f0-9]{32}|[A-Fa-f0-9]{8}-?(?:[A-Fa-f0-9]{4}-?){3}[A-Fa-f0-9]{12})`
		const arn = `arn:(?:aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:[0-9]{12}:`
		const alias = `alias/[A-Za-z0-9/_-]{1,250}`
		return regexp.MustCompile(`^awskms://[A-Za-z0-9.:-]*/(?:` + id + `|` + arn + `key/` + id + `|` + alias + `|` + arn + alias + `)$`)
	})
)

// KeyService tells whether ref names a key in a key service, and not a file.
func KeyService(ref string) bool {
	return strings.HasPrefix(ref, "azurekms://") || strings.HasPrefix(ref, "awskms://")
}

// keyReference says what is wrong with a key file's path or the name of a key in a key service.
func keyReference(s string) (problem, hint string) {
	scheme, _, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return networkPath(s)
	case scheme == "azurekms":
		if !azureKey().MatchString(s) {
			return "is no key of Azure Key Vault", "write azurekms://HOST/KEY or azurekms://HOST/KEY/VERSION with the vault's whole host name, for example azurekms://acme.vault.azure.net/ci"
		}
	case scheme == "awskms":
		if !awsKey().MatchString(s) {
			return "is no key of AWS KMS", "write awskms:///alias/NAME, awskms:///KEY-ID or awskms:///ARN; a host between the second and third slash is another endpoint"
		}
	default:
		return "is a key service that is not supported", "write the path of a key file, azurekms://… or awskms://…"
	}
	return "", ""
}

// secureURL says what is wrong with an address that a token may be sent to:
// https, or this machine; nothing in it that is secret or cut off.
func secureURL(s, hint string) (problem, remedy string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "is no URL", hint
	case u.User != nil:
		return "holds a user name or password", "leave it out: no secret belongs in this file"
	case u.Scheme == "http" && !loopback(u.Host):
		return "is not encrypted", hint
	case u.RawQuery != "" || u.Fragment != "":
		return "has more than a path", hint
	}
	return "", ""
}

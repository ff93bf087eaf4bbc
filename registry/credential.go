package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// credential is what proves an identity to one registry. At most one of its
// three forms is set; none is anonymous.
type credential struct {
	username, password string
	identityToken      string // an OAuth2 refresh token
	registryToken      string // a bearer token, sent as it is

	subject string    // who it proves, if that is known
	expires time.Time // zero: unknown
}

// anonymous tells whether there is nothing to send.
func (c credential) anonymous() bool {
	return c.username == "" && c.password == "" && c.identityToken == "" && c.registryToken == ""
}

// ended tells whether the credential is not to be used any more, which is a
// moment before its end: what is proved with it has to arrive.
func (c credential) ended(now time.Time) bool {
	return !c.expires.IsZero() && !now.Before(c.expires.Add(-credentialReserve))
}

// credentialReserve is how long before its end a credential is replaced.
const credentialReserve = time.Minute

// register has the secrets cut out of all that this process prints.
func (c credential) register() credential {
	clean.Secret(c.password)
	clean.Secret(c.identityToken)
	clean.Secret(c.registryToken)
	if c.password != "" {
		clean.Secret(base64.StdEncoding.EncodeToString([]byte(c.username + ":" + c.password)))
	}
	return c
}

// identityFor is the identity that entry gives for a purpose; nil: anonymous.
func identityFor(entry config.Registry, purpose Purpose) *config.Identity {
	switch {
	case purpose == Promote && entry.Promote != nil:
		return entry.Promote
	case purpose == Evidence && entry.Evidence != nil:
		return entry.Evidence
	}
	return entry.Read
}

// readCredential asks the source that id names.
func readCredential(ctx context.Context, name string, purpose Purpose, id *config.Identity, p Provider) (credential, error) {
	switch {
	case id == nil || id.Anonymous:
		return credential{}, nil
	case id.Docker:
		return fromDocker(ctx, name)
	case id.Username != "":
		return fromEnvironment(name, purpose, id)
	case p != nil && (id.Azure != nil || id.AWS != nil):
		return fromProvider(ctx, p, *id)
	case id.Azure != nil:
		return credential{}, unknownIdentity(name, purpose, describe(id))
	case id.AWS != nil:
		return credential{}, unknownIdentity(name, purpose, describe(id))
	}
	return credential{}, unknownIdentity(name, purpose, "of no known form")
}

// unknownIdentity says that a cloud's identity cannot be used.
func unknownIdentity(name string, purpose Purpose, form string) error {
	return fault.New(fault.Usage,
		fmt.Sprintf("under registries → %s → %s write {docker: true} (after docker login %s) or {username: …, password-env: …}", name, purpose, name),
		nil, "the %s identity of %s is %s: this version knows docker, and username with password-env", purpose, name, form)
}

// fromEnvironment is a user name with the password of an environment variable.
func fromEnvironment(name string, purpose Purpose, id *config.Identity) (credential, error) {
	password := os.Getenv(id.PasswordEnv)
	if password == "" {
		return credential{}, fault.New(fault.Usage,
			fmt.Sprintf("set %s, or change password-env under registries → %s", id.PasswordEnv, name), nil,
			"no password for %s (%s, user %s): the environment variable %s is not set", name, purpose, id.Username, id.PasswordEnv)
	}
	return credential{username: id.Username, password: password, subject: account(id.Username)}.register(), nil
}

// dockerResource is a registry in the words of docker's configuration.
type dockerResource string

func (r dockerResource) String() string { return r.RegistryStr() }

// RegistryStr is the host, for authn.Resource.
func (r dockerResource) RegistryStr() string { return string(r) }

// fromDocker asks docker's configuration and its credential helpers, which are
// programs: ctx ends the wait for them, not them.
func fromDocker(ctx context.Context, name string) (credential, error) {
	if dockerHub[name] {
		name = "index.docker.io" // the name that authn maps to docker login's key
	}
	type result struct {
		cred credential
		err  error
	}
	done := make(chan result, 1)
	go func() {
		cred, err := askDocker(ctx, name)
		done <- result{cred, err}
	}()
	select {
	case r := <-done:
		return r.cred, r.err
	case <-ctx.Done():
		return credential{}, fmt.Errorf("ask docker's credential helper for %s: %w", name, context.Cause(ctx))
	}
}

func askDocker(ctx context.Context, name string) (credential, error) {
	failed := func(err error) error {
		return fault.New(fault.Failed, "run docker login "+name+", or look at the credential helper in docker's config.json",
			redacted{err}, "read docker's credential for %s", name)
	}
	auth, err := authn.Resolve(ctx, authn.DefaultKeychain, dockerResource(name))
	if err != nil {
		return credential{}, failed(err)
	}
	cfg, err := authn.Authorization(ctx, auth)
	if err != nil {
		return credential{}, failed(err)
	}
	cred := credential{
		username: cfg.Username, password: cfg.Password,
		identityToken: cfg.IdentityToken, registryToken: cfg.RegistryToken,
	}
	if cred.username == "<token>" && cred.identityToken == "" { // the helper protocol's mark of an identity token
		cred = credential{identityToken: cred.password}
	}
	cred.subject = account(cred.username)
	return cred.register(), nil
}

// account names the account of a password; "" without one, and for the names that go
// with a token of Azure's and AWS's registries, whoever has it.
func account(name string) string {
	switch name {
	case "", "00000000-0000-0000-0000-000000000000", "AWS":
		return ""
	}
	return "user " + name
}

// describe says in a few words where an identity comes from, without secrets.
func describe(id *config.Identity) string {
	switch {
	case id == nil || id.Anonymous:
		return "anonymous"
	case id.Docker:
		return "docker's credential"
	case id.Username != "":
		return fmt.Sprintf("user %s with the password in %s", id.Username, id.PasswordEnv)
	case id.Azure != nil:
		return "azure: " + strings.Join(id.Azure.Methods(), ", ")
	case id.AWS != nil && id.AWS.Role != "":
		return "aws: role " + id.AWS.Role
	case id.AWS != nil && id.AWS.Profile != "":
		return "aws: profile " + id.AWS.Profile
	case id.AWS != nil:
		return "aws"
	}
	return "of no known form"
}

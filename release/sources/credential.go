package sources

import (
	"context"

	"plimsoll/config/fault"
)

// errUntrusted is why a source is asked without its credential, or not at all.
var errUntrusted = fault.New(fault.Usage, "read the file, then accept it with: plimsoll trust", nil,
	"the configuration was found, not named, and is not trusted yet")

// variable is the value of an environment variable that the configuration names.
func (s *Sources) variable(name string) (string, error) {
	return marked(s.tokens.Variable(name, "a token that may read"))
}

// ofGH asks gh for the token of the host that an API belongs to.
func (s *Sources) ofGH(ctx context.Context, api string) (string, error) {
	return marked(s.tokens.GH(ctx, api))
}

// ofAz asks az for a token for Azure DevOps.
func (s *Sources) ofAz(ctx context.Context) (string, error) { return marked(s.tokens.Az(ctx)) }

// marked says of a token that could not be had that the source has failed.
func marked(value string, err error) (string, error) {
	if err != nil {
		return "", ofSource{err}
	}
	return value, nil
}

// refused forgets the tokens of tools: one of them does not count any more.
func (s *Sources) refused() { s.tokens.Forget() }

// secrets are the environment variables that hold our credentials.
func (s *Sources) secrets() []string { return s.Config.SecretVariables() }

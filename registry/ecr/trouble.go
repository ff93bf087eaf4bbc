package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

var errSlow = fmt.Errorf("AWS did not answer within %s: check the network, VPN and proxy (HTTPS_PROXY)", callLimit)

// told is an error of the SDK in one line, without secrets; of an answer of AWS
// only its code and message.
type told struct{ err error }

// Error is the line.
func (t told) Error() string {
	text := t.err.Error()
	var api smithy.APIError
	if errors.As(t.err, &api) {
		text = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return clean.Text(clean.Redact(strings.Join(strings.Fields(text), " ")))
}

// Unwrap keeps the chain.
func (t told) Unwrap() error { return t.err }

// trouble says what was tried with which identity, why it failed, and what to do.
func (s *session) trouble(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	var profile awsconfig.SharedConfigProfileNotExistError
	var sso *ssocreds.InvalidTokenError
	var code awsconfig.AssumeRoleTokenProviderNotSetError
	var api smithy.APIError
	login := "sign in with: aws sso login"
	if s.id.Profile != "" {
		login += " --profile " + s.id.Profile
	}
	switch {
	case errors.As(err, &profile):
		return fault.New(fault.Usage, "aws configure list-profiles shows which there are", told{err}, "%s: there is no profile %q", what, s.id.Profile)
	case errors.As(err, &sso):
		return fault.New(fault.Usage, login, told{err}, "%s: the sign-in to AWS has ended", what)
	case errors.As(err, &code):
		return fault.New(fault.Usage, "use a profile of IAM Identity Center (aws configure sso), or sign in with the code beforehand (aws sts get-session-token)",
			told{err}, "%s: the profile asks for a code of a second factor, which is not asked for here", what)
	case errors.As(err, &api):
		return s.answered(err, api.ErrorCode(), login, what)
	case strings.Contains(err.Error(), "credentials"):
		return fault.New(fault.Usage, login+"; or set a profile or role under registries; a pipeline needs its role's web identity token",
			told{err}, "%s: there are no AWS credentials (%s)", what, s.name())
	}
	return fault.New(fault.Failed, "check the network, VPN and proxy (HTTPS_PROXY)", told{err}, "%s", what)
}

// answered is an answer of AWS that is no success.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
func (s *session) answered(err error, code, login, what string) error {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "InvalidIdentityToken", "IDPCommunicationError", "UnauthorizedException":
		return fault.New(fault.Usage, login, told{err}, "%s: the sign-in to AWS has ended (%s)", what, s.name())
	case "AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId",
		"SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationTokenException", "OptInRequired", "IDPRejectedClaim":
		return fault.New(fault.Refused, "check the identity's policies, the role's trust policy and the repository's policy", told{err},
			"%s: AWS refused the identity (%s)", what, s.name())
	case "RepositoryNotFoundException", "ImageNotFoundException":
		return fmt.Errorf("%s: %w: %w", what, registry.ErrNotFound, told{err})
	case "ThrottlingException", "TooManyRequestsException", "LimitExceededException":
		return fault.New(fault.Failed, "wait a little and run it again", told{err}, "%s: AWS asks for fewer requests", what)
	}
	return fault.New(fault.Failed, "", told{err}, "%s", what)
}

// name is the identity in the words of the configuration.
func (s *session) name() string {
	switch {
	case s.id.Role != "":
		return "role " + s.id.Role
	case s.id.Profile != "":
		return "profile " + s.id.Profile
	}
	return "the environment's own identity"
}

// unsupported says of a refusal that there may be another way.
func unsupported(err error, what string) error {
	if err != nil && fault.CodeOf(err) == fault.Refused {
		return fmt.Errorf("%s: %w: %w", what, registry.ErrUnsupported, err)
	}
	return err
}

func isUnsupported(err error) bool { return errors.Is(err, registry.ErrUnsupported) }

// codeOf is the code of an answer of AWS, "" if err is none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return cmp.Or(api.ErrorCode(), "unknown")
	}
	return ""
}

package ecr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/registry"
)

const (
	// tokenLife is how long AWS says that a token lasts. It is counted on our clock,
	// too, because the end that AWS names is on theirs.
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
	tokenLife = 12 * time.Hour
	// tokenReserve is how long before its end a token is given to nobody any more;
	// longer than the client's own, so that the client never gets one that it refuses.
	tokenReserve = 2 * time.Minute
)

// Credential is the user AWS with a token of GetAuthorizationToken as password.
// The token is kept for all who share the session; whoever asks a second time
// for the same one had it refused, and gets a new one.
func (p *provider) Credential(ctx context.Context, id config.Identity) (registry.Credential, error) {
	if id.AWS == nil {
		return registry.Credential{}, fmt.Errorf("%s is a registry of AWS; it takes no Azure identity", p.host)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	s := p.session(*id.AWS)
	done, err := s.wait(ctx)
	if err != nil {
		return registry.Credential{}, err
	}
	defer done()
	p.mu.Lock()
	refused := p.given
	p.mu.Unlock()
	if s.token.Password == refused || s.options.Now().After(s.token.Expires.Add(-tokenReserve)) {
		if s.token, err = s.newToken(ctx); err != nil {
			return registry.Credential{}, fmt.Errorf("sign in to %s (%s): %w", p.host, p.purpose, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given = s.token.Password
	return s.token, nil
}

// newToken asks for a token, and side by side for the name of the identity. No
// account is named in the request: a token serves for all registries of the
// region that the identity may use.
func (s *session) newToken(ctx context.Context) (registry.Credential, error) {
	cfg, err := s.open(ctx)
	if err != nil {
		return registry.Credential{}, err
	}
	subject := ""
	var side sync.WaitGroup
	side.Go(func() { subject = s.subject(ctx, cfg) })
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	side.Wait()
	if err != nil {
		return registry.Credential{}, s.trouble(ctx, err, "ask ECR for a token")
	}
	if len(out.AuthorizationData) == 0 {
		return registry.Credential{}, errors.New("ECR gave no token")
	}
	data := out.AuthorizationData[0]
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	user, password, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok || password == "" { // the cause is left out: it could quote the token
		return registry.Credential{}, errors.New("ECR gave a token that is not of the documented form")
	}
	clean.Secret(password)
	clean.Secret(aws.ToString(data.AuthorizationToken))
	ends := s.options.Now().Add(tokenLife)
	if data.ExpiresAt != nil && data.ExpiresAt.Before(ends) {
		ends = *data.ExpiresAt
	}
	return registry.Credential{Username: user, Password: password, Subject: subject, Expires: ends}, nil
}

// limited bounds a question.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, callLimit, errSlow)
}

package acr

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/registry"
)

// Credential exchanges a token of Microsoft Entra for a refresh token of the
// registry, with which the client gets an access token for each scope.
// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
func (p *provider) Credential(ctx context.Context, id config.Identity) (registry.Credential, error) {
	if id.Azure == nil {
		return registry.Credential{}, fmt.Errorf("%s is an Azure registry; it takes no AWS identity", p.host)
	}
	token, err := p.source(id.Azure).GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
	if err != nil {
		return registry.Credential{}, fmt.Errorf("sign in to %s (%s): %w", p.host, p.wire.Purpose(), err)
	}
	who := claimsOf(token.Token)
	form := url.Values{"grant_type": {"access_token"}, "service": {p.host}, "access_token": {token.Token}}
	if tenant := who.Tenant; tenant != "" {
		form.Set("tenant", tenant)
	}
	raw, err := p.wire.Post(ctx, "/oauth2/exchange", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return registry.Credential{}, err //nolint:wrapcheck // it names the registry and the identity
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	// The cause is left out: it could quote the token.
	if json.Unmarshal(raw, &answer) != nil || answer.RefreshToken == "" {
		return registry.Credential{}, fmt.Errorf("%s exchanged the Azure token for nothing", p.host)
	}
	clean.Secret(answer.RefreshToken)
	return registry.Credential{
		RefreshToken: answer.RefreshToken, Subject: who.subject(), Expires: claimsOf(answer.RefreshToken).end(token.ExpiresOn),
	}, nil
}

// claims are what a token says of itself, unverified: for the record and for
// knowing when to ask again, never for deciding.
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
type claims struct {
	Object   string `json:"oid"`
	User     string `json:"upn"`
	Unique   string `json:"unique_name"`
	Prefer   string `json:"preferred_username"`
	App      string `json:"appid"`
	Party    string `json:"azp"`
	Subject  string `json:"sub"`
	Tenant   string `json:"tid"`
	Kind     string `json:"idtyp"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
}

// claimsOf reads the claims of a JWT; none where it is no JWT.
func claimsOf(token string) claims {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return claims{}
	}
	return c
}

// subject is who the token is about: a person by name, else an application,
// with the object that role assignments are about.
func (c claims) subject() string {
	who := ""
	switch user := first(c.User, c.Prefer, c.Unique); {
	case user != "":
		who = user
	case first(c.App, c.Party) != "":
		who = "app " + first(c.App, c.Party)
	}
	object := first(c.Object, c.Subject)
	switch {
	case who == "":
		who = object
	case object != "":
		who += " (" + object + ")"
	}
	return clean.Text(who)
}

// end is when the token ends, otherwise if it does not say so.
func (c claims) end(otherwise time.Time) time.Time {
	if c.Expires <= 0 {
		return otherwise
	}
	return time.Unix(c.Expires, 0)
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// description is what Microsoft Entra or Resource Manager says in an error answer.
func description(resp *http.Response) string {
	raw, err := runtime.Payload(resp)
	if err != nil {
		return ""
	}
	var entra struct {
		Description string `json:"error_description"`
	}
	if json.Unmarshal(raw, &entra) == nil && entra.Description != "" {
		return entra.Description
	}
	var manager struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(raw, &manager) == nil && manager.Error.Message != "" {
		return manager.Error.Code + ": " + manager.Error.Message
	}
	return ""
}

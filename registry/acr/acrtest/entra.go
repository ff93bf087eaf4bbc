package acrtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// entraLife is how long a token of the authority lasts.
const entraLife = time.Hour

// entra is the authority: what MSAL asks before a token, and the token endpoint
// with the grants client_credentials (a secret or a federated token) and device_code.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
func (c *Cloud) entra(w http.ResponseWriter, r *http.Request) {
	base := "https://" + Entra
	tenant := strings.Split(strings.Trim(r.URL.Path, "/"), "/")[0]
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		reply(w, http.StatusOK, map[string]any{
			"tenant_discovery_endpoint": base + "/" + Tenant + "/v2.0/.well-known/openid-configuration",
			"metadata":                  []any{map[string]any{"preferred_network": Entra, "preferred_cache": Entra, "aliases": []string{Entra}}},
		})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		reply(w, http.StatusOK, map[string]any{
			"token_endpoint":                base + "/" + tenant + "/oauth2/v2.0/token",
			"authorization_endpoint":        base + "/" + tenant + "/oauth2/v2.0/authorize",
			"device_authorization_endpoint": base + "/" + tenant + "/oauth2/v2.0/devicecode",
			"issuer":                        base + "/" + tenant + "/v2.0",
		})
	case strings.HasSuffix(r.URL.Path, "/devicecode"):
		reply(w, http.StatusOK, map[string]any{
			"device_code": "device-" + r.FormValue("client_id"), "user_code": "K7QLM2R", "verification_uri": "https://microsoft.com/devicelogin",
			"expires_in": 900, "interval": 1, "message": "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code K7QLM2R to authenticate.",
		})
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		c.entraToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (c *Cloud) entraToken(w http.ResponseWriter, r *http.Request) {
	var who *Principal
	c.mu.Lock()
	switch r.FormValue("grant_type") {
	case "client_credentials":
		for _, p := range c.people {
			given := r.FormValue("client_secret") + r.FormValue("client_assertion")
			if p.Client == r.FormValue("client_id") && p.Secret != "" && p.Secret == given {
				who = p
			}
		}
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code", "refresh_token":
		who = c.people[c.signedIn]
	}
	c.mu.Unlock()
	if who == nil {
		code, text := "invalid_client", "AADSTS7000215: Invalid client secret provided."
		if strings.Contains(r.FormValue("grant_type"), "device_code") {
			code, text = "authorization_pending", "AADSTS70016: The user has not signed in yet."
		}
		reply(w, http.StatusUnauthorized, map[string]any{"error": code, "error_description": text})
		return
	}
	answer := map[string]any{"token_type": "Bearer", "expires_in": int(entraLife / time.Second), "access_token": c.EntraToken(who.Object, audienceOf(r.FormValue("scope")))}
	if strings.Contains(r.FormValue("grant_type"), "device_code") || r.FormValue("grant_type") == "refresh_token" {
		answer["scope"], answer["refresh_token"] = r.FormValue("scope"), c.sign(token{Kind: "refresh", Object: who.Object}, 24*time.Hour)
	}
	reply(w, http.StatusOK, answer)
}

// metadata is the metadata service of a machine in Azure, with every principal as
// a user-assigned identity of the machine.
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
func (c *Cloud) metadata(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metadata/identity/oauth2/token" || r.Header.Get("Metadata") != "true" || r.URL.Query().Get("api-version") == "" {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": "Required metadata header not specified"})
		return
	}
	var who *Principal
	c.mu.Lock()
	for _, p := range c.people {
		if p.Client != "" && p.Client == r.URL.Query().Get("client_id") {
			who = p
		}
	}
	c.mu.Unlock()
	if who == nil {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": "Identity not found"})
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"access_token": c.EntraToken(who.Object, r.URL.Query().Get("resource")), "client_id": who.Client, "token_type": "Bearer",
		"expires_in": strconv.Itoa(int(entraLife / time.Second)), "expires_on": strconv.FormatInt(c.time().Add(entraLife).Unix(), 10), "resource": r.URL.Query().Get("resource"),
	})
}

// SignIn is what a person does with a device code in a browser.
func (c *Cloud) SignIn(object string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signedIn = object
}

// EntraToken is a token of the authority for an audience, such as az prints it.
func (c *Cloud) EntraToken(object, audience string) string {
	c.mu.Lock()
	p := c.people[object]
	c.mu.Unlock()
	if p == nil {
		panic(fmt.Sprintf("nobody is called %q", object))
	}
	return c.sign(token{
		Audience: audience, Issuer: "https://sts.windows.net/" + Tenant + "/", Object: p.Object, Subject: "sub-" + p.Object,
		Tenant: Tenant, User: p.Name, App: p.Client,
	}, entraLife)
}

// audienceOf is the resource of a list of scopes, https://resource/.default among others.
func audienceOf(scope string) string {
	for _, s := range strings.Fields(scope) {
		if a, ok := strings.CutSuffix(s, "/.default"); ok {
			return a
		}
	}
	return ""
}

// pipelines answers the request of a job for its identity token.
// https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create
func (c *Cloud) pipelines(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.people {
		if p.Secret != "" && r.Header.Get("Authorization") == "Bearer system-"+p.Secret {
			reply(w, http.StatusOK, map[string]string{"oidcToken": p.Secret})
			return
		}
	}
	reply(w, http.StatusUnauthorized, map[string]string{"message": "no"})
}

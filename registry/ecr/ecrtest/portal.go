package ecrtest

import (
	"encoding/json"
	"net/http"
	"path"
	"time"
)

// portal is the access portal of IAM Identity Center: it gives the credentials
// of a role to whoever signed in with a browser and has its access token.
// https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
func (c *Cloud) portal(w http.ResponseWriter, r *http.Request) (action, who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	action = "GetRoleCredentials"
	w.Header().Set("Content-Type", "application/json")
	query, token := r.URL.Query(), r.Header.Get("X-Amz-Sso_bearer_token")
	for _, p := range c.principals {
		if r.URL.Path != "/federation/credentials" || token == "" || p.Portal != token ||
			path.Base(p.ARN) != query.Get("role_name") || account(p.ARN) != query.Get("account_id") {
			continue
		}
		s := c.open(p, "ada@example.com")
		_ = json.NewEncoder(w).Encode(map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": s.key, "secretAccessKey": s.secret, "sessionToken": s.token, "expiration": s.ends.UnixMilli(),
		}})
		return action, s.arn
	}
	w.Header().Set("X-Amzn-ErrorType", "UnauthorizedException")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": "Session token not found or invalid"})
	return action, ""
}

// sessionLife is how long the keys of a role last.
const sessionLife = time.Hour

package trusttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
)

// authority is Microsoft Entra ID: OpenID discovery, and tokens for a client secret
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
func authority(w http.ResponseWriter, r *http.Request) {
	at := "https://" + login + "/" + tenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		answer(w, 200, map[string]any{
			"tenant_discovery_endpoint": at + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []any{map[string]any{"preferred_network": login, "preferred_cache": "login.windows.net", "aliases": []string{login}}},
		})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		answer(w, 200, map[string]any{"token_endpoint": at + "/oauth2/v2.0/token", "authorization_endpoint": at + "/oauth2/v2.0/authorize", "issuer": at + "/v2.0"})
	case r.URL.Path == "/"+tenant+"/oauth2/v2.0/token":
		if r.FormValue("client_secret") != Canary+"-azure" || !strings.HasPrefix(r.FormValue("scope"), "https://vault.azure.net/.default") {
			answer(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		answer(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": Canary + "-token"})
	default:
		http.NotFound(w, r)
	}
}

// KeyVault is one key of Azure Key Vault, with versions; the newest is used
// where a request names none (https://learn.microsoft.com/rest/api/keyvault/keys).
type KeyVault struct {
	Name     string
	Versions []crypto.Signer
	Wrong    bool // signs with another version than the one that it shows
	Denied   bool // the caller has no right
}

// ServeHTTP answers GET of a key and POST of sign.
func (v *KeyVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+Canary+"-token" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="https://%s/%s", resource="https://vault.azure.net"`, login, tenant))
		answer(w, 401, map[string]any{"error": map[string]any{"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}})
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // keys/NAME[/VERSION][/sign]
	sign := parts[len(parts)-1] == "sign"
	if sign {
		parts = parts[:len(parts)-1]
	}
	version := len(v.Versions)
	if len(parts) == 3 {
		_, _ = fmt.Sscanf(parts[2], "v%d", &version)
	}
	switch {
	case v.Denied:
		answer(w, 403, map[string]any{"error": map[string]any{"code": "Forbidden", "message": "Caller is not authorized to perform action"}})
	case len(parts) < 2 || parts[1] != v.Name || r.URL.Query().Get("api-version") == "":
		answer(w, 404, map[string]any{"error": map[string]any{"code": "KeyNotFound", "message": "A key with that name was not found"}})
	case sign:
		v.sign(w, r, version)
	default:
		answer(w, 200, map[string]any{"key": jwk(v.Versions[version-1].Public(), fmt.Sprintf("https://%s/keys/%s/v%d", Vault, v.Name, version)), "attributes": map[string]any{"enabled": true}})
	}
}

func (v *KeyVault) sign(w http.ResponseWriter, r *http.Request, version int) {
	var ask struct{ Alg, Value string }
	_ = json.NewDecoder(r.Body).Decode(&ask)
	sum, err := base64.RawURLEncoding.DecodeString(ask.Value)
	key := v.Versions[version-1]
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[ask.Alg[2:]]
	if err != nil || len(sum) != hash.Size() {
		answer(w, 400, map[string]any{"error": map[string]any{"code": "BadParameter", "message": "Invalid length of value"}})
		return
	}
	if v.Wrong {
		key = v.Versions[0]
	}
	sig, _ := key.Sign(rand.Reader, sum, hash)
	if k, ok := key.(*ecdsa.PrivateKey); ok { // JWS form: r and s of fixed length
		var parts struct{ R, S *big.Int }
		_, _ = asn1.Unmarshal(sig, &parts)
		size := (k.Params().BitSize + 7) / 8
		sig = append(parts.R.FillBytes(make([]byte, size)), parts.S.FillBytes(make([]byte, size))...)
	}
	answer(w, 200, map[string]any{"kid": "https://" + Vault + "/keys/" + v.Name, "value": base64.RawURLEncoding.EncodeToString(sig)})
}

func jwk(public crypto.PublicKey, id string) map[string]any {
	b64 := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		size := (k.Params().BitSize + 7) / 8
		raw, _ := k.Bytes()
		return map[string]any{
			"kid": id, "kty": "EC-HSM", "crv": k.Params().Name, "key_ops": []string{"sign", "verify"},
			"x": base64.RawURLEncoding.EncodeToString(raw[1 : 1+size]), "y": base64.RawURLEncoding.EncodeToString(raw[1+size:]),
		}
	case *rsa.PublicKey:
		return map[string]any{"kid": id, "kty": "RSA", "key_ops": []string{"sign"}, "n": b64(k.N, k.Size()), "e": "AQAB"}
	}
	return nil
}

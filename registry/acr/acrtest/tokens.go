package acrtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// grant is one scope of an access token.
type grant struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// token is what all tokens of the cloud say.
type token struct {
	Audience string  `json:"aud"`
	Issuer   string  `json:"iss"`
	Object   string  `json:"oid"`
	Subject  string  `json:"sub"`
	Tenant   string  `json:"tid,omitempty"`
	User     string  `json:"upn,omitempty"`
	App      string  `json:"appid,omitempty"`
	Kind     string  `json:"grant_type,omitempty"`
	Access   []grant `json:"access,omitempty"`
	Expires  int64   `json:"exp"`
	Issued   int64   `json:"iat"`
	Number   int     `json:"jti"` // so that no two are the same
}

// sign makes a JWT. Real ones are signed with RSA; nobody but the cloud looks.
func (c *Cloud) sign(t token, life time.Duration) string {
	c.mu.Lock()
	t.Issued, t.Expires, t.Number = c.now().Unix(), c.now().Add(life).Unix(), c.issued
	c.issued++
	c.mu.Unlock()
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	enc := base64.RawURLEncoding
	body := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(raw)
	text := body + "." + enc.EncodeToString(c.mac(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = append(c.secrets, text)
	return text
}

func (c *Cloud) mac(body string) []byte {
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte(body))
	return m.Sum(nil)
}

// read reads a token that this cloud made and that has not ended.
func (c *Cloud) read(text string) (token, bool) {
	var t token
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 {
		return t, false
	}
	mac, err := base64.RawURLEncoding.DecodeString(text[cut+1:])
	if err != nil || !hmac.Equal(mac, c.mac(text[:cut])) {
		return t, false
	}
	_, payload, _ := strings.Cut(text[:cut], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(raw, &t) != nil {
		return t, false
	}
	return t, c.time().Unix() < t.Expires
}

// bearer is the object of the token that a request carries, also of an old one.
func (c *Cloud) bearer(r *http.Request) string {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	t, _ := c.read(text)
	return t.Object
}

// Secrets are all tokens and secrets of the cloud so far: none may be seen
// anywhere but in requests.
func (c *Cloud) Secrets() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := append([]string{}, c.secrets...)
	for _, p := range c.people {
		if p.Secret != "" {
			list = append(list, p.Secret)
		}
	}
	return list
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

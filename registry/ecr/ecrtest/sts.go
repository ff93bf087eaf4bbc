package ecrtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signed is who signed a request, with the code of what is wrong if nobody did.
// The signature is computed anew and compared.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (c *Cloud) signed(r *http.Request, service string, body []byte) (*session, string) {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return nil, "MissingAuthenticationTokenException"
	}
	c.mu.Lock()
	s, now := c.keys[m[1]], c.now()
	c.mu.Unlock()
	switch {
	case s == nil || r.Header.Get("X-Amz-Security-Token") != s.token:
		return nil, "UnrecognizedClientException"
	case !s.ends.IsZero() && !now.Before(s.ends):
		return nil, "ExpiredTokenException"
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:gosec // it is signed, not sent
	at, err2 := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || err2 != nil {
		return nil, "IncompleteSignature"
	}
	for _, name := range strings.Split(m[2], ";") {
		if name != "host" && name != "content-length" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret, SessionToken: s.token}
	if v4.NewSigner().SignHTTP(r.Context(), creds, again, hex.EncodeToString(sum[:]), service, Region, at) != nil ||
		again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return nil, "SignatureDoesNotMatch"
	}
	return s, ""
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/[0-9]+/` + Region + `/[a-z]+/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=`)

// sts is the Security Token Service.
// https://docs.aws.amazon.com/STS/latest/APIReference/
func (c *Cloud) sts(w http.ResponseWriter, r *http.Request) (action, who string) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	action = form.Get("Action")
	if action == "AssumeRoleWithWebIdentity" { // not signed: the token is the proof
		return action, c.webIdentity(w, form)
	}
	s, code := c.signed(r, "sts", body)
	if s == nil {
		stsRefuse(w, code)
		return action, ""
	}
	switch action {
	case "GetCallerIdentity":
		stsAnswer(w, action, fmt.Sprintf("<Arn>%s</Arn><UserId>%s</UserId><Account>%s</Account>", s.arn, s.key, account(s.arn)))
	case "AssumeRole":
		c.assume(w, action, form, func(role *Principal) bool { return slices.Contains(role.Trusts, s.principal.ARN) })
	default:
		stsRefuse(w, "InvalidAction")
	}
	return action, s.arn
}

// webIdentity is AssumeRoleWithWebIdentity.
func (c *Cloud) webIdentity(w http.ResponseWriter, form url.Values) string {
	token := form.Get("WebIdentityToken")
	return c.assume(w, "AssumeRoleWithWebIdentity", form, func(role *Principal) bool { return token != "" && role.Token == token })
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// assume makes a session of a role.
func (c *Cloud) assume(w http.ResponseWriter, action string, form url.Values, trusted func(*Principal) bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	role, name := c.principals[form.Get("RoleArn")], form.Get("RoleSessionName")
	switch {
	case !sessionName.MatchString(name):
		stsRefuse(w, "ValidationError")
		return ""
	case role == nil || !trusted(role) || !role.named(name):
		stsRefuse(w, "AccessDenied")
		return ""
	}
	s := c.open(role, name)
	stsAnswer(w, action, fmt.Sprintf("<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>"+
		"<AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>AROA:%s</AssumedRoleId></AssumedRoleUser>", s.key, s.secret, s.token, s.ends.UTC().Format(time.RFC3339), s.arn, name))
	return s.arn
}

// named tells whether the role's trust policy allows a name.
func (p *Principal) named(session string) bool {
	ok, _ := path.Match(p.Names, session)
	return ok || p.Names == ""
}

// open makes a session of a role. Whoever calls it has the lock.
func (c *Cloud) open(role *Principal, name string) *session {
	s := &session{
		principal: role, arn: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account(role.ARN), path.Base(role.ARN), name),
		key: "ASIA" + rand.Text()[:16], secret: c.issue("session-secret-"), token: c.issue("session-token-"), ends: c.now().Add(sessionLife),
	}
	c.keys[s.key] = s
	return s
}

func stsAnswer(w http.ResponseWriter, action, result string) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%[1]sResponse>`, action, result)
}

func stsRefuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>refused</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code)
}

// account is the account of an ARN.
func account(arn string) string { return strings.Split(arn, ":")[4] }

// Session is the newest session of a role that was taken.
func (c *Cloud) Session(role string) (key, secret, token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var newest *session
	for _, s := range c.keys {
		if s.principal.ARN == role && (newest == nil || s.ends.After(newest.ends)) {
			newest = s
		}
	}
	return newest.key, newest.secret, newest.token
}

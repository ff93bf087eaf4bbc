package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
)

// SimpleSigningMediaType is a layer of cosign v2's .sig tag: a payload that
// names an image, with its signature in the layer's annotation SignatureAnnotation.
const (
	SimpleSigningMediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	SignatureAnnotation    = "dev.cosignproject.cosign/signature"
)

// VerifySimple checks a signature of cosign v2 (an item of the form
// SimpleSigning): that any key of groups made it, and that its payload names
// item.Subject. It says nothing but "signed", so no gate reads it; it matters for
// which referrers travel to prod. Format:
// https://github.com/containers/image/blob/main/docs/containers-signature.5.md
func VerifySimple(item Item, groups []config.Group, now time.Time) error {
	if item.Form != SimpleSigning {
		return fmt.Errorf("%w: no signature of cosign v2", ErrUnsigned)
	}
	sig, err := base64.StdEncoding.DecodeString(item.Signature)
	if err != nil || len(sig) == 0 {
		return fmt.Errorf("%w: no signature in the annotation %s", ErrUnsigned, SignatureAnnotation)
	}
	signed := message{raw: item.Raw}
	if !signedByAny(&signed, sig, groups, now) {
		return fmt.Errorf("%w: no trusted key made the signature", ErrWrongSigner)
	}
	var payload struct {
		Critical struct {
			Type  string `json:"type"`
			Image struct {
				Digest digest.Digest `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if err := Strict(item.Raw); err != nil {
		return err
	}
	if err := json.Unmarshal(item.Raw, &payload); err != nil || payload.Critical.Type != "cosign container image signature" {
		return fmt.Errorf("%w: the payload is no cosign signature", ErrMalformed)
	}
	if payload.Critical.Image.Digest != item.Subject || item.Subject == "" {
		return fmt.Errorf("%w: it is about %s", ErrWrongSubject, short(payload.Critical.Image.Digest.String()))
	}
	return nil
}

// signedByAny tells whether a key that counts now made the signature: the format has no time of its own.
func signedByAny(m *message, sig []byte, groups []config.Group, now time.Time) bool {
	for _, g := range groups {
		for _, member := range g.Members() {
			if member.Key.Counts(now) && m.madeBy(member.Key, sig) {
				return true
			}
		}
	}
	return false
}

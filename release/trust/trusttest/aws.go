package trusttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// KMS is AWS KMS with keys by id, alias or ARN (https://docs.aws.amazon.com/kms/latest/APIReference).
type KMS struct {
	Keys   map[string]crypto.Signer
	Denied bool // the caller has no right
}

// ServeHTTP answers GetPublicKey, DescribeKey and Sign.
func (k *KMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(kind, message string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
	}
	var ask struct {
		KeyID            string `json:"KeyId"`
		Message          []byte
		MessageType      string
		SigningAlgorithm string
	}
	body, _ := io.ReadAll(r.Body)
	signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIATEST/") && strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kms/")
	switch {
	case !signed:
		refuse("IncompleteSignatureException", "no signature")
	case json.Unmarshal(body, &ask) != nil || k.Keys[ask.KeyID] == nil:
		refuse("NotFoundException", "Key '"+ask.KeyID+"' does not exist")
	case k.Denied:
		refuse("AccessDeniedException", "User is not authorized to perform: kms:GetPublicKey")
	case r.Header.Get("X-Amz-Target") == "TrentService.GetPublicKey":
		der, _ := x509.MarshalPKIXPublicKey(k.Keys[ask.KeyID].Public())
		answer(w, 200, map[string]any{"KeyId": ask.KeyID, "PublicKey": der, "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": algorithms(k.Keys[ask.KeyID])})
	case r.Header.Get("X-Amz-Target") == "TrentService.DescribeKey":
		answer(w, 200, map[string]any{"KeyMetadata": map[string]any{"KeyId": ask.KeyID, "Enabled": true, "SigningAlgorithms": algorithms(k.Keys[ask.KeyID])}})
	case r.Header.Get("X-Amz-Target") == "TrentService.Sign" && ask.MessageType == "DIGEST" && ask.SigningAlgorithm == algorithms(k.Keys[ask.KeyID])[0]:
		hash := crypto.SHA256
		if len(ask.Message) == crypto.SHA384.Size() {
			hash = crypto.SHA384
		}
		sig, _ := k.Keys[ask.KeyID].Sign(rand.Reader, ask.Message, hash)
		answer(w, 200, map[string]any{"KeyId": ask.KeyID, "Signature": sig, "SigningAlgorithm": ask.SigningAlgorithm})
	default:
		refuse("ValidationException", r.Header.Get("X-Amz-Target"))
	}
}

func algorithms(key crypto.Signer) []string {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P384() {
			return []string{"ECDSA_SHA_384"}
		}
		return []string{"ECDSA_SHA_256"}
	default:
		return []string{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PSS_SHA_256"}
	}
}

package evidence_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// bareSignature is a layer of a .sig tag on d.
func bareSignature(t testing.TB, by evidence.Signer, d digest.Digest) evidence.Item {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"staging/app"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
	sig, err := by.Sign(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Item{Subject: d, Form: evidence.SimpleSigning, Raw: payload, Signature: base64.StdEncoding.EncodeToString(sig)}
}

func TestBareSignaturesOfCosign2AreCheckedButStateNothing(t *testing.T) {
	signer, group := newKey(t, "ci")
	_, strangers := newKey(t, "strangers")
	item := bareSignature(t, signer, image)
	if err := evidence.VerifySimple(item, []config.Group{strangers, group}, now); err != nil {
		t.Error(err)
	}
	moved, unsigned := item, item
	moved.Subject, unsigned.Signature = other, ""
	for _, c := range []struct {
		item  evidence.Item
		group config.Group
		want  error
	}{{item, strangers, evidence.ErrWrongSigner}, {moved, group, evidence.ErrWrongSubject}, {unsigned, group, evidence.ErrUnsigned}} {
		if err := evidence.VerifySimple(c.item, []config.Group{c.group}, now); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	if _, err := evidence.Verify(item, group, now); !errors.Is(err, evidence.ErrUnsupported) {
		t.Errorf("a bare signature gave %v", err)
	}
	group.Keys[0].NotAfter = now.Add(-time.Hour)
	if err := evidence.VerifySimple(item, []config.Group{group}, now); !errors.Is(err, evidence.ErrWrongSigner) {
		t.Errorf("an expired key gave %v", err)
	}
}

package trust_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/release/trust"
	"plimsoll/release/trust/trusttest"
	"plimsoll/store"
)

const (
	azureRef = "azurekms://" + vault + "/ci"
	alias    = "awskms:///alias/ci"
	arn      = "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// configuration trusts one person and one plain key by those references.
func configuration(person, key string) *config.Config {
	return &config.Config{Trust: map[string]config.Group{
		"qa": {Name: "qa", People: []config.Person{{ID: "lead@acme.example", Key: config.Key{Path: person}}}},
		"ci": {Name: "ci", Keys: []config.Key{{Path: key}}},
	}}
}

func openStore(t *testing.T) (*store.Store, trust.Options) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, trust.Options{Dir: dir, Trusted: true, Note: func(format string, args ...any) { t.Errorf("a note: "+format, args...) }}
}

func TestKeysOfKeyServicesArePinnedAtFirstUse(t *testing.T) {
	first, second := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	azure := &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{first}}
	amazon := &trusttest.KMS{Keys: map[string]crypto.Signer{"alias/ci": ecKey(t, elliptic.P384())}}
	host(t, vault, azure)
	host(t, awsk, amazon)
	st, o := openStore(t)
	cfg := configuration(azureRef, alias)

	done := trust.Complete(t.Context(), cfg, st, o)
	if k := done.Trust["qa"].People[0].Key; !k.Is(first.Public()) || k.Problem != "" || len(k.SPKI) == 0 || k.Path != azureRef {
		t.Fatalf("Azure gave %+v", k)
	}
	if k := done.Trust["ci"].Keys[0]; !k.Is(amazon.Keys["alias/ci"].Public()) {
		t.Fatalf("AWS gave %+v", k)
	}
	if cfg.Trust["ci"].Keys[0].Public != nil {
		t.Error("the configuration itself was changed")
	}

	// Rotated in the service, which nobody asks again by itself.
	azure.Versions = append(azure.Versions, second)
	host(t, vault, azure)
	done = trust.Complete(t.Context(), cfg, st, o)
	if k := done.Trust["qa"].People[0].Key; !k.Is(first.Public()) || requests(vault) != 0 {
		t.Errorf("a pinned key was asked for again (%d requests): %+v", requests(vault), k)
	}

	// A person asks, sees the change, and takes it.
	pins, err := trust.Ask(t.Context(), cfg, st)
	if err != nil || len(pins) != 2 || pins[0].Reference != alias || pins[0].Changed() || !pins[1].Changed() {
		t.Fatalf("asked again: %+v, %v", pins, err)
	}
	if err := pins[1].Accept(st); err != nil {
		t.Fatal(err)
	}
	if k := trust.Complete(t.Context(), cfg, st, o).Trust["qa"].People[0].Key; !k.Is(second.Public()) {
		t.Errorf("the accepted key is not used: %+v", k)
	}
	raw, err := os.ReadFile(st.Path())
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, string(raw))
}

func TestAReferenceWithAVersionIsThatVersion(t *testing.T) {
	first, second := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	host(t, vault, &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{first, second}})
	st, o := openStore(t)
	done := trust.Complete(t.Context(), configuration(azureRef+"/v1", azureRef), st, o)
	if !done.Trust["qa"].People[0].Key.Is(first.Public()) || !done.Trust["ci"].Keys[0].Is(second.Public()) {
		t.Error("the version of the reference does not decide")
	}
}

// unavailable is a reference that no key is had for.
type unavailable struct {
	azure     *trusttest.KeyVault
	reference string
	says      string
	untrusted bool
}

// patience is short where nobody answers: the SDK of Azure would ask again and again.
func (u unavailable) patience() time.Duration {
	if u.azure == nil && u.reference == azureRef {
		return 200 * time.Millisecond
	}
	return time.Minute
}

func TestAKeyThatCannotBeHadIsAProblemThatBlocks(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	signer, err := evidence.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	image := digest.FromString("image")
	statement, err := evidence.NewStatement(evidence.TestResult, "image", image, map[string]string{"result": "PASSED"})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Sign(t.Context(), signer, statement)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]unavailable{
		"no right":          {azure: &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{key}, Denied: true}, reference: azureRef, says: "Forbidden"},
		"no such key":       {azure: &trusttest.KeyVault{Name: "other", Versions: []crypto.Signer{key}}, reference: azureRef, says: "KeyNotFound"},
		"a weak key":        {azure: &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{rsaKey(t, 1024)}}, reference: azureRef, says: "too weak"},
		"nobody there":      {reference: azureRef, says: "Azure Key Vault"},
		"no AWS key":        {reference: alias, says: "AWS KMS"},
		"a strange service": {reference: "gcpkms://projects/x", says: "no key service"},
		"a wrong reference": {reference: "awskms:///nonsense", says: "is no reference of AWS KMS"},
		"not trusted yet":   {azure: &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{key}}, reference: azureRef, untrusted: true, says: "plimsoll trust"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.azure != nil {
				host(t, vault, c.azure)
			}
			st, o := openStore(t)
			o.Trusted = !c.untrusted
			ctx, cancel := context.WithTimeout(t.Context(), c.patience())
			defer cancel()
			group := trust.Complete(ctx, configuration(c.reference, c.reference), st, o).Trust["ci"]
			if k := group.Keys[0]; k.Public != nil || !strings.Contains(k.Problem, c.says) {
				t.Fatalf("got %+v, want a problem with %q", k, c.says)
			}
			noCanary(t, group.Keys[0].Problem)
			_, err := evidence.Verify(evidence.Item{Form: evidence.Bundle, Raw: bundle}, group, time.Now())
			if err == nil || !strings.Contains(err.Error(), evidence.ErrUnreadable.Error()) {
				t.Errorf("evidence that the key may have signed gave %v", err)
			}
			if c.untrusted && requests(vault)+requests(login) > 0 {
				t.Error("somebody was asked for a configuration that nobody trusts")
			}
		})
	}
}

func TestKeyServicesSignWhatOurGatesVerify(t *testing.T) {
	for name, c := range map[string]struct {
		key crypto.Signer
		ref string
	}{
		"Azure P-256":    {ecKey(t, elliptic.P256()), azureRef},
		"Azure P-384":    {ecKey(t, elliptic.P384()), azureRef + "/v1"},
		"Azure RSA 2048": {rsaKey(t, 2048), azureRef},
		"Azure RSA 3072": {rsaKey(t, 3072), azureRef},
		"AWS P-256":      {ecKey(t, elliptic.P256()), alias},
		"AWS P-384":      {ecKey(t, elliptic.P384()), arn},
		"AWS RSA 2048":   {rsaKey(t, 2048), arn},
	} {
		t.Run(name, func(t *testing.T) {
			host(t, vault, &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{c.key}})
			host(t, awsk, &trusttest.KMS{Keys: map[string]crypto.Signer{strings.TrimPrefix(c.ref, "awskms:///"): c.key}})
			signer, err := trust.OpenSigner(t.Context(), c.ref)
			if err != nil {
				t.Fatal(err)
			}
			image := digest.FromString("image")
			statement, err := evidence.NewStatement(evidence.SignOff, "image", image, evidence.SignOffPredicate{Decision: evidence.Approved})
			if err != nil {
				t.Fatal(err)
			}
			bundle, err := evidence.Sign(t.Context(), signer, statement)
			if err != nil {
				t.Fatal(err)
			}
			st, o := openStore(t)
			group := trust.Complete(t.Context(), configuration(c.ref, c.ref), st, o).Trust["qa"]
			v, err := evidence.Verify(evidence.Item{Form: evidence.Bundle, Raw: bundle}, group, time.Now())
			if err != nil || v.Person != "lead@acme.example" || !v.About(image) {
				t.Errorf("got %+v, %v", v, err)
			}
			if hint, _ := evidence.HintOf(c.key.Public()); signer.Hint() != hint {
				t.Error("another hint than cosign's")
			}
		})
	}
}

func TestAKeyServiceThatSignsWithAnotherKeyIsFound(t *testing.T) {
	host(t, vault, &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())}, Wrong: true})
	signer, err := trust.OpenSigner(t.Context(), azureRef)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(t.Context(), []byte("x")); err == nil || !strings.Contains(err.Error(), "not by the public key") {
		t.Errorf("got %v", err)
	}
}

func TestASignatureThatIsRefusedSaysWhyAndNoSecret(t *testing.T) {
	azure := &trusttest.KeyVault{Name: "ci", Versions: []crypto.Signer{ecKey(t, elliptic.P256())}}
	amazon := &trusttest.KMS{Keys: map[string]crypto.Signer{"alias/ci": ecKey(t, elliptic.P256())}}
	host(t, vault, azure)
	host(t, awsk, amazon)
	for ref, says := range map[string]string{azureRef: "Forbidden", alias: "AccessDenied"} {
		azure.Denied, amazon.Denied = false, false
		signer, err := trust.OpenSigner(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		azure.Denied = true
		amazon.Denied = true
		_, err = signer.Sign(t.Context(), []byte("x"))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s gave %v", ref, err)
			continue
		}
		noCanary(t, err.Error())
	}
}

package trust

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

// Remote tells whether ref names a key in a key service, not a file.
func Remote(ref string) bool { return strings.Contains(ref, "://") }

// service is a key service that holds keys by reference.
type service struct {
	name, form, login string
	open              func(ctx context.Context, ref string) (kms.SignerVerifier, error)
	valid             func(ref string) error
	secrets           []string // environment variables that may never be shown
}

var services = map[string]service{
	azure.ReferenceScheme: {
		name: "Azure Key Vault", form: "azurekms://VAULT.vault.azure.net/KEY, with /VERSION behind it to fix the version", login: "sign in (az login)",
		valid:   azure.ValidReference,
		secrets: []string{"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD"},
		open: func(ctx context.Context, ref string) (kms.SignerVerifier, error) {
			return azure.LoadSignerVerifier(ctx, ref)
		},
	},
	aws.ReferenceScheme: {
		name: "AWS KMS", form: "awskms:///ARN or awskms:///alias/NAME", login: "sign in (aws sso login)",
		valid:   aws.ValidReference,
		secrets: []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
		open: func(ctx context.Context, ref string) (kms.SignerVerifier, error) {
			return aws.LoadSignerVerifier(ctx, ref)
		},
	},
}

// held is a key that a service holds.
type held struct {
	ref    string
	in     service
	key    kms.SignerVerifier
	public crypto.PublicKey
}

// find opens the key of a reference and asks for its public half.
func find(ctx context.Context, ref string) (held, error) {
	scheme, _, _ := strings.Cut(ref, "://")
	s, ok := services[scheme+"://"]
	if !ok {
		return held{}, fault.New(fault.Usage, "use a file, azurekms:// or awskms://", nil, "no key service is known for %s", clean.Text(ref))
	}
	if s.valid(ref) != nil {
		return held{}, fault.New(fault.Usage, "write "+s.form, nil, "%s is no reference of %s", clean.Text(ref), s.name)
	}
	for _, name := range s.secrets {
		clean.Secret(os.Getenv(name))
	}
	var key kms.SignerVerifier
	var public crypto.PublicKey
	err := guarded(func() (err error) {
		if key, err = s.open(ctx, ref); err == nil {
			public, err = key.PublicKey(options.WithContext(ctx))
		}
		return err //nolint:wrapcheck // refused says what was tried
	})
	if err != nil {
		return held{}, s.refused(ctx, "ask for the public key of", ref, err)
	}
	if err := evidence.Usable(public); err != nil {
		return held{}, fault.New(fault.Usage, "make a key of EC P-256 or P-384, or RSA, for signing", err, "use %s of %s", clean.Text(ref), s.name)
	}
	return held{ref: ref, in: s, key: key, public: public}, nil
}

// guarded runs a step in an SDK: some of them trust that whoever answers is the
// service, and panic if it is a hotel's login page.
func guarded(step func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the answer is none of the key service's: %v", r)
		}
	}()
	return step()
}

// refused says what a key service did not do.
func (s service) refused(ctx context.Context, what, ref string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	text := errors.New(clean.Text(plain(err)))
	return fault.New(fault.Failed, s.login+", check the name of the key and your right to use it", text, "%s %s in %s", what, clean.Text(ref), s.name)
}

// plain is an error of an SDK in one line: Azure's draws rulers between the parts of an answer.
func plain(err error) string {
	words := slices.DeleteFunc(strings.Fields(err.Error()), func(w string) bool { return strings.Trim(w, "-") == "" })
	return strings.Join(words, " ")
}

// fetch asks for the public key of a reference, in PEM.
func fetch(ctx context.Context, ref string) ([]byte, error) {
	h, err := find(ctx, ref)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(h.public)
	if err != nil {
		return nil, fault.New(fault.Failed, "", err, "write the public key of %s", clean.Text(ref))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

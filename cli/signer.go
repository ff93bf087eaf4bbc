package cli

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/release/trust"
)

// openSigner opens the person's key, once per run: a file, whose password comes
// from the environment or from a prompt and is not kept, or a key of a key service,
// which is asked with the person's own login. Only what writes opens it, and an
// untrusted configuration writes nothing.
func (s *session) openSigner(ctx context.Context) (evidence.Signer, error) {
	if s.signer != nil {
		return s.signer, nil
	}
	cfg, err := s.loadConfig()
	if err != nil {
		return nil, err
	}
	path := cfg.Signing.Key
	switch {
	case path == "":
		return nil, fault.New(fault.Usage, "make one with plimsoll key generate and name it in "+personalPath()+" as signing: {key: FILE}", nil,
			"no signing key is configured")
	case trust.Remote(path):
		s.signer, err = trust.OpenSigner(ctx, path)
		return s.signer, err
	}
	pem, err := os.ReadFile(path) //nolint:gosec // the path is the person's own configuration
	if err != nil {
		return nil, keyError(path, err)
	}
	if !strings.Contains(string(pem), "ENCRYPTED") {
		s.signer, err = evidence.OpenKey(pem, nil)
		return s.signer, err
	}
	password, err := s.keyPassword(ctx, "Password of "+filepath.Base(path)+": ")
	if err != nil {
		return nil, err
	}
	s.signer, err = evidence.OpenKey(pem, password)
	debug.FreeOSMemory() // scrypt took 64 MiB; a copy or a console that follows must not keep it
	return s.signer, err
}

func keyError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Usage, "make one with plimsoll key generate, or correct signing.key", nil, "signing key %s is not there", path)
	}
	return fault.New(fault.Usage, "make it readable for you", err, "read the signing key %s", path)
}

// keyPassword takes the password of a key from the environment, else asks.
func (s *session) keyPassword(ctx context.Context, prompt string) ([]byte, error) {
	for _, name := range []string{"PLIMSOLL_KEY_PASSWORD", "COSIGN_PASSWORD"} {
		if v, ok := s.io.Env(name); ok {
			clean.Secret(v)
			return []byte(v), nil
		}
	}
	if s.ask == nil {
		return nil, fault.New(fault.Usage, "set $PLIMSOLL_KEY_PASSWORD, or run it on a terminal", nil, "the signing key has a password and nobody can be asked for it")
	}
	password, err := s.ask(ctx, prompt)
	if err != nil {
		return nil, fault.New(fault.Failed, "", err, "ask for the password of the signing key")
	}
	clean.Secret(string(password))
	return password, nil
}

// personalPath is where a person's own configuration belongs, whether it is there or not.
func personalPath() string { return filepath.Join(config.UserDir(), config.PersonalName) }

// ownKey is the public key that belongs to signing.key, without a password and
// without a network: of a key without a password, of the .pub file that key
// generate writes beside it, of the same key in trust. Nil if none of them tells.
func ownKey(cfg *config.Config) crypto.PublicKey {
	path := cfg.Signing.Key
	if path == "" {
		return nil
	}
	if !trust.Remote(path) {
		return publicBeside(path)
	}
	for _, g := range cfg.Trust {
		for _, m := range g.Members() {
			if m.Key.Path == path && m.Key.Public != nil {
				return m.Key.Public
			}
		}
	}
	return nil
}

func publicBeside(path string) crypto.PublicKey {
	private, err := os.ReadFile(path) //nolint:gosec // the path is the person's own configuration
	if err != nil {
		return nil
	}
	if !strings.Contains(string(private), "ENCRYPTED") {
		if signer, err := evidence.OpenKey(private, nil); err == nil {
			return signer.Public()
		}
		return nil
	}
	public, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".pub") //nolint:gosec // beside it
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(public)
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	return key
}

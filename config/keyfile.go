package config

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The most bytes of a public key, of a file with certificates, of a root of trust,
// of a script beside the configuration, and of all scripts.
const (
	maxKeyFile  = 64 << 10
	maxCAFile   = 1 << 20
	maxRootFile = 1 << 20
	maxProgram  = 4 << 20
	maxPrograms = 32 << 20
)

// leastRSA is the least size of an RSA key in bits (NIST SP 800-57 part 1).
const leastRSA = 2048

// readFile reads a small regular file: a device or a pipe that a found file
// names would give bytes for ever, or never.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path) //nolint:gosec // the configuration names it; only public keys and certificates are kept
	if err != nil {
		return nil, errors.New(cause(err))
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, errors.New(cause(err))
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return raw, nil
}

// resolve is the file that a path in a configuration file in dir means.
func resolve(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}

// keyError says why a file is no public key, and what would be one. It never
// quotes the file: it may be a private key.
type keyError struct{ why, hint string }

// Error says why.
func (e *keyError) Error() string { return e.why }

// parseKey reads one public key as cosign writes it: PEM, SubjectPublicKeyInfo
// (RFC 5280 section 4.1).
func parseKey(raw []byte) (public crypto.PublicKey, spki []byte, err error) {
	block, rest := pem.Decode(raw)
	if block == nil {
		return nil, nil, &keyError{"it holds no PEM block", "name the .pub file that plimsoll key generate or cosign generate-key-pair wrote"}
	}
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, nil, &keyError{"it is a private key", "name the public key, the .pub file next to it; a private key belongs to its owner alone"}
	case block.Type == "CERTIFICATE":
		return nil, nil, &keyError{"it is a certificate", "extract its key: openssl x509 -in FILE -pubkey -noout"}
	case block.Type != "PUBLIC KEY":
		return nil, nil, &keyError{"it is no public key but " + block.Type, "write it as PUBLIC KEY, for example with openssl pkey -pubin -in FILE -pubout"}
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, nil, &keyError{"there is more in it than one key", "keep one key in each file and list the files"}
	}
	public, err = x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, &keyError{"its public key cannot be read", "write it again, for example with cosign public-key --key FILE"}
	}
	if why := unsupported(public); why != "" {
		return nil, nil, &keyError{why, "use ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits; plimsoll key generate makes one"}
	}
	spki, err = x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, nil, &keyError{"its public key cannot be written", "use another key"}
	}
	return public, spki, nil
}

// unsupported says why evidence is not verified with a key of that kind, "" if it is.
func unsupported(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return "its curve " + k.Curve.Params().Name + " is not supported"
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < leastRSA || bits > 4*leastRSA {
			return fmt.Sprintf("its RSA key has %d bits", bits)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Sprintf("keys of the kind %T are not supported", public)
	}
	return ""
}

// checkCertificates tells whether there is at least one certificate and nothing else in raw.
func checkCertificates(raw []byte) error {
	count := 0
	for rest := raw; len(bytes.TrimSpace(rest)) > 0; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return errors.New("it holds no PEM block")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it holds a %s, not only certificates", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return errors.New("a certificate in it cannot be read")
		}
	}
	if count == 0 {
		return errors.New("it is empty")
	}
	return nil
}

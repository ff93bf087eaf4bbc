package evidence

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	sigbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"plimsoll/config"
	"plimsoll/config/clean"
)

// maxIdentity is the longest name of a certificate that is compared, in bytes.
const maxIdentity = 2048

// claim is what the certificate of a bundle says, not verified.
type claim struct {
	identity string // the subject alternative name
	issuer   string // of the identity: who Fulcio asked
	from, to time.Time
	dated    bool // the bundle has a log entry or a timestamp
	err      error
}

// vouching is what came of checking a bundle against a trusted root.
type vouching struct {
	at  time.Time // the earliest verified log or timestamp entry
	err error
}

// What bundles claim, by their bytes, and what came of them, by root and bytes:
// some 400 bytes each. One check costs about a millisecond.
var (
	claims    = newMemo[claim](10_000)
	vouchings = newMemo[vouching](10_000)
)

// verifyCertificate looks for the workflow of group that the certificate names,
// and proves that the certificate is one: only a bundle that claims to be of a
// member is checked at all, and its statement is parsed after that.
func (e *Envelope) verifyCertificate(group config.Group) (Verified, error) {
	if len(group.Workflow) == 0 {
		return Verified{}, fmt.Errorf("%w: signed with a certificate (keyless), and the members of %s are keys", ErrWrongSigner, group.Name)
	}
	sum := sha256.Sum256(e.item.Raw)
	if e.claim == nil {
		c := claims.ask(sum, func() claim { return e.readClaim() })
		e.claim = &c
	}
	if err := e.claim.of(group); err != nil {
		return Verified{}, err
	}
	if len(group.Root) == 0 {
		return Verified{}, fmt.Errorf("%w: the trusted root that the workflows of %s are checked against is not known: %s",
			ErrUnreadable, group.Name, cmp.Or(clean.Text(group.RootProblem), "nobody fetched it"))
	}
	trusted, rootSum := trustedRoot(group.Root)
	if trusted.err != nil {
		return Verified{}, fmt.Errorf("%w: the trusted root of %s: %w", ErrUnreadable, group.Name, trusted.err)
	}
	v := vouchings.ask(question(rootSum[:], sum[:]), func() vouching { return e.check(trusted) })
	if v.err != nil {
		return Verified{}, v.err
	}
	statement, err := e.statement()
	if err != nil {
		return Verified{}, err
	}
	return Verified{Item: e.item, Statement: statement, Identity: e.claim.identity, Group: group.Name, Logged: v.at}, nil
}

// of tells whether the claim is that of a workflow of group.
func (c *claim) of(group config.Group) error {
	if c.err != nil {
		return c.err
	}
	for _, w := range group.Workflow {
		if is(w, c.issuer, c.identity) {
			return nil
		}
	}
	return fmt.Errorf("%w: its certificate names %s (issuer %s), which is no workflow of %s",
		ErrWrongSigner, clean.Text(c.identity), clean.Text(c.issuer), group.Name)
}

// is compares issuer and identity whole; a pattern is anchored by the configuration.
func is(w config.Workflow, issuer, identity string) bool {
	switch {
	case w.Issuer == "" || issuer != w.Issuer || identity == "":
		return false
	case w.Pattern != nil:
		return w.Pattern.FindString(identity) == identity
	}
	return identity == w.Identity
}

// guarded runs a step over bytes from outside in code that is not ours: a panic
// in it must cost one piece of evidence, not the console.
func guarded(step func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the bundle cannot be read: %s", ErrUnsupported, clean.Text(fmt.Sprint(r)))
		}
	}()
	return step()
}

// readClaim reads the certificate of the bundle.
func (e *Envelope) readClaim() (c claim) {
	c.err = guarded(func() error {
		entity, leaf, err := e.entity()
		if err != nil {
			return err
		}
		said, err := certificate.SummarizeCertificate(leaf)
		if err != nil {
			return fmt.Errorf("%w: its certificate: %s", ErrUnsupported, clean.Text(err.Error()))
		}
		if names := len(leaf.URIs) + len(leaf.EmailAddresses) + len(leaf.DNSNames) + len(leaf.IPAddresses); names > 1 {
			return fmt.Errorf("%w: its certificate has %d names, exactly one is read", ErrUnsupported, names)
		}
		if len(said.SubjectAlternativeName) > maxIdentity || len(said.Issuer) > maxIdentity {
			return fmt.Errorf("%w: its certificate has a name of more than %d bytes", ErrUnsupported, maxIdentity)
		}
		material := entity.GetVerificationMaterial()
		c.identity, c.issuer, c.from, c.to = said.SubjectAlternativeName, said.Issuer, leaf.NotBefore, leaf.NotAfter
		c.dated = len(material.GetTlogEntries())+len(material.GetTimestampVerificationData().GetRfc3161Timestamps()) > 0
		return nil
	})
	return c
}

// entity is the bundle as sigstore-go reads it. What it reads must be what was
// read here: two readers of one document are how a signature for one thing is
// passed off as another's.
func (e *Envelope) entity() (*sigbundle.Bundle, *x509.Certificate, error) {
	var b sigbundle.Bundle
	if err := b.UnmarshalJSON(e.item.Raw); err != nil {
		return nil, nil, fmt.Errorf("%w: the bundle: %s", ErrUnsupported, clean.Text(err.Error()))
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the certificate of the bundle: %s", ErrUnsupported, clean.Text(err.Error()))
	}
	if content.Certificate() == nil {
		return nil, nil, fmt.Errorf("%w: the bundle has no certificate", ErrUnsupported)
	}
	read := b.GetDsseEnvelope()
	if read.GetPayloadType() != PayloadType || !bytes.Equal(read.GetPayload(), e.payload) ||
		len(read.GetSignatures()) != 1 || !bytes.Equal(read.GetSignatures()[0].GetSig(), e.sig) {
		return nil, nil, fmt.Errorf("%w: the envelope of the bundle can be read in two ways", ErrUnsupported)
	}
	return &b, content.Certificate(), nil
}

// check proves with a trusted root that the certificate is genuine and made the
// signature while it was valid. It needs no network and no clock: the times are
// those of the log or the timestamp authority.
func (e *Envelope) check(trusted *anchors) (v vouching) {
	v.err = guarded(func() error {
		entity, leaf, err := e.entity()
		if err != nil {
			return err
		}
		if !e.signed.signedBy(leaf.PublicKey, e.sig) {
			return fmt.Errorf("%w: the key of its certificate did not make its signature", ErrWrongSigner)
		}
		if !e.claim.dated {
			return fmt.Errorf("%w: its certificate was good from %s to %s, and neither a log entry nor a timestamp proves that it signed then",
				ErrExpiredKey, stamp(e.claim.from), stamp(e.claim.to))
		}
		v.at, err = trusted.verify(entity, e.claim)
		return err
	})
	return v
}

// verify asks sigstore-go: log entries and timestamps, the path to the root, and
// the certificate's own log where the root has one. If the bundle names a log
// entry, one must be good; else a timestamp must be.
func (m *anchors) verify(entity *sigbundle.Bundle, said *claim) (time.Time, error) {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if len(entity.GetVerificationMaterial().GetTlogEntries()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(m.root.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(m.root, options...)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	// Issuer and identity are compared by claim.of, for each group; subjects by the gate.
	result, err := verifier.Verify(entity, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: its certificate does not hold: %s", ErrWrongSigner, clean.Text(err.Error()))
	}
	signer := result.Signature.Certificate
	if signer == nil || signer.SubjectAlternativeName != said.identity || signer.Issuer != said.issuer || len(result.VerifiedTimestamps) == 0 {
		return time.Time{}, fmt.Errorf("%w: its certificate can be read in two ways", ErrUnsupported)
	}
	at := result.VerifiedTimestamps[0].Timestamp
	for _, t := range result.VerifiedTimestamps {
		if t.Timestamp.Before(at) {
			at = t.Timestamp
		}
	}
	return at.UTC(), nil
}

// anchors are a trusted root: the certificate authorities and the logs.
type anchors struct {
	root *root.TrustedRoot
	err  error
}

// roots remembers parsed roots: a configuration has one, a renewal brings another.
var roots = newMemo[*anchors](8)

// trustedRoot parses a trusted_root.json once, and names it.
func trustedRoot(raw []byte) (*anchors, [sha256.Size]byte) {
	sum := sha256.Sum256(raw)
	return roots.ask(sum, func() *anchors {
		m := &anchors{}
		m.err = guarded(func() (err error) {
			m.root, err = root.NewTrustedRootFromJSON(raw)
			return err //nolint:wrapcheck // the callers say what was read
		})
		if m.err == nil && len(m.root.FulcioCertificateAuthorities()) == 0 {
			m.err = errors.New("it names no certificate authority")
		}
		return m
	}), sum
}

// CheckRoot tells whether raw is a trusted_root.json that keyless signatures can
// be checked against.
func CheckRoot(raw []byte) error {
	m, _ := trustedRoot(raw)
	return m.err
}

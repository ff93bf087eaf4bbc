package sigstoretest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// Sigstore is one instance: everything that a trusted root describes.
type Sigstore struct {
	virtual      *ca.VirtualSigstore
	root         *x509.Certificate
	intermediate *x509.Certificate
	key          *ecdsa.PrivateKey // of the intermediate
}

// New starts an instance with fresh keys. Its authorities are valid for some hours around now.
func New(t testing.TB) *Sigstore {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	must(t, err)
	top, topKey, err := ca.GenerateRootCa()
	must(t, err)
	intermediate, key, err := ca.GenerateFulcioIntermediate(top, topKey)
	must(t, err)
	return &Sigstore{virtual: virtual, root: top, intermediate: intermediate, key: key}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Root is the instance's trusted_root.json.
func (s *Sigstore) Root(t testing.TB) []byte { return s.rootWith(t, nil) }

// RootWithCTLog is a root that asks for an SCT in every certificate.
func (s *Sigstore) RootWithCTLog(t testing.TB) []byte {
	logs := map[string]*root.TransparencyLog{}
	for id, l := range s.virtual.CTLogs() {
		logs[id] = named(t, id, l)
	}
	return s.rootWith(t, logs)
}

func (s *Sigstore) rootWith(t testing.TB, ct map[string]*root.TransparencyLog) []byte {
	t.Helper()
	logs := map[string]*root.TransparencyLog{}
	for id, l := range s.virtual.RekorLogs() {
		logs[id] = named(t, id, l)
	}
	authority := &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.intermediate},
		ValidityPeriodStart: time.Now().Add(-5 * time.Hour), ValidityPeriodEnd: time.Now().Add(time.Hour), URI: "https://fulcio.example",
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, ct, s.virtual.TimestampingAuthorities(), logs)
	must(t, err)
	raw, err := r.MarshalJSON()
	must(t, err)
	return raw
}

// named gives a log the id that a trusted_root.json has: bytes, not their hex digits.
func named(t testing.TB, id string, l *root.TransparencyLog) *root.TransparencyLog {
	t.Helper()
	raw, err := hex.DecodeString(id)
	must(t, err)
	l.ID = raw
	return l
}

// Group is a signer group of one workflow of this instance.
func (s *Sigstore) Group(t testing.TB, name, issuer, identity string) config.Group {
	return config.Group{Name: name, Workflow: []config.Workflow{{Issuer: issuer, Identity: identity}}, Root: s.Root(t)}
}

// Signing says who signs and what vouches for when. The zero values are those
// of what GitHub and cosign do: a log entry of now, no timestamp.
type Signing struct {
	Issuer, Identity string
	Version          string    // of the bundle: 0.1, 0.2, 0.3 (the default)
	At               time.Time // of the log entry; zero: now
	NoLog            bool
	Timestamp        bool // by the timestamp authority, of now
}

// Bundle signs a statement with a certificate for a workflow.
func (s *Sigstore) Bundle(t testing.TB, how Signing, statement []byte) []byte {
	t.Helper()
	leaf, key := s.leaf(t, how)
	signer, err := evidence.NewSigner(key)
	must(t, err)
	sig, err := signer.Sign(context.Background(), dsse.PAE(evidence.PayloadType, statement))
	must(t, err)
	b := &protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: statement, PayloadType: evidence.PayloadType, Signatures: []*protodsse.Signature{{Sig: sig}},
		}},
	}
	if how.Version == "0.1" || how.Version == "0.2" {
		b.MediaType = "application/vnd.dev.sigstore.bundle+json;version=" + how.Version
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: leaf.Raw}, {RawBytes: s.intermediate.Raw}},
		}}
	}
	if !how.NoLog {
		b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{s.logged(t, how, leaf, statement, sig)}
	}
	if how.Timestamp {
		stamp, err := s.virtual.TimestampResponse(sig)
		must(t, err)
		b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
		}
	}
	raw, err := protojson.Marshal(b)
	must(t, err)
	return raw
}

// leaf is a certificate as Fulcio gives it to a workflow: its URL as the only
// name, who said so in the extensions, good for ten minutes
// (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md).
func (s *Sigstore) leaf(t testing.TB, how Signing) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	issuer, err := asn1.MarshalWithParams(how.Issuer, "utf8")
	must(t, err)
	from := time.Now().Add(-time.Minute)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: from, NotAfter: from.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(how.Issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer},
		},
	}
	if u, err := url.Parse(how.Identity); err == nil && u.IsAbs() {
		template.URIs = []*url.URL{u}
	} else {
		template.EmailAddresses = []string{how.Identity}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.intermediate, &key.PublicKey, s.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

// logged enters the signature in the log, as Rekor does.
func (s *Sigstore) logged(t testing.TB, how Signing, leaf *x509.Certificate, statement, sig []byte) *protorekor.TransparencyLogEntry {
	t.Helper()
	at := how.At
	if at.IsZero() {
		at = time.Now()
	}
	envelope := &dsse.Envelope{
		Payload: base64.StdEncoding.EncodeToString(statement), PayloadType: evidence.PayloadType,
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	}
	entry, err := s.virtual.GenerateTlogEntry(leaf, envelope, sig, at.Unix(), true)
	must(t, err)
	e := entry.TransparencyLogEntry()
	e.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	id, err := s.virtual.RekorLogID()
	must(t, err)
	promise, err := s.virtual.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), IntegratedTime: at.Unix(), LogIndex: e.GetLogIndex(), LogID: id,
	})
	must(t, err)
	e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return e
}

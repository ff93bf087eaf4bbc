package gates

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"plimsoll/config"
)

// ErrDocument is in the chain of every error about a policy document.
var ErrDocument = errors.New("no policy document of this version")

// maxDocument bounds a document that somebody else wrote.
const maxDocument = 1 << 20

// Document is the canonical JSON (RFC 8785) that Digest covers: keys as their
// bytes, rules with their defaults, no credential. ParseDocument reads it back.
func (p Policy) Document() []byte {
	raw, err := json.Marshal(p.effective())
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		panic("gates: a policy of strings, numbers and lists cannot be encoded: " + err.Error())
	}
	return raw
}

// ParseDocument reads what Document wrote into a policy that can judge evidence
// again: its Digest is that of raw. What the digest does not cover (where a key
// lies, credentials and time limits of sources, messages of custom gates) is
// not in it. Keyless groups have a root only if the document holds one; see WithRoot.
// The error has ErrDocument in its chain; a document that would not come out the
// same again, with a rule that this version does not know say, is one.
func ParseDocument(raw []byte) (Policy, error) {
	if len(raw) > maxDocument {
		return Policy{}, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrDocument, len(raw), maxDocument)
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	p, err := d.policy()
	if err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if !bytes.Equal(p.Document(), raw) {
		return Policy{}, fmt.Errorf("%w: it holds something that this version would not write", ErrDocument)
	}
	return p, nil
}

// WithRoot gives the keyless groups that have no root one: of a root that is
// renewed, the document only says where it comes from.
func (p Policy) WithRoot(raw []byte, problem string) Policy {
	p.Trust = maps.Clone(p.Trust)
	for name, g := range p.Trust {
		if len(g.Workflow) > 0 && g.Root == nil {
			g.Root, g.RootProblem = raw, problem
			p.Trust[name] = g
		}
	}
	return p
}

// Unknown are the keys of the groups that the service names whose bytes are not
// known here. Where they are, the policy has another digest.
func (p Policy) Unknown() []config.Key {
	var unknown []config.Key
	for _, name := range p.named() {
		for _, m := range p.Trust[name].Members() {
			if m.Key.Public == nil && m.Key.SPKI == nil {
				unknown = append(unknown, m.Key)
			}
		}
	}
	return unknown
}

// Asked are the signer groups that a gate takes evidence from, none for a gate
// that takes none or that the policy does not have.
func (p Policy) Asked(gate string) []config.Group {
	return slices.DeleteFunc(Groups(p), func(g config.Group) bool { return !slices.Contains(p.signersOf(gate), g.Name) })
}

func (p Policy) signersOf(gate string) []string {
	switch g := p.Service.Gates; {
	case gate == E2E && g.E2E != nil:
		return g.E2E.Signers
	case gate == Scan && g.Scan != nil:
		return slices.Concat(g.Scan.Signers, g.Scan.VEX)
	case gate == BaseImage && g.BaseImage != nil:
		return g.BaseImage.Signers
	case gate == Provenance && g.Provenance != nil:
		return g.Provenance.Signers
	case gate == SignOff && g.SignOff != nil:
		return g.SignOff.Signers
	case gate == Soak && g.Soak != nil:
		return g.Soak.Signers
	}
	return nil
}

// document is the form of effective, as it is read.
type document struct {
	Version    int                        `json:"version"`
	Service    string                     `json:"service"`
	Staging    string                     `json:"staging"`
	Prod       string                     `json:"prod"`
	Ledger     string                     `json:"ledger"`
	Channel    string                     `json:"channel"`
	Platforms  []string                   `json:"platforms"`
	Candidates *string                    `json:"candidates"`
	Gates      map[string]json.RawMessage `json:"gates"`
	Records    []string                   `json:"records"`
	Trust      map[string][]member        `json:"trust"`
	Overrides  []config.Override          `json:"overrides"`
	Sources    map[string]sourceDocument  `json:"sources"`
	Root       *rootDocument              `json:"trust-root"`
}

type member struct {
	ID        string  `json:"id"`
	SPKI      *string `json:"spki"` // of a key; nil: a keyless member
	NotBefore string  `json:"not-before"`
	NotAfter  string  `json:"not-after"`
	Issuer    string  `json:"issuer"`
	Identity  string  `json:"identity"`
	Pattern   *string `json:"identity-pattern"`
}

type rootDocument struct {
	File *[]byte `json:"file"`
	TUF  string  `json:"tuf"`
	Init []byte  `json:"init"`
}

func (d document) policy() (Policy, error) {
	if d.Version != documentVersion {
		return Policy{}, fmt.Errorf("it is of version %d, not %d", d.Version, documentVersion)
	}
	p := Policy{Service: config.Service{
		Name: d.Service, Staging: d.Staging, Prod: d.Prod, Ledger: d.Ledger, Channel: d.Channel,
		Platforms: d.Platforms, Records: d.Records, Overrides: d.Overrides,
	}, Trust: make(map[string]config.Group, len(d.Trust)), Sources: map[string]config.Source{}}
	if d.Ledger == "" {
		p.Service.Ledger = d.Prod + ledgerSuffix
	}
	var err error
	if d.Candidates != nil {
		if p.Service.Tags, err = regexp.Compile(*d.Candidates); err != nil {
			return Policy{}, fmt.Errorf("candidates: %w", err)
		}
	}
	if p.Service.Gates, err = rules(d.Gates); err != nil {
		return Policy{}, err
	}
	for name, s := range d.Sources {
		p.Sources[name] = s.source(name)
	}
	if d.Root != nil {
		p.Root = d.Root.root()
	}
	for name, members := range d.Trust {
		if p.Trust[name], err = groupOf(name, members, p.Root.Raw); err != nil {
			return Policy{}, fmt.Errorf("trust %s: %w", name, err)
		}
	}
	return p, nil
}

func (r rootDocument) root() config.TrustRoot {
	if r.File != nil {
		return config.TrustRoot{File: "the trusted root in the policy", Raw: *r.File}
	}
	return config.TrustRoot{TUF: r.TUF, Init: r.Init}
}

func groupOf(name string, members []member, root []byte) (config.Group, error) {
	g := config.Group{Name: name}
	for _, m := range members {
		if m.SPKI == nil {
			w := config.Workflow{Issuer: m.Issuer, Identity: m.Identity}
			if m.Pattern != nil {
				pattern, err := regexp.Compile(*m.Pattern)
				if err != nil {
					return config.Group{}, err //nolint:wrapcheck // it names the pattern
				}
				w.Pattern = pattern
			}
			g.Workflow, g.Root = append(g.Workflow, w), root
			continue
		}
		k, err := m.key()
		if err != nil {
			return config.Group{}, err
		}
		if m.ID == "" {
			g.Keys = append(g.Keys, k)
		} else {
			g.People = append(g.People, config.Person{ID: m.ID, Key: k})
		}
	}
	return g, nil
}

// key is a member's public key. One that was not known when the document was
// written stays unknown, so that what it may have signed is unreadable.
func (m member) key() (k config.Key, err error) {
	k.Path = "a key of the policy document"
	if k.NotBefore, err = moments(m.NotBefore); err != nil {
		return config.Key{}, err
	}
	if k.NotAfter, err = moments(m.NotAfter); err != nil {
		return config.Key{}, err
	}
	if *m.SPKI == "" {
		k.Problem = "the key was not known when the policy was written down"
		return k, nil
	}
	if k.SPKI, err = hex.DecodeString(*m.SPKI); err != nil {
		return config.Key{}, fmt.Errorf("spki: %w", err)
	}
	if k.Public, err = x509.ParsePKIXPublicKey(k.SPKI); err != nil {
		return config.Key{}, fmt.Errorf("spki: %w", err)
	}
	k.PEM = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.SPKI})
	return k, nil
}

// moments is the time that when wrote.
func moments(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text) //nolint:wrapcheck // it names the text
}

// period is the duration that seconds wrote; one that does not fit does not come out the same again.
func period(n int64) time.Duration { return time.Duration(n) * time.Second }

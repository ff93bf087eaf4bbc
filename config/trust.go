package config

import (
	"crypto"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// PolicyOwners is the signer group that, if it is in trust, must have signed a policy for it to count.
const PolicyOwners = "policy-owners"

// TrustRoot says where the certificate authorities and logs of keyless
// signatures come from. Raw is read from File by Load; with TUF it is filled by
// whoever fetches it. The zero value is the public good instance of Sigstore, by TUF.
type TrustRoot struct {
	File string // as written: a trusted_root.json
	TUF  string // URL of a TUF repository; "" with no File: Sigstore's own
	Init []byte // the root.json that TUF starts from; nil: the one built in for Sigstore's own
	Raw  []byte // trusted_root.json; nil: not there (yet)
	// Problem says why Raw is not there; evidence that needs it is then unreadable, never passed over.
	Problem string
}

// Group is a signer group: who may say something.
type Group struct {
	Name     string
	Keys     []Key      // members known only by their key
	People   []Person   // members with an id
	Workflow []Workflow // keyless members
	// Root is the trusted_root.json that the keyless members are checked
	// against; RootProblem says why there is none.
	Root        []byte
	RootProblem string
}

// Key is one public key.
type Key struct {
	Path      string // as written; a file, or azurekms://…, awskms://…
	PEM       []byte
	SPKI      []byte // DER of the SubjectPublicKeyInfo; what the policy digest covers
	Public    crypto.PublicKey
	NotBefore time.Time // zero: always
	NotAfter  time.Time // zero: for ever
	// Problem says why the public key of a key service is not known; then PEM,
	// SPKI and Public are nil, and evidence that may be its is unreadable.
	Problem string
}

// Is tells whether public is this key.
func (k Key) Is(public crypto.PublicKey) bool {
	have, ok := k.Public.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && have.Equal(public)
}

// Counts tells whether the key is valid at a time.
func (k Key) Counts(at time.Time) bool {
	return (k.NotBefore.IsZero() || !at.Before(k.NotBefore)) && (k.NotAfter.IsZero() || !at.After(k.NotAfter))
}

// Members are all keys of the group, each with who it stands for: people
// first, then keys without an id.
func (g Group) Members() []Person {
	members := make([]Person, 0, len(g.People)+len(g.Keys))
	members = append(members, g.People...)
	for _, k := range g.Keys {
		members = append(members, Person{Key: k})
	}
	return members
}

// Person is somebody with an id and a key; quorum and not-by count ids.
type Person struct {
	ID  string
	Key Key
}

// Workflow is a keyless identity: exact, or by a pattern that matches it whole. Exactly one is set.
type Workflow struct {
	Issuer   string
	Identity string
	Pattern  *regexp.Regexp // anchored at both ends
}

// OnePersonEach takes the keys of key services out of the groups that turn out
// to be another person's, too: one could sign for both. Their Problem says so. Load
// refuses the same of key files. People of the groups are changed in place.
func OnePersonEach(groups map[string]Group) {
	owners := map[string]map[string]bool{} // SPKI → ids
	for _, g := range groups {
		for _, p := range g.People {
			if p.Key.SPKI == nil {
				continue
			}
			if owners[string(p.Key.SPKI)] == nil {
				owners[string(p.Key.SPKI)] = map[string]bool{}
			}
			owners[string(p.Key.SPKI)][p.ID] = true
		}
	}
	for _, g := range groups {
		for i, p := range g.People {
			if ids := owners[string(p.Key.SPKI)]; len(ids) > 1 && KeyService(p.Key.Path) {
				k := &g.People[i].Key
				k.PEM, k.SPKI, k.Public = nil, nil, nil
				k.Problem = "the key " + k.Path + " is that of " + strings.Join(slices.Sorted(maps.Keys(ids)), " and ") + ", so one could sign for all"
			}
		}
	}
}

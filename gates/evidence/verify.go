package evidence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
)

// Verify checks the signature of item against every key of group, or its
// certificate against every workflow, and parses the statement of the verified
// bytes. It checks neither subject nor predicate type; see Verified.About. The
// error has one of the package's reasons in its chain: ErrUnreadable if nobody of
// the group fits and the key of a member, or the root of its workflows, is not
// known. Safe for concurrent use.
func Verify(item Item, group config.Group, now time.Time) (Verified, error) {
	e, err := Open(item)
	if err != nil {
		return Verified{}, err
	}
	return e.Verify(group, now)
}

// Verify is as the function of the same name; one Envelope may be asked about
// several groups without being read again.
func (e *Envelope) Verify(group config.Group, now time.Time) (Verified, error) {
	if e.certified {
		return e.verifyCertificate(group)
	}
	return e.verifyKeys(group, now)
}

// verifyKeys looks for the key of group that made the signature.
func (e *Envelope) verifyKeys(group config.Group, now time.Time) (Verified, error) {
	var expired, unknown error
	for _, m := range group.Members() {
		if m.Key.Public == nil {
			unknown = unknownKey(m.Key, group)
			continue
		}
		if !e.signed.madeBy(m.Key, e.sig) {
			continue
		}
		statement, err := e.statement()
		if err != nil {
			return Verified{}, err
		}
		v := Verified{Item: e.item, Statement: statement, Key: m.Key, Person: m.ID, Group: group.Name}
		if expired = v.inWindow(now); expired == nil {
			return v, nil
		}
	}
	switch {
	case expired != nil:
		return Verified{}, expired
	case unknown != nil:
		return Verified{}, unknown
	}
	return Verified{}, e.notSignedBy(group)
}

// statement parses the payload, once. Call it only after a signature was found good.
func (e *Envelope) statement() (Statement, error) {
	if e.parsed == nil {
		s, err := ParseStatement(e.payload)
		e.parsed = &parsed{s, err}
	}
	return e.parsed.statement, e.parsed.err
}

// unknownKey says that a key is not there to verify with: the evidence may be its.
func unknownKey(k config.Key, group config.Group) error {
	return fmt.Errorf("%w: it may be signed by %s of %s, whose public key is not known: %s",
		ErrUnreadable, clean.Text(k.Path), group.Name, cmp.Or(clean.Text(k.Problem), "nobody asked for it"))
}

// notSignedBy says why no key of group fits.
func (e *Envelope) notSignedBy(group config.Group) error {
	switch keyless := len(group.Keys)+len(group.People) == 0 && len(group.Workflow) > 0; {
	case keyless && e.item.Form == DSSE:
		return fmt.Errorf("%w: the members of %s are keyless, and an envelope under an .att tag carries no certificate that is read here; attest with the bundle format",
			ErrUnsupported, group.Name)
	case keyless:
		return fmt.Errorf("%w: a key made its signature, and the members of %s are keyless", ErrWrongSigner, group.Name)
	}
	return fmt.Errorf("%w: no key of %s made its signature", ErrWrongSigner, group.Name)
}

// inWindow tells whether the key was valid when the statement was made, by its
// signed time, else by now.
func (v Verified) inWindow(now time.Time) error {
	at, err := v.SignedTime()
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = now
	}
	switch k := v.Key; {
	case !k.NotBefore.IsZero() && at.Before(k.NotBefore):
		return fmt.Errorf("%w: the key counts from %s, the statement is of %s", ErrExpiredKey, stamp(k.NotBefore), stamp(at))
	case !k.NotAfter.IsZero() && at.After(k.NotAfter):
		return fmt.Errorf("%w: the key counted until %s, the statement is of %s", ErrExpiredKey, stamp(k.NotAfter), stamp(at))
	}
	return nil
}

// stamp writes a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// ParseStatement reads an in-toto statement, strictly. Give it verified bytes only,
// or show what it says as a claim. The error has ErrMalformed in its chain.
func ParseStatement(raw []byte) (Statement, error) {
	if err := Strict(raw); err != nil {
		return Statement{}, err
	}
	f, err := fields(raw, "the statement")
	if err != nil {
		return Statement{}, err
	}
	s := Statement{Predicate: f["predicate"]}
	if s.Type, err = text(f, "_type", "the statement"); err != nil {
		return Statement{}, err
	}
	if s.PredicateType, err = text(f, "predicateType", "the statement"); err != nil {
		return Statement{}, err
	}
	if s.Subject, err = subjects(f["subject"]); err != nil {
		return Statement{}, err
	}
	switch {
	case s.Type != StatementType && s.Type != StatementTypeV01:
		return Statement{}, fmt.Errorf("%w: _type %q is no in-toto statement", ErrMalformed, short(s.Type))
	case s.PredicateType == "":
		return Statement{}, fmt.Errorf("%w: the statement names no predicateType", ErrMalformed)
	case !strings.HasPrefix(string(s.Predicate), "{"):
		return Statement{}, fmt.Errorf("%w: predicate of the statement is no JSON object", ErrMalformed)
	}
	return s, nil
}

// subjects reads what a statement is about: one or more, each with a digest.
func subjects(raw json.RawMessage) ([]Subject, error) {
	var list []map[string]json.RawMessage
	if raw == nil || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, fmt.Errorf("%w: the statement has no list of subjects", ErrMalformed)
	}
	found := make([]Subject, 0, len(list))
	for _, f := range list {
		name, err := text(f, "name", "the subject")
		if err != nil {
			return nil, err
		}
		s := Subject{Name: name}
		if f["digest"] == nil || json.Unmarshal(f["digest"], &s.Digest) != nil || len(s.Digest) == 0 {
			return nil, fmt.Errorf("%w: a subject of the statement has no digest", ErrMalformed)
		}
		found = append(found, s)
	}
	return found, nil
}

// About tells whether the statement names d as a subject. Names are not
// compared: a copy in prod is about the same digest.
func (v Verified) About(d digest.Digest) bool { return v.Statement.About(d) }

// About tells whether the statement names d as a subject.
func (s Statement) About(d digest.Digest) bool {
	algorithm, encoded, ok := strings.Cut(d.String(), ":")
	if !ok || encoded == "" {
		return false
	}
	for _, subject := range s.Subject {
		if subject.Digest[algorithm] == encoded {
			return true
		}
	}
	return false
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// Provider adds what one cloud's registry can do beyond the distribution
// protocol. The packages below this one (acr, ecr, harbor) import registry and
// implement it; registry knows none of them: Options.Providers makes them.
//
//	cli ──► registry.Options.Providers ──► acr.New(host, entry, wire), ecr.New(…)
//	             │ one for each host of each client, when the host is first asked
//	             ▼
//	Provider     Credential: proof of identity, for identities of the cloud's form
//	+ Lister     Client.Browse        digests with tags, times, sizes and locks, a page a request
//	+ Importer   Client.Import        the registry copies by itself
//	+ Locker     Client.Lock          what was promoted cannot be deleted
//	+ Keeper     Client.Retention     how long the registry keeps what no tag names
//	+ Restorer   Client.Restore       what was deleted softly comes back
//	+ Readier    Client.Ready         rules that would refuse a promotion half-way
//	+ Assigner   Client.Bypasses      what lets something in without the right to push
//	+ Scanner    Client.Scan          what the registry's own scanner found
//
// A provider belongs to one host of one Client, so to one purpose and one
// identity: what it keeps (tokens, sessions) is nobody else's, and is dropped by
// Close. It is used by many goroutines at once. Making one is cheap and asks nothing of the network.
type Provider interface {
	// Credential proves id (identityFor the purpose; Azure or AWS is set) to the
	// registry. The client keeps the answer until shortly before Expires, until
	// the registry refuses it, or until Close; it never calls twice at once.
	// Whatever is secret in it was registered with clean.Secret. An identity that was refused is a
	// fault.Refused, one that cannot be had here (not logged in) a fault.Usage,
	// both with what to do.
	Credential(ctx context.Context, id config.Identity) (Credential, error)
	// Close drops everything secret.
	Close()
}

// Credential proves an identity to one registry: a user name with a password
// (basic authentication, or for tokens), an OAuth2 refresh token with which
// the client fetches an access token for each scope, or such a token itself.
type Credential struct {
	Username, Password string
	RefreshToken       string
	Token              string    // a bearer token of the registry, sent as it is
	Subject            string    // who it proves, in the words of the cloud; for the record, no secret
	Expires            time.Time // zero: unknown
}

// Lister lists a repository with what the tag list does not say.
type Lister interface {
	// List yields page after page, the newest first where the registry can, until
	// there is no more or yield returns false. One request for each page. A
	// repository that is not there has ErrNotFound in its chain; an identity that may
	// not list this way gets ErrUnsupported.
	List(ctx context.Context, repo Repository, yield func(page []Item) bool) error
}

// Item is a manifest of a repository as its provider lists it: what it says is
// good for showing and for choosing what to ask, never for deciding.
type Item struct {
	Digest       digest.Digest
	Tags         []string
	MediaType    string // of the manifest
	ConfigType   string // media type of the configuration, "" if unknown
	ArtifactType string // "" if unknown
	Subject      digest.Digest
	Size         int64     // of the whole image in bytes as the registry counts, 0 if unknown
	Created      time.Time // when it was pushed first
	Updated      time.Time // when its tags or attributes changed last; zero if unknown
	Scan         string    // state of the registry's own scan, in its words; "" if unknown
	Lock         Lock
}

// Lock says what may no longer be done with a manifest or tag.
type Lock struct {
	Delete bool // it cannot be deleted
	Write  bool // it cannot be overwritten
}

// Importer lets the registry copy by itself, so that no byte passes this machine.
type Importer interface {
	// Import copies one manifest with all below it. It returns when the registry
	// says that it is done; the caller reads it back. What cannot be imported, but can be streamed,
	// has ErrUnsupported in its chain, with the reason.
	Import(ctx context.Context, r ImportRequest) error
}

// ImportRequest is one manifest that the registry of Target shall fetch from Source.
type ImportRequest struct {
	Source Repository
	Target Repository
	Digest digest.Digest
	// Tag is set in Target if nothing has it yet; "": no tag.
	Tag string
	// Resume is what Journal was told by an earlier start that did not see the
	// end; "": a new import.
	Resume string
	// Journal keeps the token with which a later start waits for this import
	// instead of starting another. It is called once, after the registry took the order and
	// before the wait; its error ends the import. It may be nil.
	Journal func(token string) error
	// Report is told in words how far it is, from one goroutine. It may be nil.
	Report func(status string)
	// Arrived tells whether Target has the manifest; it is asked now and then
	// during the wait, because an import may be done long before the registry says
	// so. It may be nil.
	Arrived func(ctx context.Context) (bool, error)
}

// Locker protects what was promoted.
type Locker interface {
	// Lock keeps the manifest from being deleted, and the tag from being deleted
	// and overwritten. Never the channel, never the repository. It is harmless to repeat.
	Lock(ctx context.Context, repo Repository, dg digest.Digest, tag string) error
}

// Keeper knows how long a registry keeps what no tag names.
type Keeper interface {
	Retention(ctx context.Context, repo Repository) (Retention, error)
}

// Retention is what a registry does to manifests by itself, as far as this
// identity may know.
type Retention struct {
	Known      bool          // false: Untagged says nothing
	Untagged   time.Duration // what no tag names is deleted after so long; 0: never
	SoftDelete time.Duration // what was deleted can be restored for so long; 0: not, or unknown
	// UntaggedKept is how many of what no tag names are kept, the newest; 0: no such limit.
	UntaggedKept int
	// Released and ReleasedKept are the same for what a release tag names, counted
	// from the push: time and number after which it is deleted all the same. 0: never.
	Released     time.Duration
	ReleasedKept int
	Locks        bool   // a locked manifest is exempt
	Detail       string // one line: where it is set, or why it is not known
}

// Restorer brings back what was deleted softly.
type Restorer interface {
	// Restore brings a manifest back under a tag, without one for "". A digest that the registry does
	// not have in its bin has ErrNotFound in its chain. Children of an index and referrers
	// do not come with it: the caller restores each.
	Restore(ctx context.Context, repo Repository, dg digest.Digest, tag string) error
}

// Assigner knows what an identity may do to a registry beside pushing.
type Assigner interface {
	// Bypasses asks for the client's own identity. Where it cannot be asked, the error
	// has ErrUnsupported in its chain.
	Bypasses(ctx context.Context, repo Repository) (Bypasses, error)
}

// Bypasses are the ways by which an identity could put something into a registry without the right to push.
type Bypasses struct {
	Ways   []string // what it may do, in a few words each: "import images"; none: nothing of the kind
	Roles  []string // what gives it the ways, as far as that may be read
	Detail string   // how it is known
}

// ErrUnsupported is in the chain of an error about what this registry or this
// identity does not offer, where there is another way to do it.
var ErrUnsupported = errors.New("not offered here")

// provided is the provider of a host as T; false if it has none that can do it.
func provided[T any](c *Client, name string) (T, bool) {
	p, ok := c.host(name).provider.(T)
	return p, ok
}

// Browse lists a repository by its provider, the newest first where it can, a page a
// request, until yield returns false; false where there is no such list, or not for
// this identity: then use Tags.
func (c *Client) Browse(ctx context.Context, repo Repository, yield func([]Item) bool) (bool, error) {
	l, ok := provided[Lister](c, repo.Host)
	if !ok || c.host(repo.Host).cannot("list "+repo.Path, nil) {
		return false, nil
	}
	pages, more := 0, true
	err := l.List(ctx, repo, func(page []Item) bool {
		pages++
		more = yield(page)
		return more && pages < MaxTagPages
	})
	switch {
	case c.host(repo.Host).cannot("list "+repo.Path, err):
		return false, nil
	case err != nil:
		return true, err
	case more && pages >= MaxTagPages:
		return true, fmt.Errorf("the list of %s has more than the %d pages that are accepted: %w", repo, MaxTagPages, ErrLimit)
	}
	return true, nil
}

// Inventory is all that Browse lists.
func (c *Client) Inventory(ctx context.Context, repo Repository) ([]Item, bool, error) {
	var items []Item
	ok, err := c.Browse(ctx, repo, func(page []Item) bool {
		items = append(items, page...)
		return true
	})
	if !ok || err != nil {
		items = nil
	}
	return items, ok, err
}

// Import lets the registry of r.Target fetch a manifest by itself. Where it
// cannot, the error has ErrUnsupported in its chain, and nothing was changed.
func (c *Client) Import(ctx context.Context, r ImportRequest) error {
	if err := c.mayChange(r.Target); err != nil {
		return err
	}
	p, ok := provided[Importer](c, r.Target.Host)
	if !ok {
		return fmt.Errorf("%s cannot import: %w", r.Target.Host, ErrUnsupported)
	}
	return p.Import(ctx, r)
}

// Lock keeps a promoted digest from being deleted and its release tag from
// being moved; false where the registry offers no locks.
func (c *Client) Lock(ctx context.Context, repo Repository, dg digest.Digest, tag string) (bool, error) {
	if err := c.mayChange(repo); err != nil {
		return false, err
	}
	p, ok := provided[Locker](c, repo.Host)
	if !ok {
		return false, nil
	}
	err := p.Lock(ctx, repo, dg, tag)
	return !errors.Is(err, ErrUnsupported), err
}

// Retention is how long the registry keeps what no tag names; false where its
// provider cannot tell.
func (c *Client) Retention(ctx context.Context, repo Repository) (Retention, bool, error) {
	p, ok := provided[Keeper](c, repo.Host)
	if !ok {
		return Retention{}, false, nil
	}
	r, err := p.Retention(ctx, repo)
	return r, true, err
}

// Restore brings a softly deleted manifest back under a tag, without one for "". Where the registry has no such
// bin the error has ErrUnsupported in its chain, where the digest is not in it ErrNotFound.
func (c *Client) Restore(ctx context.Context, repo Repository, dg digest.Digest, tag string) error {
	if err := c.mayChange(repo); err != nil {
		return err
	}
	p, ok := provided[Restorer](c, repo.Host)
	if !ok {
		return fmt.Errorf("%s restores nothing: %w", repo.Host, ErrUnsupported)
	}
	return p.Restore(ctx, repo, dg, tag)
}

// Bypasses tells by which ways the identity could put something into a registry without
// the right to push; false where its provider knows of none.
func (c *Client) Bypasses(ctx context.Context, repo Repository) (Bypasses, bool, error) {
	p, ok := provided[Assigner](c, repo.Host)
	if !ok {
		return Bypasses{}, false, nil
	}
	b, err := p.Bypasses(ctx, repo)
	return b, true, err
}

// Identity is who the client is to a host, and until when, as far as it was
// asked and it is known: subject "" before the first request, and where nobody says whose a token is.
func (c *Client) Identity(name string) (subject string, expires time.Time) {
	l := c.host(name).login
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cred == nil {
		return "", time.Time{}
	}
	return l.cred.subject, l.cred.expires
}

// mayChange refuses a provider's write of a read-only client.
func (c *Client) mayChange(repo Repository) error {
	if c.options.ReadOnly {
		return fault.New(fault.Usage, "run it again without --read-only", nil,
			"nothing was written to %s: this run is read-only", repo.Host)
	}
	return repo.check()
}

// cannot remembers that err says that something is not offered, and tells
// whether it was said before.
func (h *host) cannot(what string, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, ErrUnsupported) {
		h.lacks[what] = true
	}
	return h.lacks[what]
}

// fromProvider asks a provider for a credential and takes its form over.
func fromProvider(ctx context.Context, p Provider, id config.Identity) (credential, error) {
	got, err := p.Credential(ctx, id)
	if err != nil {
		return credential{}, err
	}
	cred := got.form()
	if cred.anonymous() {
		return credential{}, fmt.Errorf("the provider of %s gave no credential", strings.TrimSpace(describe(&id)))
	}
	return cred.register(), nil
}

// form is a credential as the client uses it.
func (got Credential) form() credential {
	return credential{
		username: got.Username, password: got.Password, identityToken: got.RefreshToken, registryToken: got.Token,
		subject: got.Subject, expires: got.Expires,
	}
}

package ledger

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/registry"
)

// Registry is what the ledger asks of a registry; *registry.Client is one. The
// purpose of the client decides what it may.
type Registry interface {
	Tags(ctx context.Context, repo registry.Repository) ([]string, error)
	Head(ctx context.Context, repo registry.Repository, reference string) (ocispec.Descriptor, error)
	Manifest(ctx context.Context, repo registry.Repository, reference string) (registry.Manifest, error)
	Blob(ctx context.Context, repo registry.Repository, d ocispec.Descriptor, limit int64) ([]byte, error)
	PutBlob(ctx context.Context, repo registry.Repository, raw []byte) error
	PutManifest(ctx context.Context, repo registry.Repository, reference string, m registry.Manifest) error
}

// Cache keeps what never changes, so that it is read once; *store.Store is one.
// A cache that fails costs requests, nothing else. One with a method Contents,
// for many digests in one go, is asked through that.
type Cache interface {
	Content(dg digest.Digest) ([]byte, error)
	PutContent(blobs ...[]byte) error
	Snapshot(kind, key string, into any) (found bool, err error)
	PutSnapshot(kind, key string, v any) error
}

// Ledger is one ledger repository. It is cheap to make. Reading is safe for
// concurrent use.
type Ledger struct {
	registry Registry
	repo     registry.Repository
	cache    Cache
	trust    []config.Group
	now      func() time.Time
}

// New makes a ledger over a repository; cache may be nil.
func New(c Registry, repo registry.Repository, cache Cache) *Ledger {
	if cache == nil {
		cache = noCache{}
	}
	return &Ledger{registry: c, repo: repo, cache: cache, now: time.Now}
}

// Trusting is the ledger with the groups that may sign its entries. Append and
// Rival then see who signed what is there, and leave out what proves nothing.
func (l *Ledger) Trusting(groups []config.Group) *Ledger {
	with := *l
	with.trust = groups
	return &with
}

// Repository is where the ledger is.
func (l *Ledger) Repository() registry.Repository { return l.repo }

// noCache remembers nothing.
type noCache struct{}

// Content knows nothing.
func (noCache) Content(digest.Digest) ([]byte, error) { return nil, nil }

// PutContent keeps nothing.
func (noCache) PutContent(...[]byte) error { return nil }

// Snapshot finds nothing.
func (noCache) Snapshot(string, string, any) (bool, error) { return false, nil }

// PutSnapshot keeps nothing.
func (noCache) PutSnapshot(string, string, any) error { return nil }

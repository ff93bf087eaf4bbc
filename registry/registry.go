package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// Repository is one repository of one registry.
type Repository struct {
	Host string // with the port where it has one
	Path string
}

// String is host/path.
func (r Repository) String() string { return r.Host + "/" + r.Path }

// At is the reference of a digest in the repository.
func (r Repository) At(d digest.Digest) string { return r.String() + "@" + d.String() }

// pattern is a regular expression that is compiled when it is first used, so
// that a start which needs none does not pay for it.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// repositoryPath is <name> of the OCI distribution specification 1.1, "Pulling manifests".
var repositoryPath = pattern(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)

// ParseRepository reads host/path. There is no default host.
func ParseRepository(s string) (Repository, error) {
	host, path, _ := strings.Cut(s, "/")
	r := Repository{Host: host, Path: path}
	if err := r.check(); err != nil {
		return Repository{}, err
	}
	return r, nil
}

// hostName is a name or address with the port where it has one: nothing that
// would send a request, and its credential, elsewhere.
var hostName = pattern(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$`)

// check tells what is wrong with a name, which becomes part of URLs.
func (r Repository) check() error {
	s := clean.Text(r.String())
	_, notURL := url.Parse("https://" + r.Host + "/") // an address in brackets has to be one
	if notURL != nil || !hostName().MatchString(r.Host) || !strings.ContainsAny(r.Host, ".:") && r.Host != "localhost" {
		return fault.New(fault.Usage, "write it as host/path, for example registry.example.com/team/app", nil,
			"%q names no registry host", s)
	}
	if len(r.Host)+len(r.Path) >= 255 || !repositoryPath().MatchString(r.Path) {
		return fault.New(fault.Usage, "use lower-case letters, digits and . _ - / in the path", nil,
			"%q is no repository name", s)
	}
	return nil
}

// Purpose says what a client's credential may be used for.
type Purpose string

// The purposes.
const (
	Read     Purpose = "read"
	Evidence Purpose = "evidence" // attach sign-offs in staging
	Promote  Purpose = "promote"  // write prod; fetched at the confirmation, dropped at the end
)

// Manifest is a manifest or an index with the bytes that its digest names.
type Manifest struct {
	Descriptor ocispec.Descriptor // MediaType, Digest and Size; ArtifactType where it has one
	Raw        []byte
}

// Referrers is what is attached to a digest, from the referrers API (all
// pages) and the fallback tag together, without duplicates.
type Referrers struct {
	Descriptors []ocispec.Descriptor
	API         bool // the registry answered the referrers API
}

// ErrNotFound is in the chain of an error about a repository, manifest or blob that is not there.
var ErrNotFound = errors.New("not found")

// ErrLimit is in the chain of an error about an answer that is larger or slower than allowed.
var ErrLimit = errors.New("limit exceeded")

// ErrMismatch is in the chain of an error about bytes that their digest does not name.
var ErrMismatch = errors.New("bytes do not match their digest")

// StatusError is an answer that is no success.
type StatusError struct {
	Method, URL string // URL without query and credentials
	Status      int
	Code        string // of the OCI error body, such as MANIFEST_UNKNOWN
	Detail      string // cleaned text of the registry
}

// Error says what was asked and what came back.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s %s: %d", e.Method, e.URL, e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Is makes an answer 404 an ErrNotFound.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotFound && e.Status == http.StatusNotFound
}

// Limits of what a registry may send; more is an error that names the limit (ErrLimit).
const (
	MaxManifest  = 4 << 20
	MaxReferrers = 8 << 20 // one page of referrers, and one fallback index
	MaxTagPage   = 8 << 20
	MaxConfig    = 8 << 20
	MaxBundle    = 10 << 20
	MaxTagPages  = 1000
	MaxPerDigest = 1000 // referrers read for one digest
	MaxDepth     = 20   // levels of indexes

	AnswerTimeout = 15 * time.Second // to the last byte of an answer that is no layer
	LayerStall    = 20 * time.Second // a layer without LayerStallBytes of progress
)

// Progress is how far a copy is. It is a value; each report replaces the one before.
type Progress struct {
	Blobs  []BlobProgress // in the order of their first appearance, layers and configurations
	Bytes  int64          // moved or found there so far
	Total  int64          // of all blobs
	Moved  int64          // of Bytes, what really crossed the wire
	Blob   int            // blobs finished
	Status string         // one line: what happens now
}

// BlobState is what became of a blob.
type BlobState string

// The states of a blob in a copy.
const (
	BlobWaiting BlobState = "waiting"
	BlobMoving  BlobState = "moving"
	BlobCopied  BlobState = "copied"
	BlobMounted BlobState = "mounted"
	BlobSkipped BlobState = "skipped" // was there
)

// BlobProgress is how far one blob is.
type BlobProgress struct {
	Digest      digest.Digest
	MediaType   string
	Done, Total int64
	State       BlobState
}

// Copied counts what a copy did.
type Copied struct {
	Bytes   int64 `json:"bytes"` // that crossed the wire
	Blobs   int   `json:"blobs"` // that crossed the wire
	Mounted int   `json:"mounted"`
	Skipped int   `json:"skipped"`
}

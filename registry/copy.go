package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// CopyRequest says what is copied from where to where.
type CopyRequest struct {
	From   *Client
	Source Repository
	To     *Client
	Target Repository
	Root   digest.Digest // a manifest or an index
	// Have are manifests that are known to be complete in Target, such as the
	// one in prod: what they name is not asked for again. One that cannot be
	// read there is ignored.
	Have []digest.Digest
	// Report is told how far the copy is, at most 20 times a second and once at
	// the end, from one goroutine. A slow Report misses steps; it does not slow the copy.
	Report func(Progress)

	limits *copyLimits // nil: defaultCopyLimits
}

// BlobExternal is the state of a foreign layer: its descriptor says where the
// bytes are, registries do not have them, and a copy leaves them there.
const BlobExternal BlobState = "external"

// copyLimits bound a copy; tests make them small.
type copyLimits struct {
	manifests  int           // in one tree
	bytes      int64         // of all manifests of a tree together
	blobs      int           // of a tree
	reads      int           // manifests read at once, from either side
	questions  int           // HEAD in flight
	large      int           // blobs over largeBlob that move at once
	spare      int           // so many more where they are slow
	small      int           // smaller ones that move at once
	tries      int           // of one blob
	stall      time.Duration // a blob without stallBytes of progress is given up
	stallBytes int64
	commit     int64         // bytes a second that a registry must manage when it commits a blob
	open       time.Duration // until both ends of a transfer are open, waits that a registry asked for included
	cancel     time.Duration // to clean an upload up that was given up
	wait       time.Duration // before a second try; doubles
	report     time.Duration // between two reports
}

var defaultCopyLimits = copyLimits{
	manifests: 1000, bytes: 16 << 20, blobs: 10_000,
	reads: 6, questions: 32, large: 3, spare: 3, small: 16,
	tries: 4, stall: LayerStall, stallBytes: LayerStallBytes, commit: 32 << 20,
	open: AnswerTimeout + defaultRetry.patience, cancel: 2 * time.Second, wait: 200 * time.Millisecond, report: 50 * time.Millisecond,
}

const (
	// LayerStallBytes is the progress that a layer must make within LayerStall.
	LayerStallBytes = 64 << 10
	// largeBlob parts the blobs that fill a link from those that wait for round trips.
	largeBlob = 16 << 20
)

// Copy copies the root manifest with all children, configurations and layers
// to Target, by digest: no tag is written, fallback tags of referrers neither
// (that is Attach). Children arrive before their index, and the root
// last, so that Target never shows half an image. Manifests keep their bytes. Every
// byte of a blob is hashed on its way; one whose bytes are not what its
// descriptor says is never finished in Target, and the error has ErrMismatch in its chain.
//
// Blobs that Target has are skipped, those of the same host are mounted.
// What breaks is tried again, a blob at most four times. When ctx ends, Copy
// returns its cause at once and leaves no goroutine. What arrived stays, so a
// second Copy goes on where the first ended. Copied is filled in on errors too.
func Copy(ctx context.Context, r CopyRequest) (Copied, error) {
	if r.limits == nil {
		r.limits = &defaultCopyLimits
	}
	if err := r.Root.Validate(); err != nil {
		return Copied{}, fmt.Errorf("copy from %s: %w", r.Source, err)
	}
	if slices.Contains(r.Have, r.Root) {
		return Copied{}, nil
	}
	group, inner := errgroup.WithContext(ctx)
	board := newBoard(r.limits.report, r.Report)
	c := &copier{
		CopyRequest: r, group: group, board: board, known: newKnown(r.To, r.Target, r.limits),
		source: newTree(r.From, r.Source, r.limits), manifests: map[digest.Digest]*job{}, blobs: map[digest.Digest]*blobJob{},
		questions: make(chan struct{}, r.limits.questions),
		large:     newSlots(r.limits.large, r.limits.spare), small: newSlots(r.limits.small, 0),
	}
	group.Go(func() error { c.known.read(inner, r.Have); return nil })
	root := c.manifest(inner, ocispec.Descriptor{Digest: r.Root}, 1)
	group.Go(func() error { return root.wait(inner) })
	err := group.Wait()
	copied := board.close(ctx)
	if err == nil {
		return copied, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return copied, fmt.Errorf("copy %s to %s: %w", r.Source.At(r.Root), r.Target, err)
}

// copier is one copy under way.
//
//	manifest ─► read from Source ─► children (manifest), blobs (blob) ─► all there ─► put in Target
//	blob ─► known? ─► HEAD ─► mount? ─► wait for a slot ─► transfer, again if it broke
type copier struct {
	CopyRequest
	group  *errgroup.Group
	board  *board
	source *tree
	known  *known

	mu        sync.Mutex // of the two maps
	manifests map[digest.Digest]*job
	blobs     map[digest.Digest]*blobJob

	questions    chan struct{}
	large, small *slots
}

// job is something that others wait for. It is done when the channel is closed;
// a job that failed ends the whole copy instead.
type job struct{ done chan struct{} }

func (j *job) wait(ctx context.Context) error {
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// manifest starts the copy of a manifest, once for each digest. Cycles cannot
// be: a manifest's bytes are checked against its digest, and no manifest can
// hold its own.
func (c *copier) manifest(ctx context.Context, d ocispec.Descriptor, depth int) *job {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j, ok := c.manifests[d.Digest]; ok {
		return j
	}
	j := &job{done: make(chan struct{})}
	c.manifests[d.Digest] = j
	c.group.Go(func() error {
		if err := c.copyManifest(ctx, d, depth); err != nil {
			return err
		}
		close(j.done)
		return nil
	})
	return j
}

// copyManifest copies all that a manifest names, then the manifest.
func (c *copier) copyManifest(ctx context.Context, d ocispec.Descriptor, depth int) error {
	if slices.Contains(c.Have, d.Digest) {
		return nil
	}
	m, parts, err := c.source.read(ctx, d, depth)
	if err != nil {
		return err
	}
	needs := make([]*job, 0, len(parts.manifests)+len(parts.blobs))
	for _, child := range parts.manifests {
		needs = append(needs, c.manifest(ctx, child, depth+1))
	}
	for _, b := range parts.blobs {
		j, err := c.blob(ctx, b)
		if err != nil {
			return err
		}
		needs = append(needs, j)
	}
	for _, j := range needs {
		if err := j.wait(ctx); err != nil {
			return err
		}
	}
	return c.put(ctx, m)
}

// put writes a manifest under its digest. A registry that refuses to have a
// manifest written that it has already (a locked one) is content.
func (c *copier) put(ctx context.Context, m Manifest) error {
	err := c.To.PutManifest(ctx, c.Target, m.Descriptor.Digest.String(), m)
	if err == nil {
		return nil
	}
	var status *StatusError
	if errors.As(err, &status) && status.Status < 500 {
		if _, missing := c.To.Manifest(ctx, c.Target, m.Descriptor.Digest.String()); missing == nil {
			return nil
		}
	}
	return fmt.Errorf("write manifest %s: %w", c.Target.At(m.Descriptor.Digest), err)
}

package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/dustin/go-humanize"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// blobJob is a blob on its way, once for each digest.
type blobJob struct {
	job
	d    ocispec.Descriptor
	line *line
}

// blob starts the copy of a blob.
func (c *copier) blob(ctx context.Context, d ocispec.Descriptor) (*job, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j, ok := c.blobs[d.Digest]; ok {
		if j.d.Size != d.Size {
			return nil, fmt.Errorf("%s is named with %d and with %d bytes: %w", c.Source.At(d.Digest), j.d.Size, d.Size, ErrMismatch)
		}
		return &j.job, nil
	}
	j := &blobJob{job: job{done: make(chan struct{})}, d: d, line: c.board.add(d)}
	c.blobs[d.Digest] = j
	c.group.Go(func() error {
		if err := c.copyBlob(ctx, j); err != nil {
			return fmt.Errorf("blob %s of %s: %w", d.Digest, humanize.IBytes(uint64(d.Size)), err) //nolint:gosec // checked when it was read
		}
		close(j.done)
		return nil
	})
	return &j.job, nil
}

// copyBlob brings the blob to Target by the cheapest way that works.
func (c *copier) copyBlob(ctx context.Context, j *blobJob) error {
	if foreign(j.d) {
		j.line.end(BlobExternal)
		return nil
	}
	there, err := c.known.has(ctx, j.d.Digest)
	if err == nil && !there {
		there, err = c.ask(ctx, j.d)
	}
	if err != nil {
		return err
	}
	if there {
		j.line.end(BlobSkipped)
		return nil
	}
	mounted, place, err := c.mount(ctx, j.d)
	if err != nil {
		return err
	}
	if mounted {
		j.line.end(BlobMounted)
		return nil
	}
	if err := c.transfer(ctx, j, place); err != nil {
		return err
	}
	j.line.end(BlobCopied)
	return nil
}

// ask asks Target whether it has the blob.
func (c *copier) ask(ctx context.Context, d ocispec.Descriptor) (bool, error) {
	if err := enter(ctx, c.questions); err != nil {
		return false, err
	}
	defer leave(c.questions)
	return c.To.holds(ctx, c.Target, d)
}

// holds tells whether the repository has the blob, in the size that it must have.
func (c *Client) holds(ctx context.Context, repo Repository, d ocispec.Descriptor) (bool, error) {
	there, size, err := c.headBlob(ctx, repo, d.Digest)
	if there && size >= 0 && size != d.Size {
		return false, fmt.Errorf("%s has it with %d bytes: %w", repo, size, ErrMismatch)
	}
	return there, err
}

// mount asks Target's registry to take the blob over from Source, if that lies on the same host.
// One that does not want to may have opened an upload instead: place.
func (c *copier) mount(ctx context.Context, d ocispec.Descriptor) (mounted bool, place *url.URL, err error) {
	if c.Source.Host != c.Target.Host || c.Source.Path == c.Target.Path {
		return false, nil, nil
	}
	if err := enter(ctx, c.questions); err != nil {
		return false, nil, err
	}
	defer leave(c.questions)
	query := url.Values{"mount": {d.Digest.String()}, "from": {c.Source.Path}}
	req, err := request(ctx, http.MethodPost, c.To.url(c.Target, "blobs/uploads/?"+query.Encode()), nil)
	if err != nil {
		return false, nil, err
	}
	resp, err := c.To.exchange(ctx, push(c.Target, c.Source), req, AnswerTimeout)
	if err != nil {
		// The identity may be unfit for both repositories at once: the copy will tell.
		return false, nil, ctx.Err()
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusCreated:
		return true, nil, nil
	case http.StatusAccepted:
		place, err = c.To.location(resp)
		return false, place, err
	}
	return false, nil, nil
}

// transfer streams the blob from Source to Target when it is its turn.
func (c *copier) transfer(ctx context.Context, j *blobJob, place *url.URL) error {
	turn := c.small
	if j.d.Size > largeBlob {
		turn = c.large
	}
	if err := turn.acquire(ctx, j.d.Size); err != nil {
		return err
	}
	defer turn.release()
	u := upload{
		to: c.To, repo: c.Target, d: j.d, limits: c.limits, place: place, line: j.line, moved: &turn.moved,
		open: func(ctx context.Context) (io.ReadCloser, error) { return c.From.stream(ctx, c.Source, j.d) },
	}
	return u.run(ctx)
}

// stream opens the blob for reading, without a check of its bytes.
func (c *Client) stream(ctx context.Context, repo Repository, d ocispec.Descriptor) (io.ReadCloser, error) {
	req, err := request(ctx, http.MethodGet, c.url(repo, "blobs/"+d.Digest.String()), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, pull(repo), req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%w: %w", c.failed(pull(repo), resp), ErrNotFound)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.failed(pull(repo), resp)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != d.Size {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s sends %d bytes, its descriptor says %d: %w", repo.At(d.Digest), resp.ContentLength, d.Size, ErrMismatch)
	}
	return resp.Body, nil
}

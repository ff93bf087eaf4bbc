package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
)

// PutStream writes a blob of any size from a stream. open is called once for
// each try and may make the same bytes again; they are checked against d on
// their way, and a blob that does not match is not finished in the repository
// (ErrMismatch). It does not ask whether the blob is there.
func (c *Client) PutStream(ctx context.Context, repo Repository, d ocispec.Descriptor, open func() (io.ReadCloser, error)) error {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("write a blob to %s: %w", repo, err)
	}
	u := upload{
		to: c, repo: repo, d: d, limits: &defaultCopyLimits, line: &line{}, moved: new(atomic.Int64),
		open: func(context.Context) (io.ReadCloser, error) { return open() },
	}
	if err := u.run(ctx); err != nil {
		return fmt.Errorf("write %s: %w", repo.At(d.Digest), err)
	}
	return nil
}

// upload brings one blob into a repository.
//
//	try ─► open the source ┐
//	     └► POST, a place  ┴► checked bytes ─► PUT, or PATCH and PUT ─► 201
//
// A blob up to largeBlob travels in the body of the PUT, which saves a round
// trip. A larger one travels in one PATCH, as docker does it: Azure's registry was seen
// to refuse a PUT of more than 20 MB (goharbor/harbor#23015), and Amazon's
// loses what comes in a second PATCH (aws/containers-roadmap#2831). A registry that
// refuses one form gets the other.
type upload struct {
	to     *Client
	repo   Repository
	d      ocispec.Descriptor
	open   func(context.Context) (io.ReadCloser, error)
	limits *copyLimits
	place  *url.URL // an upload that is open already; nil: none
	line   *line
	moved  *atomic.Int64 // bytes of all streams together
}

// sourceError marks a failure on the reading side.
type sourceError struct{ err error }

func (e sourceError) Error() string { return e.err.Error() }
func (e sourceError) Unwrap() error { return e.err }

// run tries until the blob is there, or until trying again has no sense.
func (u *upload) run(ctx context.Context) error {
	whole, changed := u.d.Size <= largeBlob, false
	for try := 1; ; try++ {
		u.line.start()
		err := u.try(ctx, whole)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case u.arrived(ctx):
			return nil
		}
		if !changed && refusedForm(err) {
			whole, changed = !whole, true
			continue
		}
		if hopeless(err) {
			return err
		}
		if try >= u.limits.tries {
			return fmt.Errorf("given up after %d tries: %w", try, err)
		}
		if err := u.to.sleep(ctx, u.limits.wait<<(try-1)); err != nil {
			return err
		}
	}
}

// arrived tells whether the blob is there although the try failed: the answer
// was lost, or somebody else brought it.
func (u *upload) arrived(ctx context.Context) bool {
	there, err := u.to.holds(ctx, u.repo, u.d)
	return there && err == nil
}

// refusedForm tells whether the registry may have refused how the bytes were
// sent rather than the bytes.
func refusedForm(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) || errors.As(err, new(sourceError)) || status.Method == http.MethodPost {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusRequestedRangeNotSatisfiable, http.StatusNotImplemented:
		return true
	}
	return false
}

// hopeless tells whether another try would end as this one did.
func hopeless(err error) bool {
	if errors.Is(err, ErrMismatch) || fault.CodeOf(err) == fault.Refused || fault.CodeOf(err) == fault.Usage {
		return true
	}
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	if errors.As(err, new(sourceError)) {
		return true // the client has tried a GET often enough
	}
	switch status.Status {
	case http.StatusRequestTimeout, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests:
		return false
	case http.StatusNotFound: // the repository; at a later step, the upload
		return status.Method == http.MethodPost
	}
	return status.Status < 500
}

// try moves the blob once.
func (u *upload) try(ctx context.Context, whole bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(u.limits, cancel)
	defer watch.stop()
	source, place, err := u.both(ctx, cancel)
	if source != nil {
		defer func() { _ = source.Close() }()
	}
	defer cancel(nil) // before Close: it ends a read that is still under way
	if err == nil {
		watch.progress(0)
		body := newChecked(source, u.d, func(n int) {
			u.line.move(n)
			u.moved.Add(int64(n))
			watch.progress(n)
		}, watch.sent)
		err = body.reason(u.send(ctx, place, body, whole))
	}
	if err == nil {
		return nil
	}
	if place != nil {
		u.abandon(ctx, place)
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("no %s of progress within %v: %w",
			humanize.IBytes(uint64(u.limits.stallBytes)), u.limits.stall, errStalled) //nolint:gosec // a constant
	}
	return err
}

// both opens the source and the upload at the same time. The source may come with an error of the upload.
func (u *upload) both(ctx context.Context, cancel context.CancelCauseFunc) (io.ReadCloser, *url.URL, error) {
	type opened struct {
		r   io.ReadCloser
		err error
	}
	source := make(chan opened, 1)
	go func() {
		r, err := u.open(ctx)
		source <- opened{r, err}
	}()
	place, err := u.place, error(nil)
	u.place = nil // a second try needs an upload of its own
	if place == nil {
		place, err = u.begin(ctx)
	}
	if err != nil {
		cancel(err) // do not wait for a source that nobody needs
	}
	from := <-source
	if err == nil && from.err != nil {
		err = sourceError{from.err}
	}
	return from.r, place, err
}

// begin opens an upload.
func (u *upload) begin(ctx context.Context) (*url.URL, error) {
	req, err := request(ctx, http.MethodPost, u.to.url(u.repo, "blobs/uploads/"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := u.to.exchange(ctx, push(u.repo), req, AnswerTimeout)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusAccepted {
		return nil, u.to.failed(push(u.repo), resp)
	}
	defer discard(resp)
	return u.to.location(resp)
}

// send moves the bytes and commits them.
func (u *upload) send(ctx context.Context, place *url.URL, body *checked, whole bool) error {
	if u.d.Size == 0 {
		if err := body.finished(); err != nil {
			return err
		}
		return u.commit(ctx, place, nil, 0)
	}
	if whole {
		return u.commit(ctx, place, body, u.d.Size)
	}
	resp, err := u.request(ctx, http.MethodPatch, place, body, u.d.Size)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 { // 202 by the specification, 201 from Amazon's
		return u.to.failed(push(u.repo), resp)
	}
	if err := body.finished(); err != nil {
		discard(resp)
		return err
	}
	next, err := u.to.location(resp)
	discard(resp)
	if err != nil {
		return err
	}
	body.sent() // the answer to the PUT gets as long as the one to the PATCH
	return u.commit(ctx, next, nil, 0)
}

// commit finishes the upload; body is nil if the bytes are there already.
func (u *upload) commit(ctx context.Context, place *url.URL, body *checked, size int64) error {
	final := *place
	if final.RawQuery != "" { // kept as it is: it may be signed
		final.RawQuery += "&"
	}
	final.RawQuery += "digest=" + url.QueryEscape(u.d.Digest.String())
	resp, err := u.request(ctx, http.MethodPut, &final, body, size)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return u.to.failed(push(u.repo), resp)
	}
	discard(resp)
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != u.d.Digest.String() {
		return fmt.Errorf("%s stored another digest: %w", u.repo, ErrMismatch)
	}
	return nil
}

// request sends one step of the upload.
func (u *upload) request(ctx context.Context, method string, place *url.URL, body *checked, size int64) (*http.Response, error) {
	req, err := request(ctx, method, place.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if size > 0 {
		req.Body, req.ContentLength = io.NopCloser(body), size
	}
	return u.to.do(ctx, push(u.repo), req)
}

// abandon cancels an upload that was given up, as a courtesy, and also when ctx has ended.
func (u *upload) abandon(ctx context.Context, place *url.URL) {
	limit := u.limits.cancel
	if ctx.Err() != nil {
		limit = min(limit, cancelledLimit)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	req, err := request(ctx, http.MethodDelete, place.String(), nil)
	if err != nil {
		return
	}
	if resp, err := u.to.do(ctx, push(u.repo), req); err == nil {
		discard(resp)
	}
}

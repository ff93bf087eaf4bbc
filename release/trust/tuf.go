package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

// target is the file of the repository that holds the certificate authorities and logs.
const target = "trusted_root.json"

// maxTarget is the most bytes of it that are taken.
const maxTarget = 4 << 20

// fetch asks the repository for the trusted root, verified from the first
// root.json on, and keeps it.
func (r repository) fetch(ctx context.Context, now time.Time) (kept, error) {
	refused := func(err error) error {
		return fault.New(fault.Failed, "check the network, or name the file with trust-root: {file: trusted_root.json}",
			errors.New(clean.Text(err.Error())), "fetch the trusted root of %s", clean.Text(r.url))
	}
	if err := secure(r.url); err != nil {
		return kept{}, refused(err)
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return kept{}, refused(err)
	}
	r.sweep()
	k, err := r.converse(ctx, r.lastRoot(), now)
	if err != nil && ctx.Err() == nil {
		k, err = r.converse(ctx, r.init, now) // what is kept of the last conversation may be damaged
	}
	if err != nil {
		return kept{}, refused(err)
	}
	if err := evidence.CheckRoot(k.Root); err != nil {
		return kept{}, refused(err)
	}
	return k, r.keep(k)
}

// sweep removes what is no JSON of the last conversation, which a disk may have
// done: go-tuf would stumble over it for ever. What is JSON stays, since old
// versions are what a rolled back repository is known by.
func (r repository) sweep() {
	files, err := filepath.Glob(filepath.Join(r.dir, "*.json"))
	if err != nil {
		return
	}
	for _, file := range files {
		if raw, err := os.ReadFile(file); err == nil && !json.Valid(raw) {
			_ = os.Remove(file)
		}
	}
}

// converse is the client's part of TUF (specification section 5).
func (r repository) converse(ctx context.Context, from []byte, now time.Time) (kept, error) {
	c, err := config.New(r.url, from)
	if err != nil {
		return kept{}, fmt.Errorf("begin: %w", err)
	}
	c.LocalMetadataDir, c.LocalTargetsDir = r.dir, filepath.Join(r.dir, "targets")
	c.Fetcher = fetcher{ctx}
	up, err := updater.New(c)
	if err != nil {
		return kept{}, fmt.Errorf("the first root.json: %w", err)
	}
	up.UnsafeSetRefTime(now.UTC())
	if err := up.Refresh(); err != nil {
		return kept{}, fmt.Errorf("refresh: %w", err)
	}
	info, err := up.GetTargetInfo(target)
	if err != nil {
		return kept{}, fmt.Errorf("find %s: %w", target, err)
	}
	if info.Length > maxTarget {
		return kept{}, fmt.Errorf("%s has %d bytes, the limit is %d", target, info.Length, maxTarget)
	}
	_, raw, err := up.FindCachedTarget(info, "")
	if err == nil && raw == nil {
		_, raw, err = up.DownloadTarget(info, "", "")
	}
	if err != nil {
		return kept{}, fmt.Errorf("read %s: %w", target, err)
	}
	return kept{Fetched: now.UTC(), Expires: firstToExpire(up), Root: raw}, nil
}

// firstToExpire is until when what was fetched counts.
func firstToExpire(up *updater.Updater) time.Time {
	set := up.GetTrustedMetadataSet()
	first := set.Root.Signed.Expires
	for _, at := range []time.Time{set.Timestamp.Signed.Expires, set.Snapshot.Signed.Expires, set.Targets[metadata.TARGETS].Signed.Expires} {
		if at.Before(first) {
			first = at
		}
	}
	return first
}

// secure refuses an address that anybody on the way could answer for. TUF would
// notice a forgery, not who asks.
func secure(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read the address: %w", err)
	}
	host := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || host != nil && host.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("use https")
}

// fetcher gets files for one conversation, which ctx ends.
type fetcher struct{ ctx context.Context }

// client follows redirects only to where secure allows it.
var client = &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return fmt.Errorf("more than 5 redirects")
	}
	return secure(req.URL.String())
}}

// DownloadFile gets one file of at most limit bytes.
func (f fetcher) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", address, err)
	}
	req.Header.Set("User-Agent", "plimsoll")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names method and address
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: resp.StatusCode, URL: address}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	if int64(len(raw)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", address, limit)}
	}
	return raw, nil
}

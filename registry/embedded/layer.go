package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Compression is how the tar archive of a layer is packed.
type Compression string

// The compressions. Random content does not shrink: layers of hundreds of
// megabytes of it are best Plain, which costs no time.
const (
	Gzip  Compression = "gzip" // the default
	Zstd  Compression = "zstd"
	Plain Compression = "plain"
)

// Layer is one layer of an image. Its bytes depend on nothing but its fields.
type Layer struct {
	Files       []File
	Compression Compression
	CreatedBy   string   // the instruction in the image's history
	URLs        []string // where a foreign layer is; then it is not pushed

	facts *facts
}

// File is an entry of a layer's tar archive.
type File struct {
	Path    string // relative; one that ends in a slash is a directory
	Mode    int64  // 0o644 by default, 0o755 for directories
	Content []byte
	Link    string // a symbolic link to there
	Random  int64  // so many pseudo-random bytes in place of Content
	Seed    uint64 // which ones
}

// facts are what a layer's bytes hash to.
type facts struct {
	digest, diffID digest.Digest
	size           int64
}

// Prepare makes the layer's bytes once to learn their digest and size. The
// layer it returns, and every copy of it, knows them from then on; Build
// prepares what was not. Worth a call of its own where many images share a
// large layer.
func (l Layer) Prepare() (Layer, error) {
	if l.facts != nil {
		return l, nil
	}
	packed, plain := digest.Canonical.Digester(), digest.Canonical.Digester()
	var size counter
	if err := l.write(io.MultiWriter(packed.Hash(), &size), plain.Hash()); err != nil {
		return l, err
	}
	l.facts = &facts{digest: packed.Digest(), diffID: plain.Digest(), size: int64(size)}
	if l.Compression == Plain {
		l.facts.diffID = l.facts.digest
	}
	return l, nil
}

// counter counts the bytes that are written to it.
type counter int64

// Write counts p.
func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// write packs the layer to w and, unless it is Plain, its tar archive to plain too.
func (l Layer) write(w, plain io.Writer) error {
	packer, err := l.packer(w)
	if err != nil {
		return err
	}
	archive := io.Writer(packer)
	if l.Compression != Plain {
		archive = io.MultiWriter(packer, plain)
	}
	if err := l.archive(archive); err != nil {
		return err
	}
	if err := packer.Close(); err != nil {
		return fmt.Errorf("pack a layer: %w", err)
	}
	return nil
}

// packer compresses to w. One encoder thread: the bytes must not depend on the machine.
func (l Layer) packer(w io.Writer) (io.WriteCloser, error) {
	switch l.Compression {
	case Gzip, "":
		return gzip.NewWriter(w), nil
	case Zstd:
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("pack a layer: %w", err)
		}
		return z, nil
	case Plain:
		return unpacked{w}, nil
	}
	return nil, fmt.Errorf("pack a layer: unknown compression %q", l.Compression)
}

// unpacked is the packer that packs nothing.
type unpacked struct{ io.Writer }

// Close has nothing to end.
func (unpacked) Close() error { return nil }

// archive writes the tar archive.
func (l Layer) archive(w io.Writer) error {
	t := tar.NewWriter(w)
	for _, f := range l.Files {
		if err := t.WriteHeader(f.header()); err != nil {
			return fmt.Errorf("archive %s: %w", f.Path, err)
		}
		if _, err := io.Copy(t, f.content()); err != nil {
			return fmt.Errorf("archive %s: %w", f.Path, err)
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("end the archive of a layer: %w", err)
	}
	return nil
}

func (f File) header() *tar.Header {
	h := &tar.Header{
		Name: f.Path, Mode: f.Mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		Typeflag: tar.TypeReg, Size: max(f.Random, int64(len(f.Content))),
	}
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
	case strings.HasSuffix(f.Path, "/"):
		h.Typeflag, h.Size = tar.TypeDir, 0
		if h.Mode == 0 {
			h.Mode = 0o755
		}
	}
	if h.Mode == 0 {
		h.Mode = 0o644
	}
	return h
}

func (f File) content() io.Reader {
	switch {
	case f.Link != "", strings.HasSuffix(f.Path, "/"):
		return bytes.NewReader(nil)
	case f.Random > 0:
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], f.Seed)
		return io.LimitReader(rand.NewChaCha8(seed), f.Random)
	}
	return bytes.NewReader(f.Content)
}

// open streams the packed layer. Closing it early ends its goroutine.
func (l Layer) open() (io.ReadCloser, error) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(l.write(w, io.Discard))
	}()
	return &stream{PipeReader: r, done: done}, nil
}

// stream waits on Close until nobody writes any more.
type stream struct {
	*io.PipeReader
	done chan struct{}
}

// Close ends the stream and its goroutine.
func (s *stream) Close() error {
	_ = s.PipeReader.Close() // never fails
	<-s.done
	return nil
}

// mediaType is the layer's media type in an OCI or a Docker schema 2 manifest.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
// https://distribution.github.io/distribution/spec/manifest-v2-2/
func (l Layer) mediaType(docker bool) string {
	base, sep := ocispec.MediaTypeImageLayer, "+"
	switch {
	case docker && l.URLs != nil:
		base, sep = "application/vnd.docker.image.rootfs.foreign.diff.tar", "."
	case docker:
		base, sep = "application/vnd.docker.image.rootfs.diff.tar", "."
	case l.URLs != nil:
		base = ocispec.MediaTypeImageLayerNonDistributable //nolint:staticcheck // old images still carry it
	}
	switch l.Compression {
	case Plain:
		return base
	case Zstd:
		return base + sep + "zstd"
	case Gzip, "":
	}
	return base + sep + "gzip"
}

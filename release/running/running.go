// Package running learns what prod runs from a probe that the accepted
// configuration names: a program, or an address. What it answers is searched for
// digests, whatever form it has: kubectl's imageID, a version page, a list of tasks.
//
//	config.Running ─► command (release/program) or GET ─► digests, in the order in which they are named
//
// Whether the configuration may run anything at all is for the caller to know, and
// whose digests these are, too.
package running

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/program"
)

const (
	// Limit is how long a probe may take.
	Limit = 15 * time.Second

	maxAnswer = 4 << 20 // bytes
)

// Options are what a probe needs. The zero value will do for an address.
type Options struct {
	Dir     string   // of the configuration: a program with a path stands beside it
	Environ []string // what a program may see, before our secrets are taken out
	Secrets []string // names of further variables that hold our secrets
	// Transport sends the request; nil: HTTPS with the proxy of the environment.
	Transport http.RoundTripper
}

// Ask returns the digests that the probe names, each once. An answer without any is an error.
func Ask(ctx context.Context, r config.Running, o Options) ([]digest.Digest, error) {
	ctx, done := context.WithTimeoutCause(ctx, Limit, fmt.Errorf("no answer within %s", Limit))
	defer done()
	what, ask := "the address "+r.URL, get
	if len(r.Command) > 0 {
		what, ask = "the program "+r.Command[0], run
	}
	answer, err := ask(ctx, r, o)
	if err != nil {
		return nil, fault.New(fault.Failed, "correct running of the service, or see why it does not answer", err, "ask %s what prod runs", clean.Text(what))
	}
	found := digests(answer)
	if len(found) == 0 {
		return nil, fault.New(fault.Failed, "let it print digests, such as repository@sha256:…", nil, "%s named no digest", clean.Text(what))
	}
	return found, nil
}

// word finds a digest that no longer text of hex digits goes on from.
var word = regexp.MustCompile(`sha256:([0-9a-f]{64})(?:[^0-9a-f]|$)`)

func digests(answer []byte) []digest.Digest {
	var out []digest.Digest
	for _, m := range word.FindAllSubmatch(answer, -1) {
		if d := digest.NewDigestFromEncoded(digest.SHA256, string(m[1])); !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

func run(ctx context.Context, r config.Running, o Options) ([]byte, error) {
	argv := slices.Clone(r.Command)
	if strings.ContainsRune(filepath.ToSlash(argv[0]), '/') && !filepath.IsAbs(argv[0]) {
		argv[0] = filepath.Join(o.Dir, argv[0])
	}
	ran, err := program.Run(ctx, program.Spec{
		What: "probe", Argv: argv, Dir: o.Dir, Environ: o.Environ, Secrets: o.Secrets, Limit: Limit, Answer: maxAnswer,
	})
	return ran.Answer, err //nolint:wrapcheck // Ask names it
}

func get(ctx context.Context, r config.Running, o Options) ([]byte, error) {
	transport := o.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // it is one
		defer own.CloseIdleConnections()
		transport = own
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // Ask names it
	}
	resp, err := transport.RoundTrip(req) // follows no redirect
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err //nolint:wrapcheck // Ask names it
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = errors.New("its answer is longer than 4 MiB")
	}
	return raw, err //nolint:wrapcheck // Ask names it
}

package trust

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

const (
	renewAfter = 24 * time.Hour // a kept root is asked for again after that
	tryAgain   = 10 * time.Minute
	expiresNow = 48 * time.Hour // a person is told that much before it expires
)

// kept is the trusted root as it was fetched last, in one file of the state
// directory, which belongs to the person alone, as the store beside it.
type kept struct {
	Fetched time.Time `json:"fetched"`
	Expires time.Time `json:"expires"` // the first of TUF's metadata to expire
	Root    []byte    `json:"root"`    // trusted_root.json, byte for byte
}

// repository is a TUF repository and where what it gave is kept.
type repository struct {
	url  string
	init []byte // root.json that trust begins with
	dir  string
}

// repositoryOf is the repository that the configuration means: Sigstore's own
// without a URL. Another URL or another first root.json is another directory.
func repositoryOf(t config.TrustRoot, state string) repository {
	r := repository{url: cmp.Or(t.TUF, tuf.DefaultMirror), init: t.Init}
	if len(r.init) == 0 {
		r.init = tuf.DefaultRoot()
	}
	name := sha256.Sum256(append([]byte(r.url+"\x00"), r.init...))
	r.dir = filepath.Join(state, "tuf", hex.EncodeToString(name[:8]))
	return r
}

func (r repository) file() string { return filepath.Join(r.dir, "trusted_root.kept.json") }

// read is what is kept; false for nothing, or nothing that can be read.
func (r repository) read() (k kept, found bool) {
	raw, err := os.ReadFile(r.file())
	if err != nil || json.Unmarshal(raw, &k) != nil || len(k.Root) == 0 {
		return kept{}, false
	}
	return k, true
}

// keep writes k whole or not at all.
func (r repository) keep(k kept) error {
	raw, err := json.Marshal(k)
	if err != nil {
		return fault.New(fault.Failed, "", err, "write down the trusted root")
	}
	temporary, err := os.CreateTemp(r.dir, "kept-*")
	if err != nil {
		return fault.New(fault.Failed, "", err, "keep the trusted root in %s", r.dir)
	}
	_, err = temporary.Write(raw)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), r.file())
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fault.New(fault.Failed, "", err, "keep the trusted root in %s", r.dir)
	}
	return nil
}

// completeRoot is t with its trusted root, or with why there is none.
func completeRoot(ctx context.Context, t config.TrustRoot, o Options) config.TrustRoot {
	if t.File != "" || len(t.Raw) > 0 {
		return checked(t)
	}
	r := repositoryOf(t, o.Dir)
	k, found := r.read()
	switch {
	case found && o.now().Before(k.Expires):
		if left := k.Expires.Sub(o.now()); left < expiresNow && o.now().Sub(k.Fetched) > renewAfter {
			o.note("the trusted root of %s could not be renewed since %s; from %s on keyless signatures cannot be checked", r.url, day(k.Fetched), day(k.Expires))
		}
	case !o.Trusted:
		t.Problem = untrusted
		return t
	default:
		fresh, err := r.fetch(ctx, o.now())
		if err != nil {
			t.Problem = missing(r, k, found, err)
			return t
		}
		k = fresh
	}
	t.Raw = k.Root
	return checked(t)
}

// missing says why there is no root.
func missing(r repository, k kept, found bool, err error) string {
	if found {
		return "the one of " + r.url + " expired on " + day(k.Expires) + ", and a new one cannot be had: " + clean.Text(err.Error())
	}
	return clean.Text(err.Error())
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// checked tells whether the root can be used at all.
func checked(t config.TrustRoot) config.TrustRoot {
	if t.Problem != "" || len(t.Raw) == 0 {
		t.Raw, t.Problem = nil, cmp.Or(t.Problem, "it was not read")
		return t
	}
	if err := evidence.CheckRoot(t.Raw); err != nil {
		t.Raw, t.Problem = nil, "it is no trusted root: "+clean.Text(err.Error())
	}
	return t
}

// Due tells whether the trusted root of cfg comes by TUF and was not renewed for a day.
func Due(cfg *config.Config, o Options) bool {
	if !o.Trusted || !Keyless(cfg) || cfg.TrustRoot.File != "" {
		return false
	}
	r := repositoryOf(cfg.TrustRoot, o.Dir)
	k, found := r.read()
	if !found || o.now().Sub(k.Fetched) <= renewAfter {
		return false
	}
	tried, err := os.Stat(r.tried())
	return err != nil || o.now().Sub(tried.ModTime()).Abs() > tryAgain
}

// tried is the file that says when a renewal was begun last: a machine without a
// network must not wait for one with every command.
func (r repository) tried() string { return filepath.Join(r.dir, "tried") }

// Renew fetches the trusted root of cfg by TUF and keeps it for the next start.
// It gives when it expires; zero if cfg needs none, or has it in a file. If it
// fails the kept one stays.
func Renew(ctx context.Context, cfg *config.Config, o Options) (time.Time, error) {
	if !o.Trusted || !Keyless(cfg) || cfg.TrustRoot.File != "" {
		return time.Time{}, nil
	}
	r := repositoryOf(cfg.TrustRoot, o.Dir)
	if err := os.WriteFile(r.tried(), nil, 0o600); err == nil {
		_ = os.Chtimes(r.tried(), o.now(), o.now())
	}
	k, err := r.fetch(ctx, o.now())
	return k.Expires, err
}

// lastRoot is the newest root.json that was verified, from which the next
// conversation begins.
func (r repository) lastRoot() []byte {
	raw, err := os.ReadFile(filepath.Join(r.dir, "root.json"))
	if err != nil || len(raw) == 0 {
		return r.init
	}
	return raw
}

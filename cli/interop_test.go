//go:build interop

package cli_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/registry/embedded"
)

// The tests of this build tag run the real cosign against our gates and our
// statements; make interop builds it. They fail where it is missing.

// cosignVersion is the cosign that the tests are for.
const cosignVersion = "v3.1.3"

// interopPassword encrypts the keys of the world, which cosign makes.
const interopPassword = "interop-password"

// interopConfiguration has a gate for each kind of statement.
var interopConfiguration = template.Must(template.New("").Parse(`registries:
  {{.Staging}}: { {{- .Entry}}}
  {{.Prod}}: { {{- .Entry}}, promote: {{.Promote}}}
signing: {key: {{.Signer}}.key}
trust:
  ci: {keys: [ci.pub]}
  scanner: {keys: [scanner.pub]}
  qa-leads: {people: {ann@example.com: ann.pub, bob@example.com: bob.pub}}
  release-owners: {people: {you@example.com: you.pub}}
gates:
  e2e: {signers: [ci], max-age: 72h, suites: [smoke]}
  scan: {signers: [scanner], max-severity: medium, max-age: 24h}
  base-image: {signers: [ci], pinned: required}
  sign-off: {signers: [qa-leads], quorum: 2, when: always}
records: {signers: [release-owners]}
services:
  - {name: chat, staging: {{.Staging}}/{{.Repository}}, prod: {{.Prod}}/{{.Repository}}, candidates: {tags: '^v'}}
`))

// interop is a world with keys that cosign made and everybody shares a password for.
type interop struct {
	*world
	program, none string // cosign, and a signing configuration that names no service
}

// registriesOfInterop are those that cosign and we meet on: with the referrers API and without it.
var registriesOfInterop = map[string]registries{"olareg": embeddedRegistries, "distribution": distributionRegistries}

func newInterop(t *testing.T, start registries) *interop {
	t.Helper()
	w := &interop{world: newWorld(t, start)}
	w.program = cosignProgram(t)
	w.none = filepath.Join(w.dir, "none.json")
	w.with("signing-config", "create", "--out", w.none)
	w.env["PLIMSOLL_KEY_PASSWORD"] = interopPassword
	for name, pair := range w.pairs() {
		w.write(name+".key", pair.private)
		w.write(name+".pub", pair.public)
		w.configureInterop(name)
	}
	return w
}

// pair is a key as cosign keeps it in files.
type pair struct{ private, public []byte }

// Making a key is slow on purpose, so all worlds have the same.
var (
	pairsOnce sync.Once
	pairs     map[string]pair
)

// pairs is everybody's keys, by name: made by cosign, and CI's by plimsoll.
func (w *interop) pairs() map[string]pair {
	w.t.Helper()
	pairsOnce.Do(func() {
		made := map[string]pair{}
		for _, name := range []string{"ci", "scanner", "you", "ann", "bob", "mallory"} {
			prefix := filepath.Join(w.t.TempDir(), name)
			if name == "ci" {
				w.must("key", "generate", "--out", prefix)
			} else {
				w.with("generate-key-pair", "--output-key-prefix", prefix)
			}
			made[name] = pair{w.read(prefix + ".key"), w.read(prefix + ".pub")}
		}
		pairs = made
	})
	if pairs == nil {
		w.t.Fatal("no keys: see the first test")
	}
	return pairs
}

func (w *interop) read(path string) []byte {
	w.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// configureInterop writes the configuration of somebody who signs with a key of that name.
func (w *interop) configureInterop(signer string) {
	w.t.Helper()
	w.Signer = signer
	var text bytes.Buffer
	if err := interopConfiguration.Execute(&text, w); err != nil {
		w.t.Fatal(err)
	}
	w.write(signer+".yaml", text.Bytes())
}

// cosignProgram is the pinned cosign.
func cosignProgram(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", ".bin", "cosign-"+cosignVersion))
	if err != nil {
		t.Fatal(err)
	}
	built, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatalf("no cosign to test with: %v\nmake interop builds it", err)
	}
	if built.Main.Version != cosignVersion {
		t.Fatalf("%s is cosign %s, not %s", program, built.Main.Version, cosignVersion)
	}
	return program
}

// cosigns runs cosign: what it printed, and whether it failed.
func (w *interop) cosigns(args ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), w.program, args...)
	cmd.Dir = w.dir
	// A home of its own: nothing of this machine counts, nothing is left behind.
	cmd.Env = []string{"HOME=" + w.dir, "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=" + interopPassword}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// with runs cosign, which has to succeed, and returns what it printed.
func (w *interop) with(args ...string) string {
	w.t.Helper()
	out, errs, err := w.cosigns(args...)
	if err != nil {
		w.t.Fatalf("cosign %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// The two forms in which cosign v3 writes attestations, as flags.
func (w *interop) forms() map[string][]string {
	return map[string][]string{
		"bundle": {"--signing-config", w.none},
		"att":    {"--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"},
	}
}

// attestWith lets cosign sign a predicate about a digest of staging with somebody's key.
func (w *interop) attestWith(form, who, predicateType string, predicate any, dg digest.Digest) {
	w.t.Helper()
	raw, err := json.Marshal(predicate)
	if err != nil {
		w.t.Fatal(err)
	}
	args := []string{
		"attest", "--yes", "--key", filepath.Join(w.dir, who+".key"), "--type", predicateType,
		"--predicate", w.write("predicate.json", raw),
	}
	w.with(slices.Concat(args, w.forms()[form], []string{w.staging().At(dg)})...)
}

// verified lets cosign verify statements of that type and returns their statements.
func (w *interop) verified(who, predicateType, reference string) []evidence.Statement {
	w.t.Helper()
	out, errs, err := w.verify(who, predicateType, reference)
	if err != nil {
		w.t.Fatalf("cosign does not verify %s of %s by %s: %v\n%s", predicateType, reference, who, err, errs)
	}
	var statements []evidence.Statement
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var envelope struct{ Payload string }
		if err := d.Decode(&envelope); err != nil {
			w.t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(envelope.Payload)
		if err != nil {
			w.t.Fatal(err)
		}
		var s evidence.Statement
		if err := json.Unmarshal(raw, &s); err != nil {
			w.t.Fatal(err)
		}
		statements = append(statements, s)
	}
	return statements
}

func (w *interop) verify(who, predicateType, reference string) (stdout, stderr string, err error) {
	w.t.Helper()
	return w.cosigns("verify-attestation", "--key", filepath.Join(w.dir, who+".pub"), "--insecure-ignore-tlog=true", "--type", predicateType, reference)
}

// bare pushes a candidate that nobody attested anything about.
func (w *interop) bare(version string) digest.Digest {
	w.t.Helper()
	dg, err := embedded.Push(w.t.Context(), w.push, w.staging(), []string{version}, small(version))
	if err != nil {
		w.t.Fatal(err)
	}
	return dg
}

package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

func TestMain(m *testing.M) {
	if story := os.Getenv(childEnv); story != "" {
		os.Exit(child(story))
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB) *Store {
	t.Helper()
	return at(t, filepath.Join(t.TempDir(), "state"))
}

func at(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEmptyStoreAnswersWithoutMakingAFile(t *testing.T) {
	s := open(t)
	if raw, err := s.Content(digest.FromString("x")); raw != nil || err != nil {
		t.Fatalf("Content: %q, %v", raw, err)
	}
	var into string
	if found, err := s.Snapshot("list", "chat", &into); found || err != nil {
		t.Fatalf("Snapshot: %v, %v", found, err)
	}
	if ops, err := s.Operations(false); ops != nil || err != nil {
		t.Fatalf("Operations: %v, %v", ops, err)
	}
	must(t, s.VerifyAudit())
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a reader made %s: %v", s.Dir(), err)
	}
}

func TestContentComesBackByDigestAndCostsOneWrite(t *testing.T) {
	s := open(t)
	a, b := []byte("a manifest"), []byte{}
	must(t, s.PutContent(a, b))
	before := stat(t, s)
	must(t, s.PutContent(a))
	if after := stat(t, s); after != before {
		t.Error("known content was written again")
	}
	got, err := s.Contents([]digest.Digest{digest.FromBytes(a), digest.FromBytes(b), digest.FromString("other")})
	must(t, err)
	want := map[digest.Digest][]byte{digest.FromBytes(a): a, digest.FromBytes(b): b}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func stat(t *testing.T, s *Store) string {
	t.Helper()
	raw, err := os.ReadFile(s.Path())
	must(t, err)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func TestStoreForgetsTheOldestBeyondItsLimit(t *testing.T) {
	s := open(t)
	s.limit = 64 << 10
	blob := func(i int) []byte { return append(bytes.Repeat([]byte{'x'}, 1000), fmt.Sprint(i)...) }
	for i := range 100 {
		must(t, s.PutContent(blob(i)))
		must(t, s.PutSnapshot("list", "chat", i)) // stays: it is always the newest
	}
	kept := 0
	for i := range 100 {
		raw, err := s.Content(digest.FromBytes(blob(i)))
		must(t, err)
		if raw != nil {
			kept++
		} else if kept > 0 {
			t.Errorf("blob %d went before an older one", i)
		}
	}
	if kept < 50 || kept > 64 {
		t.Errorf("%d blobs of 1 kB are kept under a limit of 64 kB", kept)
	}
	var last int
	if found, err := s.Snapshot("list", "chat", &last); !found || err != nil || last != 99 {
		t.Errorf("snapshot: %v %v %d", found, err, last)
	}
	checkCache(t, s)
}

// checkCache checks the invariants of the cache buckets as layout.go states them.
func checkCache(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.view(func(x txn) error {
		var total uint64
		placed := map[string]bool{}
		for _, c := range []cached{s.contents(x), s.snapshots(x)} {
			must(t, c.bucket.ForEach(func(k, v []byte) error {
				total += uint64(len(k) + len(v))
				place := x.b(bOrder).Get(v[:8])
				if string(place) != string(c.letter)+string(k) {
					t.Errorf("%q has no place in the order", k)
				}
				placed[string(v[:8])] = true
				return nil
			}))
		}
		must(t, x.b(bOrder).ForEach(func(k, _ []byte) error {
			if !placed[string(k)] {
				t.Errorf("the order has %x for nothing", k)
			}
			return nil
		}))
		if got := s.contents(x).total(); got != total {
			t.Errorf("cache-bytes is %d, the values have %d", got, total)
		}
		return nil
	}))
}

func TestValueTooLargeToKeepReplacesNothingByOldNews(t *testing.T) {
	s := open(t)
	s.limit = 16 << 10
	must(t, s.PutSnapshot("list", "chat", "old"))
	must(t, s.PutSnapshot("list", "chat", strings.Repeat("n", 2000)))
	var into string
	if found, err := s.Snapshot("list", "chat", &into); found || err != nil {
		t.Errorf("the old snapshot is still shown: %v %v", found, err)
	}
	must(t, s.PutContent(make([]byte, 2000)))
	checkCache(t, s)
}

func TestNegativesStayAndAreNotOverwritten(t *testing.T) {
	s := open(t)
	n := Negative{
		Gate: "e2e", Subject: digest.FromString("image"), Evidence: digest.FromString("e"), Key: "smoke",
		At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Reason: "2 of 48 failed",
	}
	other := n
	other.Subject = digest.FromString("other image")
	must(t, s.Remember(n, other))
	again := n
	again.Reason = "rewritten"
	must(t, s.Remember(again))
	got, err := s.Negatives(n.Subject)
	must(t, err)
	if diff := cmp.Diff([]Negative{n}, got); diff != "" {
		t.Error(diff)
	}
}

func TestJournalKeepsOpenOperationsAndPrunesClosedOnes(t *testing.T) {
	s := open(t)
	op := Operation{
		ID: "0000", Service: "chat", State: Pending, Started: time.Unix(0, 0).UTC(), Data: json.RawMessage(`{"n":12345678901234567890}`),
		Steps: []StepEntry{{Step: "copy", State: "started", At: time.Unix(1, 0).UTC()}},
	}
	must(t, s.PutOperation(op))
	must(t, s.update(func(x txn) error { // closed ones, without 1,000 fsyncs
		for i := range closedKept + 5 {
			raw, _ := json.Marshal(Operation{ID: fmt.Sprintf("%04d", i+1), State: Done})
			must(t, x.b(bOperations).Put(fmt.Appendf(nil, "%04d", i+1), raw))
		}
		return nil
	}))
	must(t, s.PutOperation(Operation{ID: "9999", State: Failed}))
	pending, err := s.Operations(true)
	must(t, err)
	if diff := cmp.Diff([]Operation{op}, pending); diff != "" {
		t.Error(diff)
	}
	all, err := s.Operations(false)
	must(t, err)
	if len(all) != closedKept+1 || all[1].ID != "0007" || all[len(all)-1].ID != "9999" {
		t.Errorf("%d operations, from %s to %s", len(all), all[1].ID, all[len(all)-1].ID)
	}
	op.State = Done
	must(t, s.PutOperation(op))
	if pending, err := s.Operations(true); err != nil || len(pending) != 0 {
		t.Errorf("still open: %v %v", pending, err)
	}
	if _, found, err := s.Operation("none"); found || err != nil {
		t.Errorf("found an unknown operation: %v", err)
	}
}

func TestSecretsOfThisProcessNeverReachTheFile(t *testing.T) {
	const secret = `hunter2-"quoted"\back`
	clean.Secret(secret)
	s := open(t)
	must(t, s.PutSnapshot("list", "chat", map[string]string{"error": "401 for " + secret, secret: "key"}))
	must(t, s.PutOperation(Operation{ID: "1", State: Pending, Problem: secret, Data: json.RawMessage(`{"note":"` + "hunter2-\\u0022quoted\\\"\\\\back" + `"}`)}))
	must(t, s.Remember(Negative{Subject: digest.FromString("x"), Reason: secret}))
	_, err := s.Audit("promote", "chat", "me", map[string]any{"note": secret})
	must(t, err)
	_, _, err = s.Lease("prod:live", secret, time.Minute)
	must(t, err)
	raw, err := os.ReadFile(s.Path())
	must(t, err)
	for _, form := range []string{"hunter2", "quoted"} {
		if bytes.Contains(raw, []byte(form)) {
			t.Errorf("the file holds %q", form)
		}
	}
	must(t, s.VerifyAudit())
}

func TestImageConfigurationIsKeptWithoutItsSecrets(t *testing.T) {
	s := open(t)
	image := []byte(`{"architecture":"amd64","config":{"Env":["PATH=/bin","API_TOKEN=abc def=","EMPTY_KEY="]},"rootfs":{"type":"layers"},` +
		`"history":[{"created_by":"ENV API_TOKEN=opaque1 MODE=x"},{"created_by":"RUN |1 DB_PASSWORD='opaque two' /bin/sh -c make"}]}`)
	dg := digest.FromBytes(image)
	must(t, s.PutContent(image))
	got, err := s.Content(dg)
	must(t, err)
	file, err := os.ReadFile(s.Path())
	must(t, err)
	for _, secret := range []string{"abc def", "opaque1", "opaque two"} {
		if bytes.Contains(got, []byte(secret)) || bytes.Contains(file, []byte(secret)) {
			t.Errorf("%q was kept", secret)
		}
	}
	for _, plain := range []string{"PATH=/bin", "EMPTY_KEY=", "MODE=x", "/bin/sh -c make", "API_TOKEN=" + s.Masked("abc def=")} {
		if !bytes.Contains(got, []byte(plain)) {
			t.Errorf("%q is missing in %s", plain, got)
		}
	}
	before := stat(t, s)
	must(t, s.PutContent(image))
	if stat(t, s) != before {
		t.Error("a known configuration was written again")
	}
	manifest := []byte(`{"schemaVersion":2,"config":{"Env":["TOKEN=x"]},"annotations":{"rootfs":"KEY=value"}}`)
	must(t, s.PutContent(manifest))
	if got, _ := s.Content(digest.FromBytes(manifest)); !bytes.Equal(got, manifest) {
		t.Errorf("a manifest was changed: %s", got)
	}
}

func TestKeyedHashTellsChangesAndNothingElse(t *testing.T) {
	s := open(t)
	again := at(t, s.Dir())
	if s.Hash("a") != again.Hash("a") || s.Hash("a") == s.Hash("b") {
		t.Error("the hash does not tell equal from different")
	}
	if open(t).Hash("a") == s.Hash("a") {
		t.Error("two stores have one key")
	}
	if m := s.Masked("a"); s.Masked(m) != m || s.Hash(m) != s.Hash("a") {
		t.Error("a masked value hashes to something else than what it stands for")
	}
}

func TestAcceptTakesOnlyWhatWasShown(t *testing.T) {
	s := open(t)
	path, text := filepath.Join(t.TempDir(), "plimsoll.yaml"), []byte("services: []\n")
	sum := sha256.Sum256(text)
	hash := hex.EncodeToString(sum[:])
	if s.Accepted(path, hash) || s.Accepted(path, "") || s.AcceptedContent(path) != nil {
		t.Error("accepted before anybody did")
	}
	must(t, s.Accept(path, hash, text))
	if !s.Accepted(path, hash) || s.Accepted(path, "0"+hash[1:]) || s.Accepted(path+"x", hash) {
		t.Error("accepted something else")
	}
	if got := string(s.AcceptedContent(path)); got != "services: []\n" {
		t.Errorf("content %q", got)
	}
	if err := s.Accept(path, hash, []byte("services: [evil]\n")); fault.CodeOf(err) != fault.Usage {
		t.Errorf("accepted a text that was not shown: %v", err)
	}
}

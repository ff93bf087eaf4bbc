package cli_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.etcd.io/bbolt"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
)

// small is an image of one platform that differs by its version only.
func small(version string) embedded.Image { return image(version, "amd64", embedded.Gzip) }

// released is a world with v1 in prod and v2 ready.
func released(t *testing.T, start registries) (w *world, first, second digest.Digest) {
	t.Helper()
	w = newWorld(t, start)
	first = w.candidate("v1", small("v1"))
	w.must("promote", "chat", string(first), "--yes", "--expect", "none", "--reason", "the first")
	return w, first, w.candidate("v2", small("v2"))
}

// unchanged fails unless prod is as it was and nothing is left open.
func (w *world) unchanged(now digest.Digest) {
	w.t.Helper()
	if got := w.inProd(); got != now {
		w.t.Errorf("prod has %s, expected the %s from before", got, now)
	}
}

// TestWrongPromotePasswordIsExitFive: what may look still looks, and nothing is written.
func TestWrongPromotePasswordIsExitFive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guardedRegistries)
	first := w.candidate("v1", small("v1"))
	w.Promote = "{username: " + promoter + ", password-env: PLIMSOLL_TEST_WRONG}"
	w.configure("you")
	w.refused(5, w.Prod, "promote", "chat", string(first), "--yes", "--expect", "none")
	w.refused(5, "promote", "promote", "chat", string(first), "--yes")
	w.unchanged("")

	w.Entry = strings.ReplaceAll(w.Entry, "PLIMSOLL_TEST_READ", "PLIMSOLL_TEST_WRONG")
	w.configure("you")
	w.refused(5, w.Staging, "gates", "chat", "v1")
	a := w.run("list", "-o", "json")
	if a.code != 1 || !strings.Contains(a.out, w.Staging) || strings.Contains(a.out+a.err, os.Getenv("PLIMSOLL_TEST_WRONG")) {
		t.Errorf("list with a wrong password: exit %d\n%s%s", a.code, a.out, a.err)
	}
	w.Entry = strings.ReplaceAll(w.Entry, "PLIMSOLL_TEST_WRONG", "PLIMSOLL_TEST_UNSET")
	w.configure("you")
	w.refused(2, "PLIMSOLL_TEST_UNSET is not set", "gates", "chat", "v1")
}

func TestRegistryThatIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	w, first, second := released(t, embeddedRegistries)
	there := w.Staging
	w.Staging = closedPort(t)
	w.configure("you")
	for _, args := range [][]string{
		{"gates", "chat", string(second)}, {"diff", "chat", string(second)}, {"promote", "chat", string(second), "--yes"}, {"approve", "chat", string(second), "--yes"},
	} {
		w.refused(1, w.Staging, args...)
	}
	w.must("history", "chat")
	w.Staging = there
	w.configure("you")
	w.unchanged(first)
}

// closedPort is an address of this machine where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	return strings.TrimPrefix(s.URL, "http://")
}

func TestNothingInProdYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	first := w.candidate("v1", small("v1"))
	if out := w.must("list", "chat"); !strings.Contains(out, "none") && !strings.Contains(out, "nothing") {
		t.Errorf("list does not say that prod is empty:\n%s", out)
	}
	w.must("diff", "chat", "v1")
	w.must("history", "chat")
	w.refused(1, "nothing", "rollback", "chat", "--yes")
	w.refused(1, "nothing", "adopt", "chat", "--yes")
	w.refused(4, "prod moved", "promote", "chat", string(first), "--yes", "--expect", string(digest.FromString("other")))
	w.must("promote", "chat", string(first), "--yes", "--expect", "none")
	w.refused(1, "nothing to roll back to", "rollback", "chat", "--yes")
	w.unchanged(first)
}

// TestManifestThatIsNotItsDigest: a registry that answers with other bytes than
// were asked for is believed nowhere.
func TestManifestThatIsNotItsDigest(t *testing.T) {
	t.Parallel()
	var staging, prod fault
	w, first, second := released(t, faultyRegistries(&staging, &prod))
	staging.set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if r.Method != http.MethodGet || name != string(second) && name != "v2" {
			return false
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			rw.Header()[name] = values
		}
		_, _ = rw.Write(bytes.Replace(answer.Body.Bytes(), []byte("schemaVersion"), []byte("schemaVersioN"), 1))
		return true
	})
	fresh(w) // a machine that has read it before would never ask again
	w.refused(1, string(second), "promote", "chat", string(second), "--yes", "--expect", string(first))
	a := w.run("list", "chat", "-o", "json")
	if a.code != 0 || !strings.Contains(a.out, `"error": "`) || !strings.Contains(a.out, string(first)) {
		t.Errorf("the list lacks the row's error, or the other row: exit %d\n%s%s", a.code, a.out, a.err)
	}
	w.unchanged(first)
}

// fresh makes the machine an empty one.
func fresh(w *world) { w.env["PLIMSOLL_STATE"] = w.t.TempDir() }

func TestCandidateThatIsDeletedAfterTheList(t *testing.T) {
	t.Parallel()
	w, first, second := released(t, embeddedRegistries)
	w.must("list", "chat")
	w.delete(w.staging(), second)
	w.refused(1, string(second), "promote", "chat", string(second), "--yes", "--expect", string(first))
	w.refused(1, "v2", "gates", "chat", "v2")
	w.unchanged(first)
}

// delete removes a manifest, as retention does.
func (w *world) delete(repo registry.Repository, dg digest.Digest) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, "http://"+repo.Host+"/v2/"+repo.Path+"/manifests/"+string(dg), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusAccepted {
		w.t.Fatalf("delete %s: %s", dg, answer.Status)
	}
}

// TestProdThatRefusesHalfWay: after some writes prod takes no more. Prod has
// not changed, and the same command goes on when prod is well again.
func TestProdThatRefusesHalfWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, code int
		says         string
	}{
		"forbidden": {http.StatusForbidden, 5, "promote"}, "out of space": {http.StatusInsufficientStorage, 1, "507"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var staging, prod fault
			w, first, second := released(t, faultyRegistries(&staging, &prod))
			writes := make(chan struct{}, 3) // so many are taken
			prod.set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method == http.MethodGet || r.Method == http.MethodHead {
					return false
				}
				select {
				case writes <- struct{}{}:
					return false
				default:
					rw.WriteHeader(c.status)
					return true
				}
			})
			w.refused(c.code, c.says, "promote", "chat", string(second), "--yes", "--expect", string(first))
			w.unchanged(first)
			prod.set(nil)
			w.must("promote", "chat", string(second), "--yes", "--expect", string(first))
			w.unchanged(second)
			if n := strings.Count(w.must("history", "chat", "-o", "json"), `"action": "promote"`); n != 2 {
				t.Errorf("%d records of promotions, expected exactly one for each of the two", n)
			}
		})
	}
}

// TestTwoLaptopsPromoteAtOnce: whatever the order, prod has one of the two,
// nobody is told something else, and the ledger holds.
func TestTwoLaptopsPromoteAtOnce(t *testing.T) {
	t.Parallel()
	w, first, second := released(t, embeddedRegistries)
	third := w.candidate("v3", small("v3"))
	codes := map[digest.Digest]chan int{second: make(chan int, 1), third: make(chan int, 1)}
	for dg, code := range codes {
		other := *w
		other.env = map[string]string{"PLIMSOLL_CONFIG": w.env["PLIMSOLL_CONFIG"], "PLIMSOLL_STATE": t.TempDir()}
		go func() { code <- other.run("promote", "chat", string(dg), "--yes", "--expect", string(first)).code }()
	}
	ends := map[digest.Digest]int{second: <-codes[second], third: <-codes[third]}
	now := w.inProd()
	for dg, code := range ends {
		switch {
		case code != 0 && code != 4 && code != 6:
			t.Errorf("promotion of %s ended with exit code %d", dg, code)
		case code == 4 && now == dg:
			t.Errorf("%s is in prod, and its laptop was told that prod moved", dg)
		}
	}
	if now == first && (ends[second] == 0 || ends[third] == 0) {
		t.Error("a laptop was told that it promoted, and prod is as before")
	}
	w.must("history", "chat")
}

// TestStoreThatCannotBeUsed: a damaged or locked store is named with its
// remedy, and nobody promotes without a journal.
func TestStoreThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w, first, second := released(t, embeddedRegistries)
	good := w.env["PLIMSOLL_STATE"]
	for name, spoil := range map[string]func(dir string){
		"damaged": func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, "plimsoll.db"), []byte("this is no database"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"locked": func(dir string) {
			db, err := bbolt.Open(filepath.Join(dir, "plimsoll.db"), 0o600, &bbolt.Options{Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		},
		"a file in place of the directory": func(dir string) {
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		spoil(dir)
		w.env["PLIMSOLL_STATE"] = dir
		a := w.run("promote", "chat", string(second), "--yes", "--expect", string(first))
		if a.code != 1 || !strings.Contains(a.err, dir) || !strings.Contains(a.err, "→") {
			t.Errorf("%s: exit %d, and the file or the remedy is not named:\n%s", name, a.code, a.err)
		}
		w.env["PLIMSOLL_STATE"] = good
		w.unchanged(first)
	}
}

// TestRollbackBesideAnOpenConsole: a console keeps nothing locked while it is
// open, sees what another process did, and does not act on what it showed before.
func TestRollbackBesideAnOpenConsole(t *testing.T) {
	t.Parallel()
	w, first, second := released(t, embeddedRegistries)
	w.must("promote", "chat", string(second), "--yes")
	third := w.candidate("v3", small("v3"))
	tm, code := w.console(120, 40)
	tm.Sees(t, "in prod   v2", short(third))
	tm.Types("gp")
	tm.Sees(t, "type chat to go on", "becomes v3")
	again, other := w.console(80, 24)
	again.Sees(t, "in prod   v2")

	w.must("rollback", "chat", "--yes", "--reason", "beside two consoles")
	tm.Types("chat\r")
	tm.Sees(t, "prod moved since it was shown")
	w.unchanged(first)
	again.Types("r")
	again.Sees(t, "in prod   v1")
	again.Types("h")
	again.Sees(t, "beside two consoles")
	again.Types("q")
	ends(t, again, other)
	tm.Types("q")
	ends(t, tm, code)
}

// TestConsoleInATinyWindow says that the window is too small, and still quits.
func TestConsoleInATinyWindow(t *testing.T) {
	t.Parallel()
	w, _, _ := released(t, embeddedRegistries)
	tm, code := w.console(20, 5)
	tm.Sees(t, "too small")
	tm.Types("q")
	ends(t, tm, code)
}

// TestTypoInTheConfiguration shows the line and what was meant, for commands and the console.
func TestTypoInTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	raw, err := os.ReadFile(w.env["PLIMSOLL_CONFIG"])
	if err != nil {
		t.Fatal(err)
	}
	w.write("you.yaml", bytes.Replace(raw, []byte("max-age: 72h"), []byte("max-aeg: 72h"), 1))
	w.refused(2, "max-aeg", "list")
	w.refused(2, "max-age", "promote", "chat", string(digest.FromString("x")), "--yes")
	std, errs := w.io("you"), &strings.Builder{}
	std.In, std.Out, std.Err, std.Screen = strings.NewReader(""), io.Discard, errs, true
	if c := execute(t, std); c != 2 || !strings.Contains(errs.String(), "max-aeg") {
		t.Errorf("the console: exit %d\n%s", c, errs)
	}
}

package running_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/release/running"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	one = "sha256:" + strings.Repeat("1", 64)
	two = "sha256:" + strings.Repeat("2", 64)
)

func TestDigestsAreFoundInAnyForm(t *testing.T) {
	for form, answer := range map[string]string{
		"a digest alone": one + "\n" + two,
		"pods":           `{"items":[{"status":{"containerStatuses":[{"imageID":"prod.example.com/chat@` + one + `"},{"imageID":"docker-pullable://sidecar@` + two + `"}]}}]}`,
		"twice the same": "r@" + one + " r@" + one + "\tr@" + two + " " + one,
		"longer hex":     one + " " + two + " " + two + "0",
	} {
		script := filepath.Join(t.TempDir(), "probe")
		if err := os.WriteFile(script, []byte("#!/bin/sh\ncat <<'END'\n"+answer+"\nEND\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		found, err := running.Ask(t.Context(), config.Running{Command: []string{"./probe"}}, running.Options{Dir: filepath.Dir(script)})
		if err != nil || len(found) != 2 || found[0].String() != one || found[1].String() != two {
			t.Errorf("%s: %v, %v", form, found, err)
		}
	}
}

func TestAProbeThatTellsNothingIsAnError(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = w.Write([]byte("v1 " + one))
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/much":
			_, _ = w.Write(make([]byte, 5<<20))
		case "/nothing":
			_, _ = w.Write([]byte("v1"))
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	o := running.Options{Transport: server.Client().Transport}
	if found, err := running.Ask(t.Context(), config.Running{URL: server.URL + "/ok"}, o); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
	for path, want := range map[string]string{"/moved": "302", "/much": "4 MiB", "/nothing": "no digest", "/down": "503"} {
		_, err := running.Ask(t.Context(), config.Running{URL: server.URL + path}, o)
		if err == nil || !strings.Contains(err.Error(), want) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := running.Ask(t.Context(), config.Running{Command: []string{"no-such-program-anywhere"}}, o); err == nil {
		t.Error("a program that is not there answered")
	}
}

package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/release/doctor"
)

// TestDoctorFindsThatEverybodyMayPush: a registry with a login for everybody,
// and no rights of each, is no isolation.
func TestDoctorFindsThatEverybodyMayPush(t *testing.T) {
	t.Parallel()
	w, first, _ := released(t, guardedRegistries)
	w.env["CI_LOGIN"] = reader + ":" + readerPassword
	a := w.run("doctor", "chat", "--with-promote", "--as-ci", "CI_LOGIN", "-o", "json")
	var report doctor.Report
	if err := json.Unmarshal([]byte(a.out), &report); err != nil || a.code != 1 || a.err != "" {
		t.Fatalf("exit %d, %v\n%s%s", a.code, err, a.out, a.err)
	}
	status := map[string]doctor.Status{}
	for _, f := range report.Services[0].Facts {
		if was := status[f.ID]; was == "" || was == doctor.OK {
			status[f.ID] = f.Status
		}
		if f.Status == doctor.Broken && f.Hint == "" {
			t.Errorf("nothing to do about %+v", f)
		}
	}
	for id, want := range map[string]doctor.Status{
		"everyday-read": doctor.OK, "everyday-write": doctor.Broken, "anonymous-write": doctor.OK, "promotion-write": doctor.OK,
		"promotion-lifetime": doctor.Warning, "promotion-separate": doctor.OK, "ci-staging": doctor.OK, "ci-write": doctor.Broken,
		"promoted-kept": doctor.OK, "promoted-tagged": doctor.OK, "channel": doctor.OK, "referrers": doctor.OK, "tls": doctor.Warning,
	} {
		if status[id] != want {
			t.Errorf("%s is %q, not %s", id, status[id], want)
		}
	}
	text := w.run("doctor", "chat")
	for _, words := range []string{
		"✗ the everyday identity (user viewer) may write", "→ take its right to push away", "? the promotion identity (user release-robot) was not tried",
		"plimsoll doctor chat --with-promote", "record 1 by you@example.com", " broken, ",
	} {
		if text.code != 1 || !strings.Contains(text.out, words) {
			t.Errorf("exit %d, %q is missing in\n%s", text.code, words, text.out)
		}
	}
	for _, line := range strings.Split(text.out, "\n") {
		if len([]rune(line)) > 79 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
	w.refused(2, "the environment variable NOBODY is not set", "doctor", "--as-ci", "NOBODY")
	w.refused(2, "chatt", "doctor", "chatt")
	w.unchanged(first)
}

// TestNoPasswordIsSeenAnywhere looks for the passwords in all that a machine
// printed, showed and kept after a release, a rollback and what went wrong.
func TestNoPasswordIsSeenAnywhere(t *testing.T) {
	t.Parallel()
	w, _, second := released(t, guardedRegistries)
	w.env["CI_LOGIN"] = reader + ":" + readerPassword
	var said strings.Builder
	for _, args := range [][]string{
		{"list"},
		{"list", "-o", "json"},
		{"gates", "chat", "v2"},
		{"diff", "chat", "v2"},
		{"promote", "chat", string(second), "--yes"},
		{"history", "-o", "json"},
		{"verify", w.prod().At(second)},
		{"rollback", "chat", "--yes", "--reason", "errors"},
		{"doctor", "--with-promote", "--as-ci", "CI_LOGIN"},
		{"doctor", "--with-promote", "--as-ci", "CI_LOGIN", "-o", "json"},
		{"audit", "verify"},
		{"audit", "export"},
		{"policy", "show", "chat"},
		{"promote", "chat", "sha256:00", "--yes"},
	} {
		a := w.run(args...)
		said.WriteString(a.out + a.err)
	}
	tm, code := w.console(120, 40)
	tm.Sees(t, "in prod", short(second))
	tm.Types("D")
	tm.Sees(t, "doctor: ", "may write")
	tm.Types("h")
	tm.Sees(t, "rollback")
	tm.Types("\r")
	tm.Sees(t, "wrote as", "user "+promoter)
	tm.Types("q")
	ends(t, tm, code)
	said.WriteString(tm.Output())
	w.Promote = "{username: " + promoter + ", password-env: PLIMSOLL_TEST_WRONG}"
	w.configure("you")
	a := w.run("promote", "chat", string(second), "--yes", "--reason", "again")
	if a.code == 0 {
		t.Fatal("promoted with a wrong password")
	}
	said.WriteString(a.out + a.err)

	places := w.kept()
	places["what was said"] = said.String()
	for _, secret := range []string{readerPassword, promoterPassword, os.Getenv("PLIMSOLL_TEST_WRONG")} {
		for _, user := range []string{"", reader, promoter} {
			form := secret
			if user != "" {
				form = base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))
			}
			for name, text := range places {
				if strings.Contains(text, form) {
					t.Errorf("%s holds the password of %s", name, user)
				}
			}
		}
	}
}

// kept is every file of the state directory.
func (w *world) kept() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	dir := filepath.Join(w.dir, "state")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		out[e.Name()] = string(raw)
		return err
	})
	if err != nil || len(out) == 0 {
		w.t.Fatal(err, out)
	}
	return out
}

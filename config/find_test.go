package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
)

func TestFindPrefersWhatIsNamed(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	deep := filepath.Join(here, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	named := put(t, here, "other.yaml", nil)
	user := put(t, home, "plimsoll/plimsoll.yaml", nil)
	above := put(t, here, config.FileName, nil)
	for name, c := range map[string]struct {
		flag, env, dir, want string
		found                bool
	}{
		"by flag":              {named, user, deep, named, false},
		"by flag, relative":    {"../../other.yaml", "", deep, named, false},
		"by environment":       {"", named, deep, named, false},
		"here":                 {"", "", here, above, true},
		"in a directory above": {"", "", deep, above, true},
		"the user's own":       {"", "", t.TempDir(), user, false},
	} {
		t.Run(name, func(t *testing.T) {
			path, found, err := config.Find(c.flag, c.env, c.dir)
			if err != nil || path != c.want || found != c.found {
				t.Errorf("%s %v %v", path, found, err)
			}
		})
	}
}

func TestFindSaysWhereItLookedAndWhatToDo(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	// A directory of that name is no configuration.
	if err := os.Mkdir(filepath.Join(dir, config.FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string][2]string{
		"there is no plimsoll.yaml in " + dir:                                           {"", ""},
		"--config names cannot be read: " + filepath.Join(dir, "x.yaml") + ": there is": {"x.yaml", ""},
		"$PLIMSOLL_CONFIG names cannot be read":                                         {"", "x.yaml"},
	} {
		_, _, err := config.Find(c[0], c[1], dir)
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), says) || !strings.Contains(fault.HintOf(err), "plimsoll init") {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	}
}

func TestPersonalFileIsNamedOnlyIfItIsThere(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	if got := config.PersonalFile(); got != "" {
		t.Error(got)
	}
	want := put(t, home, "plimsoll/personal.yaml", nil)
	if got := config.PersonalFile(); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

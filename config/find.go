package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"

	"plimsoll/config/fault"
)

// The names of the two files.
const (
	FileName     = "plimsoll.yaml"
	PersonalName = "personal.yaml"
)

// UserDir is the directory of the user's own configuration, which holds
// personal.yaml: plimsoll below $XDG_CONFIG_HOME, or where the system keeps such things.
func UserDir() string {
	base := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		base = xdg.ConfigHome
	}
	return filepath.Join(base, "plimsoll")
}

// PersonalFile is the path of the user's personal.yaml, "" if there is none.
func PersonalFile() string {
	path := filepath.Join(UserDir(), PersonalName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return path
}

// Find says which file to load: flag (--config), else env ($PLIMSOLL_CONFIG),
// else plimsoll.yaml in dir or its nearest parent, else the user's own. found is
// true only for the third: nobody named that file. A relative flag or env is
// relative to dir. The error has the code fault.Usage.
func Find(flag, env, dir string) (path string, found bool, err error) {
	for _, named := range []struct{ path, by string }{{flag, "--config"}, {env, "$PLIMSOLL_CONFIG"}} {
		if named.path != "" {
			path, err = findNamed(named.path, named.by, dir)
			return path, false, err
		}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", false, fault.New(fault.Usage, "name the file with --config", err, "looking for %s", FileName)
	}
	for at := dir; ; at = filepath.Dir(at) {
		path, ok, err := exists(filepath.Join(at, FileName))
		if ok || err != nil {
			return path, true, err
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	path, ok, err := exists(filepath.Join(UserDir(), FileName))
	if ok || err != nil {
		return path, false, err
	}
	return "", false, fault.New(fault.Usage,
		"write one with plimsoll init, or name one with --config; plimsoll demo needs none", nil,
		"there is no %s in %s, in a directory above it, or in %s", FileName, dir, UserDir())
}

func findNamed(path, by, dir string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fault.New(fault.Usage, "correct the path, or write a file with plimsoll init", nil,
			"the configuration that %s names cannot be read: %s: %s", by, path, cause(err))
	}
	return path, nil
}

// exists fails only for what is there and cannot be looked at: skipping it would load
// another team's file.
func exists(path string) (string, bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.IsDir():
		return "", false, nil
	case err != nil:
		return path, false, fault.New(fault.Usage, "make it readable, or name another file with --config", nil,
			"looking for the configuration: %s: %s", path, cause(err))
	}
	return path, true, nil
}

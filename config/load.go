package config

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll/config/fault"
)

// Load reads and validates the team's file, and personal.yaml on top of it if
// personal names one. found says that path was found and not named (see Find).
// Load reads the public keys and certificates that the files name, never a
// secret, and asks no network. Every error has the code fault.Usage; one about the
// text shows the line and says what would be right.
func Load(path string, found bool, personal string) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "name the file with --config", err, "reading the configuration")
	}
	raw, err := readFile(path, maxFile)
	if err != nil {
		return nil, unreadable(path, err)
	}
	c, err := parseTeam(path, raw, readFile)
	if err != nil {
		return nil, err
	}
	c.Found = found
	if personal == "" {
		return c, nil
	}
	if personal, err = filepath.Abs(personal); err != nil {
		return nil, fault.New(fault.Usage, "", err, "reading personal.yaml")
	}
	raw, err = readFile(personal, maxFile)
	if err != nil {
		return nil, unreadable(personal, err)
	}
	return c, addPersonal(c, personal, raw)
}

func unreadable(path string, err error) error {
	return fault.New(fault.Usage, "correct the path or its permissions, or write a file with plimsoll init", nil,
		"reading the configuration %s: %v", path, err)
}

// reader reads a file that a configuration names, at most limit bytes.
type reader func(path string, limit int64) ([]byte, error)

// parseTeam turns the bytes of a team's file into a configuration.
func parseTeam(path string, raw []byte, read reader) (*Config, error) {
	s := newSource(path, raw)
	root := checked(s, raw, teamShape(), nil)
	if root == nil {
		return nil, s.err()
	}
	b := &binder{source: s, dir: filepath.Dir(path), read: read, files: map[string]string{}, compiled: map[*node]bool{}}
	c := &Config{Path: path, Dir: b.dir}
	b.bind(c, root)
	b.programs(c)
	if err := s.err(); err != nil {
		return nil, err
	}
	c.Text = withFiles(raw, b.files)
	c.Hash = hash(c.Text)
	return c, nil
}

// programs remembers the scripts that commands name beside the configuration:
// they come from where the file comes from, so they are accepted with it. What is
// elsewhere, or cannot be read, is somebody else's.
func (b *binder) programs(c *Config) {
	for _, s := range c.Services {
		b.program(s.Deliver.Command)
	}
	for _, s := range c.Sources {
		b.program(s.Command)
	}
}

func (b *binder) program(argv []string) {
	for i, a := range argv {
		// A program by its name alone is looked for in the path, not here.
		if i == 0 && !strings.ContainsAny(a, `/\`) || !filepath.IsLocal(filepath.FromSlash(a)) || strings.Contains(a, "{{") {
			continue
		}
		if _, ok := b.files[a]; ok || b.hashed > maxPrograms {
			continue
		}
		raw, err := b.read(filepath.Join(b.dir, filepath.FromSlash(a)), maxProgram)
		if err != nil {
			continue
		}
		b.files[a] = hash(raw)
		if b.hashed += len(raw); b.hashed > maxPrograms {
			b.report(place{}, "let the commands name fewer or smaller files of this directory", "the scripts beside the file have more than %d bytes together", maxPrograms)
		}
	}
}

// withFiles is the team's file, and below it the hash of every file that it
// names: what a person accepts, so that another key, certificate authority or
// script is another configuration.
func withFiles(raw []byte, files map[string]string) []byte {
	if len(files) == 0 {
		return raw
	}
	var b bytes.Buffer
	b.Write(raw)
	b.WriteString("\n# The files that it names, with their SHA-256:\n")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "# %s %q\n", files[path], path)
	}
	return b.Bytes()
}

// addPersonal puts a person's file on top.
func addPersonal(c *Config, path string, raw []byte) error {
	s := newSource(path, raw)
	root := checked(s, raw, personalShape(), teamShape())
	if root == nil {
		return s.err()
	}
	b := &binder{source: s, dir: filepath.Dir(path)}
	b.bindPersonal(c, root)
	return s.err()
}

// checked is the tree of a file that the table allows; nil if something was reported.
func checked(s *source, raw []byte, table, foreign *shape) *node {
	root := parseTree(s, raw)
	if root == nil || len(s.problems) > 0 {
		return nil
	}
	if root.kind != aMapping {
		s.report(root.place, "begin with a key, for example services:", "the file is %s, not a mapping", root.kind)
		return nil
	}
	c := checker{source: s, foreign: foreign}
	c.check(root, table, "")
	if len(s.problems) > 0 {
		return nil
	}
	return root
}

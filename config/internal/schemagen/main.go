// Command schemagen writes plimsoll.schema.json, and the list of keys in
// configuration.md, into the directory of the documentation. Run it with
// go generate ./config.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"plimsoll/config"
	"plimsoll/config/internal/keydocs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: schemagen DIRECTORY")
	}
	schema := filepath.Join(args[0], "plimsoll.schema.json")
	if err := os.WriteFile(schema, config.Schema(), 0o644); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("writing the schema: %w", err)
	}
	page := filepath.Join(args[0], "configuration.md")
	old, err := os.ReadFile(page) //nolint:gosec // a path of the build
	if err != nil {
		return fmt.Errorf("reading the documentation: %w", err)
	}
	text, err := keydocs.Insert(string(old), config.Reference())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("writing the documentation: %w", err)
	}
	return nil
}

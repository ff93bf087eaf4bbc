// Command docgen writes the pages of docs/commands from the commands themselves.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"

	"plimsoll/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: docgen DIRECTORY")
		os.Exit(2)
	}
	root := cli.Command()
	root.DisableAutoGenTag = true
	if err := doc.GenMarkdownTree(root, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

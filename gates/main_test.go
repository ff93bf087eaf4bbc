package gates_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs the properties 40 times each, so that the tests stay quick;
// for more: go test ./gates -run Never -rapid.checks=2000.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

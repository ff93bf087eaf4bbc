package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"plimsoll/cli"
	"plimsoll/cli/demo"
)

func TestMain(m *testing.M) {
	asProgram := filepath.Base(os.Args[0]) == "plimsoll"
	for name, value := range environment {
		if _, told := os.LookupEnv(name); told && asProgram {
			continue // by the story that runs it
		}
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){
		"plimsoll": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Execute(ctx, os.Args[1:], cli.Standard()))
		},
		"code": expectCode,
	})
}

// expectCode runs the rest of its arguments as a plimsoll command and succeeds
// if it ended with the exit code of the first.
func expectCode() {
	want, args := os.Args[1], os.Args[2:]
	got := fmt.Sprint(cli.Execute(context.Background(), args, cli.Standard()))
	if got != want {
		fmt.Fprintf(os.Stderr, "exit code %s, expected %s\n", got, want)
		os.Exit(1)
	}
}

// TestScripts runs the stories of testdata/script, each over a demo of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("TZ", "UTC")
			if strings.Contains(filepath.Base(env.WorkDir), "plain") {
				return nil // a story without registries
			}
			d, err := demo.Start(context.Background(), func(string) {})
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
			env.Setenv("PLIMSOLL_CONFIG", d.Config)
			env.Setenv("PLIMSOLL_STATE", d.State)
			env.Setenv("STAGING", d.Staging)
			env.Setenv("PROD", d.Prod)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"get": getJSON,
		},
	})
}

// getJSON sets a variable to a value of the last command's JSON output: get NAME path.to.0.value.
func getJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get NAME path.to.0.value")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for key := range strings.SplitSeq(args[1], ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(node) {
				ts.Fatalf("no element %s of %d", key, len(node))
			}
			v = node[i]
		default:
			ts.Fatalf("nothing at %s", key)
		}
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

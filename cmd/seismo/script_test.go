// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite golden files in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"seismo": main})
}

// TestScripts runs every script of testdata/script: the commands as a user types
// them, with exit codes, both outputs and the files they leave. The variable
// FIXTURES is the folder of the shipped fixtures, RULES that of the signals.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", filepath.Join(root, "fixtures"))
			env.Setenv("RULES", filepath.Join(root, "rules"))
			env.Setenv("SEISMO_HOME", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitCodeOf, "pack": pack},
	})
}

// exitCodeOf runs a command and checks its exit code: exitcode 2 seismo lint x.yml
func exitCodeOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = err.Error()
		if len(code) > len("exit status ") {
			code = code[len("exit status "):]
		}
	}
	if code != args[0] {
		ts.Fatalf("%v: exit code %s; want %s", args[1:], code, args[0])
	}
}

// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"os"

	"seismo/signals"
)

func Example() {
	defs, err := signals.ParseFile("shell.yml", []byte(`
id: 0d9e5f7a-2f43-4c39-9d0e-3f2f7f6d1b11
name: Shell connects out
severity: high
signal: process.name is (sh, bash) AND network.operation is connect
`))
	var diags signals.Diagnostics
	if errors.As(err, &diags) {
		diags.Write(os.Stderr, "seismo")
		return
	}
	d := defs[0]
	fmt.Printf("%s (%s)\n%s\n", d.Name, d.Severity, d.Expr)
	// Output:
	// Shell connects out (high)
	// process.name is ('sh', 'bash') AND network.operation is 'connect'
}

func ExampleDiagnostics_Write() {
	_, err := signals.ParseFile("bad.yml", []byte("id: 0d9e5f7a-2f43-4c39-9d0e-3f2f7f6d1b11\nname: curl-from-tmp\n"+
		"signal: process.pth ends with '/curl' AND process.cwd begins with '/tmp/'\n"))
	var diags signals.Diagnostics
	if errors.As(err, &diags) {
		diags.Write(os.Stdout, "seismo")
	}
	// Output:
	// seismo: bad.yml:3:9: unknown field "process.pth" (did you mean "process.path"?)
	//   | signal: process.pth ends with '/curl' AND process.cwd begins with '/tmp/'
	//   |         ^
	// seismo: hint: "seismo fields" lists the fields of each event kind
}

// SPDX-License-Identifier: Apache-2.0

package display_test

import (
	"fmt"

	"seismo/internal/display"
)

// What a terminal would act on is shown as an escape; JSON is ASCII, and bytes that
// are not UTF-8 are told as hex.
func Example() {
	fmt.Println(display.Text("/tmp/\x1b[2J\u202eä\xff"))
	fmt.Println(string(display.AppendJSON(nil, "/tmp/ä")))
	fmt.Println(string(display.AppendJSON(nil, "/tmp/\xff")))
	// Output:
	// /tmp/\x1b[2J\u202eä\xff
	// "/tmp/\u00e4"
	// {"hex":"2f746d702fff"}
}

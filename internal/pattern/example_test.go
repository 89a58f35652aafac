// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"fmt"

	"seismo/internal/pattern"
)

func Example() {
	g, err := pattern.ParseGlob(`/home/*/.ssh/**`, true, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	begins, ends, contains := g.Needs()
	fmt.Printf("%v %v, needs %q %q %q\n", g.MatchString("/home/anna/.ssh/keys/id"), g.MatchString("/home/anna/old/.ssh/id"), begins, ends, contains)

	r, err := pattern.ParseRegex(`(curl|wget)\s.*\|\s*sh\b`, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v, needs one of %q\n", r.MatchString("CURL -s x | sh"), r.Needs())

	_, err = pattern.ParseRegex(`a(?=b)`, false)
	fmt.Println(err)
	// Output:
	// true false, needs "/home/" "" ["/.ssh/"]
	// true, needs one of ["curl" "wget"]
	// look-ahead (?= is not supported (at byte 2)
}

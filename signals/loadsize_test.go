// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"seismo/signals"
)

// countingFS counts the files that are opened.
type countingFS struct {
	fstest.MapFS
	opened int
}

func (c *countingFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".yml") {
		c.opened++
	}
	return c.MapFS.Open(name)
}

// Files that hold more than is taken together are not read to the end, and the
// message names the definition that was one too many.
func TestTooMuchInAllFiles(t *testing.T) {
	long := "process.command_line contains (" + strings.Repeat("'"+strings.Repeat("x", 1000)+"', ", 60) + "y)"
	list := "process.name is (" + strings.Repeat("a,", 999) + "a)"
	for _, tt := range []struct {
		name, expression string
		each             int // definitions of a file
		want             string
		opened           int
	}{
		{"literals", long, 16, "17.yml:29:3: more than 16 MiB of literals in all definitions", 18},
		{"values", list, 100, "05.yml:1:3: more than 500000 values in all definitions", 6},
		{"terms", strings.Repeat("user.id is 1 OR ", 1999) + "user.id is 1", 30, "04.yml:21:3: more than 250000 terms in all definitions", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := &countingFS{MapFS: fstest.MapFS{}}
			for n := range 25 {
				var b strings.Builder
				for i := range tt.each {
					fmt.Fprintf(&b, "- id: 00000000-0000-4000-8000-%012d\n  name: n\n  signal: |\n    %s\n", n*1000+i, tt.expression)
				}
				all.MapFS[fmt.Sprintf("%02d.yml", n)] = &fstest.MapFile{Data: []byte(b.String())}
			}
			_, err := signals.LoadFS(all)
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || len(diags) != 1 || diags[0].String() != tt.want || all.opened != tt.opened {
				t.Errorf("LoadFS = %v, %d files read; want %s, %d files read", err, all.opened, tt.want, tt.opened)
			}
		})
	}
}

// A lowered set does not hold on to the syntax trees; the definitions that it was
// made of keep theirs.
func TestLowerDropsTrees(t *testing.T) {
	defs, err := signals.ParseFile("x.yml", []byte("id: 00000000-0000-4000-8000-000000000001\nname: n\nsignal: user.id is 1\nsuppress: [user.id is 2]\n"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	if d := set.Definitions[0]; d.Expr != nil || d.SuppressExprs != nil || defs[0].Expr == nil || len(defs[0].SuppressExprs) != 1 {
		t.Errorf("Lower leaves the trees %v and %v in the set, %v and %v in the definitions; want them there alone", d.Expr, d.SuppressExprs, defs[0].Expr, defs[0].SuppressExprs)
	}
}

// A file of keys that nobody knows is not compared with all keys to its end.
func TestUnknownKeysAreBounded(t *testing.T) {
	file := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: v\n", i)
		}
		return []byte(b.String())
	}
	per := func(n int) float64 {
		src := file(n)
		return testing.AllocsPerRun(1, func() { signals.ParseFile("x.yml", src) })
	}
	if few, many := per(1000), per(9000); (many-few)/8000 > 40 {
		t.Errorf("ParseFile allocates %.0f times for 1,000 unknown keys and %.0f times for 9,000; want less than 40 for each", few, many)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// pack packs files in a script, as gzip or as an archive by the name of the result:
// pack x.jsonl.gz x.jsonl, or pack x.zip a.jsonl b.jsonl
func pack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pack RESULT FILE...")
	}
	var b bytes.Buffer
	z, plain := zip.NewWriter(&b), gzip.NewWriter(&b)
	for _, name := range args[1:] {
		content := []byte(ts.ReadFile(name))
		if strings.HasSuffix(args[0], ".zip") {
			w, err := z.Create(name)
			ts.Check(err)
			_, err = w.Write(content)
			ts.Check(err)
			continue
		}
		_, err := plain.Write(content)
		ts.Check(err)
	}
	if strings.HasSuffix(args[0], ".zip") {
		ts.Check(z.Close())
	} else {
		ts.Check(plain.Close())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

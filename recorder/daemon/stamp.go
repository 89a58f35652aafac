// SPDX-License-Identifier: Apache-2.0

// This file notices that files have changed.

package daemon

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxStamped bounds the files of a folder that are looked at.
const maxStamped = 20_000

// stamp says in one text what the files look like: their names, sizes, times and
// who they are. It differs if one of them was changed, replaced, added or removed.
func stamp(files []string) string {
	var b strings.Builder
	n := 0
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			stampFile(&b, path, info, err)
			continue
		}
		filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if n++; n > maxStamped {
				return fs.SkipAll
			}
			if err == nil && d.IsDir() {
				return nil
			}
			info, err := os.Stat(p) // of what a link leads to
			stampFile(&b, p, info, err)
			return nil
		})
	}
	return b.String()
}

func stampFile(b *strings.Builder, path string, info os.FileInfo, err error) {
	if err != nil {
		fmt.Fprintf(b, "%q -\n", path)
		return
	}
	fmt.Fprintf(b, "%q %d %d %v %d\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode(), fileNumber(info))
}

// SPDX-License-Identifier: Apache-2.0

// This file notices that files have changed.

package daemon

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxStamped bounds the files of a folder that are looked at.
const maxStamped = 20_000

// stamp is the digest of what the files look like: their names, sizes, times and
// who they are; of a folder, of the definitions and lists in it. It differs if one of
// them was changed, replaced, added or removed.
func stamp(files []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	n := 0
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			stampFile(h, path, info, err)
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // WalkDir does not go into a link
		}
		filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if n++; n > maxStamped {
				return fs.SkipAll
			}
			if err == nil && (d.IsDir() || !holdsSignals(p)) {
				return nil
			}
			info, err := os.Stat(p) // of what a link leads to
			stampFile(h, p, info, err)
			return nil
		})
	}
	h.Sum(sum[:0])
	return sum
}

// holdsSignals reports whether a file in a folder can be a definition or a list. The
// others do not count: a database that is written there would never rest.
func holdsSignals(path string) bool {
	switch filepath.Ext(path) {
	case ".yml", ".yaml", ".txt":
		return true
	}
	return filepath.Base(path) == "signals.json"
}

func stampFile(w io.Writer, path string, info os.FileInfo, err error) {
	if err != nil {
		fmt.Fprintf(w, "%q -\n", path)
		return
	}
	fmt.Fprintf(w, "%q %d %d %v %d\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode(), fileNumber(info))
}

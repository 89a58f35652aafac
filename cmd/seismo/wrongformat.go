// SPDX-License-Identifier: Apache-2.0

// This file says what to do about a log that is of another format than was said.

package main

import (
	"bytes"
	"io"
	"os"
	"strings"

	"seismo/sources"
)

// wrongFormat is the error about a log of which none of lines could be read: spec as it
// was given, format what it was read as where spec does not say it.
func wrongFormat(spec, format string, lines uint64) error {
	path := sources.Path(spec)
	if said := strings.TrimSuffix(strings.TrimSuffix(spec, path), ":"); said != "" {
		format = said
	}
	next := "--format names another"
	if path != "-" {
		if file, err := os.Open(path); err == nil {
			head := make([]byte, 4096)
			n, _ := io.ReadFull(file, head)
			file.Close()
			if of := nextFormat(head[:n], next); !strings.HasSuffix(of, "--format "+format) { // it is of that format, and damaged
				next = of
			}
		}
	}
	return fail(exitBroken, "%s: none of %d lines is a record of format %s; %s", spec, lines, format, next)
}

// nextFormat says how to read a log that begins with head, otherwise if that can not be told.
func nextFormat(head []byte, otherwise string) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("ElfFile\x00")):
		return sources.ErrEVTX.Error()
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "it looks like JSON: --format json"
	case bytes.HasPrefix(text, []byte("type=")), bytes.HasPrefix(text, []byte("node=")):
		return "it looks like an audit log: --format audit"
	}
	return otherwise
}

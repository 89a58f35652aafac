// SPDX-License-Identifier: Apache-2.0

// This file makes paths whole: a name as a process gave it, and the directory
// that it is relative to.

package audit

import "bytes"

// AppendPath appends to dst the path that name means in directory dir, cleaned
// lexically: no ".", no ".." and no doubled or trailing slash. Symbolic links
// are not followed, so "a/../b" is b even where a is a link. If name is absolute,
// dir is not looked at. If neither is, the result is relative and may begin with
// "..". name and dir must not overlap the spare room of dst.
func AppendPath(dst, dir, name []byte) []byte {
	from := len(dst)
	if len(name) == 0 || name[0] != '/' {
		dst = appendElements(dst, from, dir)
	}
	dst = appendElements(dst, from, name)
	if len(dst) == from {
		dst = append(dst, '.')
	}
	return dst
}

// appendElements appends the elements of p to the path that begins at from.
func appendElements(dst []byte, from int, p []byte) []byte {
	if len(p) > 0 && p[0] == '/' {
		dst = append(dst[:from], '/')
	}
	for len(p) > 0 {
		el := p
		if i := bytes.IndexByte(p, '/'); i >= 0 {
			el, p = p[:i], p[i+1:]
		} else {
			p = nil
		}
		switch {
		case len(el) == 0, len(el) == 1 && el[0] == '.':
		case len(el) == 2 && el[0] == '.' && el[1] == '.':
			dst = dropElement(dst, from)
		default:
			if len(dst) > from && dst[len(dst)-1] != '/' {
				dst = append(dst, '/')
			}
			dst = append(dst, el...)
		}
	}
	return dst
}

// dropElement takes the last element off the path that begins at from. There is
// nothing above the root; above the start of a relative path stands "..".
func dropElement(dst []byte, from int) []byte {
	path := dst[from:]
	if len(path) == 1 && path[0] == '/' {
		return dst
	}
	i := bytes.LastIndexByte(path, '/')
	if last := path[i+1:]; len(last) > 0 && !bytes.Equal(last, dotDot) {
		return dst[:from+max(i, rootLen(path))]
	}
	if len(path) > 0 {
		dst = append(dst, '/')
	}
	return append(dst, ".."...)
}

var dotDot = []byte("..")

// rootLen is the length of the root of path: 1 if it is absolute, else 0.
func rootLen(path []byte) int {
	if len(path) > 0 && path[0] == '/' {
		return 1
	}
	return 0
}

// baseName returns the last element of path.
func baseName(path []byte) []byte {
	return path[bytes.LastIndexByte(path, '/')+1:]
}

// dirName returns path without its last element: "." if it has one element.
func dirName(path []byte) []byte {
	i := bytes.LastIndexByte(path, '/')
	switch {
	case i < 0:
		return path[:0]
	case i == 0:
		return path[:1]
	}
	return path[:i]
}

// extension returns what follows the last dot of name, or false if there is
// none, or only as its first byte.
func extension(name []byte) ([]byte, bool) {
	i := bytes.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return nil, false
	}
	return name[i+1:], true
}

// SPDX-License-Identifier: Apache-2.0

// This file finds the events of a load in the logs of auditd and LAUREL.

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// maxLine bounds a line of a log; those of the loads are far shorter.
const maxLine = 1 << 20

// lines hands every line of r to each.
func lines(r io.Reader, each func([]byte)) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	for sc.Scan() {
		each(sc.Bytes())
	}
	return sc.Err()
}

// countAuditd adds what a raw log of auditd has. Values of the loads hold neither
// blanks nor quotes, so they stand in it in quotes.
func countAuditd(r io.Reader, s *seen) error {
	err := lines(r, func(line []byte) {
		switch kind, _, _ := bytes.Cut(line, []byte(" ")); string(kind) {
		case "type=EXECVE":
			if rawValue(line, "argc") == "3" {
				s.addArgs([]string{rawValue(line, "a0"), rawValue(line, "a1"), rawValue(line, "a2")})
			}
		case "type=PATH":
			addNamed(s, rawValue(line, "name"), rawValue(line, "nametype"))
		case "type=SOCKADDR":
			if b, err := hex.DecodeString(rawValue(line, "saddr")); err == nil {
				addSockaddr(s, b)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("read the log of auditd: %w", err)
	}
	return nil
}

// addNamed adds a path by what the kernel says was done to its name.
func addNamed(s *seen, name, nametype string) {
	if nametype == "CREATE" || nametype == "DELETE" {
		s.addFile(name, nametype == "CREATE")
	}
}

// addSockaddr adds a sockaddr_in: family in the byte order of the host, port and
// address in that of the network.
func addSockaddr(s *seen, b []byte) {
	if len(b) >= 8 && (b[0] == 2 || b[1] == 2) && b[0]|b[1] == 2 {
		s.addSocket([4]byte(b[4:8]), uint16(b[2])<<8|uint16(b[3]))
	}
}

// rawValue returns the value of the first field with the name, without its quotes.
func rawValue(line []byte, name string) string {
	key := append(append([]byte{' '}, name...), '=')
	_, v, found := bytes.Cut(line, key)
	if !found {
		return ""
	}
	if len(v) > 0 && v[0] == '"' {
		v, _, _ = bytes.Cut(v[1:], []byte{'"'})
		return string(v)
	}
	v, _, _ = bytes.Cut(v, []byte(" "))
	return string(v)
}

// countLaurel adds what a log of LAUREL has: a JSON object for each event.
func countLaurel(r io.Reader, s *seen) error {
	bad := 0
	err := lines(r, func(line []byte) {
		var e struct {
			Execve struct {
				Argv []string `json:"ARGV"`
			} `json:"EXECVE"`
			Path []struct {
				Name     string `json:"name"`
				Nametype string `json:"nametype"`
			} `json:"PATH"`
			Sockaddr []struct {
				Saddr string `json:"saddr"`
			} `json:"SOCKADDR"`
		}
		if json.Unmarshal(line, &e) != nil {
			bad++
			return
		}
		s.addArgs(e.Execve.Argv)
		for _, p := range e.Path {
			addNamed(s, p.Name, p.Nametype)
		}
		for _, a := range e.Sockaddr {
			addSockaddr(s, unescape(a.Saddr))
		}
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d lines are no JSON of the form that is known", bad)
	}
	if err != nil {
		return fmt.Errorf("read the log of LAUREL: %w", err)
	}
	return nil
}

// unescape returns the bytes of a value of LAUREL, which writes those that are not
// printable as %xx.
func unescape(v string) []byte {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			if c, err := hex.DecodeString(v[i+1 : i+3]); err == nil {
				b = append(b, c[0])
				i += 2
				continue
			}
		}
		b = append(b, v[i])
	}
	return b
}
